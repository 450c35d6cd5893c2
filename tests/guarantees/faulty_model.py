"""A model that fails as it is told to, registered under the name `faulty`.

It looks at the raw bytes of each member: a fault with a marker concerns the sets that hold it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from models import registry
from models.interface import Conversion, Fusion, Member, Modality, Model, Prepared
from tests.support.interferences import FAULTY, FaultyModelSettings, ModelFault, Switches

LOOK_S = 0.01


class FaultyModel(Model):
    """Answers with (number of members, number of bytes) as the embedding, but for its faults."""

    name, version = FAULTY, "1"

    def __init__(self, settings: FaultyModelSettings, switches: Switches) -> None:
        self._settings, self._switches = settings, switches
        self._first_s: float | None = None

    def prepare(self, modality: Modality, data: bytes, content_type: str, language: str | None) -> Prepared:
        """The bytes as they are, unless a fault holds the decode thread up."""
        for fault in self._active():
            while (
                fault.kind == "holds_decoding" and fault.marker.encode() in data and self._switches.is_on(fault.switch)
            ):
                time.sleep(LOOK_S)
        return Prepared(data, n_bytes=len(data))

    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """Answer each set, or fail."""
        if self._first_s is None:
            self._first_s = time.monotonic()
        time.sleep(self._settings.ms_per_set * len(sets) / 1_000)
        faults = [fault for fault in self._active() if any(_concerns(fault, members) for members in sets)]
        for fault in faults:
            self._suffer(fault)
        answers = [_answer(members, [fault.kind for fault in faults if _concerns(fault, members)]) for members in sets]
        return answers[1:] if any(fault.kind == "wrong_count" for fault in faults) else answers

    def warm_up(self) -> None:
        """What is asked while the model is down and has never answered: it fails as long as everything does."""
        for fault in self._active():
            if not fault.marker:
                self._suffer(fault)

    def _active(self) -> Iterator[ModelFault]:
        since_s = time.monotonic() - self._first_s if self._first_s is not None else 0.0
        for fault in self._settings.faults:
            if self._switches.is_on(fault.switch) and (not fault.for_s or since_s < fault.for_s):
                yield fault

    def _suffer(self, fault: ModelFault) -> None:
        if fault.kind == "throws":
            raise RuntimeError(f"the test model throws{' on ' + fault.marker if fault.marker else ''}")
        if fault.kind == "out_of_memory":
            raise MemoryError
        while fault.kind == "hangs" and self._switches.is_on(fault.switch):
            time.sleep(LOOK_S)


def _concerns(fault: ModelFault, members: Sequence[Member]) -> bool:
    return any(fault.marker.encode() in member.prepared.value for member in members)


def _answer(members: Sequence[Member], faults: Sequence[str]) -> Any:
    n_bytes = sum(len(member.prepared.value) for member in members)
    embedding = np.array([len(members), np.nan if "nan" in faults else n_bytes], np.float32)
    right = Fusion(labels=[("set", 1.0)], embedding=embedding)
    wrong: dict[str, Any] = {
        "wrong_type": "a cat",
        "wrong_labels": Fusion(labels=[(5, 0.5)]),  # type: ignore[list-item]
        "wrong_member": Fusion(conversions=[Conversion(len(members), "caption", "a cat", 0.5)]),
    }
    return next((wrong[fault] for fault in faults if fault in wrong), right)


def register(settings: FaultyModelSettings, switches: Switches) -> None:
    """Have `models.registry.load` know the name `faulty`."""
    load = registry.load

    def load_or_faulty(name: str) -> Model:
        return FaultyModel(settings, switches) if name == FAULTY else load(name)

    registry.load = load_or_faulty
