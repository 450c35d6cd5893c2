"""The entries of the decision log and their MessagePack form (docs/design.md, "The decision log").

Each entry carries the `number` that its writer counted: a copy that arrives twice is known by it.
"""

from __future__ import annotations

import msgspec

from streams.join.clocks import LaneState
from streams.join.model import Decision


class Claim(msgspec.Struct, frozen=True, array_like=True, tag="claim"):
    """Whoever is assigned a partition appends one before it proposes anything.

    `worker` is unique for every owner of every process. `generation` is the consumer group's; `era` grows
    when generations have started anew because the group was deleted. A claim is renewed by its owner before
    each snapshot, so that a reader who goes backwards soon meets one.
    """

    worker: str
    generation: int
    era: int
    number: int

    @property
    def rank(self) -> tuple[int, int]:
        """Claims of a lower rank than the current one are ignored."""
        return self.era, self.generation


class Batch(msgspec.Struct, frozen=True, array_like=True, tag="batch"):
    """Decisions proposed together; `claim` is the offset of its writer's claim."""

    claim: int
    number: int
    decisions: list[Decision]


class SnapshotPart(msgspec.Struct, frozen=True, array_like=True, tag="snapshot"):
    """One part of the state at the acknowledged offsets `at`; usable only if all `n_parts` are there.

    A reader who starts from it reads the log from `replay_from`, where the claim at `replay_claim_offset` was
    current: from there on stand all decisions that name an offset at or above `at`.
    `clocks` is `Clocks.export()`; `bounds` maps a stream to the bound of its last decision by timeout or pressure.
    """

    claim: int
    number: int
    part: int
    n_parts: int
    at: dict[str, int]
    replay_from: int
    replay_claim_offset: int
    replay_claim: Claim | None
    clocks: list[LaneState]
    bounds: dict[str, int]


Entry = Claim | Batch | SnapshotPart

_decoder = msgspec.msgpack.Decoder(Entry)
_encoder = msgspec.msgpack.Encoder()


def encode_entry(entry: Entry) -> bytes:
    """An entry as MessagePack."""
    return _encoder.encode(entry)


def decode_entry(data: bytes) -> Entry | None:
    """An entry from MessagePack; None for bytes that are none of ours, which every reader passes over."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError:
        return None
