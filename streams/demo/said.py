"""The demo's account of conversions: what of one stream was written down or spoken, and what is missing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from streams.demo.scenario import Planned
from syncline.converted import MODALITY_OF, ConvertedAudio, ConvertedText

Origin = tuple[str, int, int]
"""(unprefixed topic, partition, offset) of a record."""
STREAM = "hall"
"""The stream that is converted: one voice is enough to listen to, and two cores have more to do."""
N_RECENT = 6


class Said:
    """Conversions by the record that they are of. `kinds`: what the workers make of `STREAM`."""

    def __init__(self, kinds: Iterable[str] = ()) -> None:
        self.kinds = tuple(kinds)
        self._made: dict[tuple[Origin, str], ConvertedText | ConvertedAudio] = {}
        self.recent: deque[ConvertedText | ConvertedAudio] = deque(maxlen=N_RECENT)
        """What came last."""

    def takes(self, result: ConvertedText | ConvertedAudio) -> bool:
        """Whether a converter made it; else the model that fuses did."""
        return result.stream == STREAM and result.kind in self.kinds

    def note(self, result: ConvertedText | ConvertedAudio) -> None:
        """A conversion was read; a repeat changes nothing."""
        key = (result.topic, result.partition, result.offset), result.kind
        if key not in self._made:
            self._made[key] = result
            self.recent.append(result)

    def missing(self, sent: Mapping[Origin, Planned]) -> Iterator[str]:
        """Records that should have been converted and were not, in words."""
        for origin, planned in sent.items():
            for kind in self.kinds:
                wanted = planned.stream == STREAM and planned.modality == MODALITY_OF[kind] and _is_converted(planned)
                if wanted and (origin, kind) not in self._made:
                    yield f"{origin[0]}/{origin[1]}/{origin[2]} ({planned.id}): no {kind}"

    def summary(self, sent: Mapping[Origin, Planned]) -> dict[str, dict[str, object]]:
        """By kind: how many there are, how many had to be refused, and how much they say."""
        return {kind: self._of(kind, sent) for kind in self.kinds}

    def _of(self, kind: str, sent: Mapping[Origin, Planned]) -> dict[str, object]:
        mine = [(origin, said) for (origin, of), said in self._made.items() if of == kind]
        found: dict[str, object] = {"n": len(mine), "n_refused": sum(bool(said.reason) for _, said in mine)}
        texts = [(origin, said) for origin, said in mine if isinstance(said, ConvertedText) and not said.reason]
        if kind == "speech":
            found["sound_s"] = round(
                sum(said.sound_ms for _, said in mine if isinstance(said, ConvertedAudio)) / 1_000, 1
            )
        elif texts:
            right = sum(_words(said.text) == _words(sent[origin].label) for origin, said in texts if origin in sent)
            found["as_labelled"] = round(right / len(texts), 3)
        return found


def _is_converted(planned: Planned) -> bool:
    return planned.expected == "fused" or (
        planned.expected.startswith("unfused:") and planned.expected != "unfused:duplicate"
    )


def _words(text: str) -> Sequence[str]:
    return "".join(char.lower() if char.isalnum() else " " for char in text).split()
