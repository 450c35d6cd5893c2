"""The demo's account: what was sent, what became of it, how fast and how accurately, and missing conversions."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median, quantiles

from demo.scenario import PlannedEvent
from syncline.consumer import Received
from syncline.wire.converted import MODALITY_OF, ConvertedAudio, ConvertedText
from syncline.wire.results import FusedResult, Unfused

Origin = tuple[str, int, int]
"""(topic without prefix, partition, offset) of a record."""
STREAM = "hall"
"""The only stream that is converted: one voice is enough to listen to, and conversions need much CPU time."""
N_RECENT = 6


class Said:
    """Conversions by original record. `kinds` are those that the workers make of `STREAM`."""

    def __init__(self, kinds: Iterable[str] = ()) -> None:
        self.kinds = tuple(kinds)
        self._made: dict[tuple[Origin, str], ConvertedText | ConvertedAudio] = {}
        self.recent: deque[ConvertedText | ConvertedAudio] = deque(maxlen=N_RECENT)
        """The last conversions."""

    def takes(self, result: ConvertedText | ConvertedAudio) -> bool:
        """Tell whether a converter made it, not the fusing model."""
        return result.stream == STREAM and result.kind in self.kinds

    def note(self, result: ConvertedText | ConvertedAudio) -> None:
        """Add a conversion; a repeat changes nothing."""
        key = (result.topic, result.partition, result.offset), result.kind
        if key not in self._made:
            self._made[key] = result
            self.recent.append(result)

    def missing(self, sent: Mapping[Origin, PlannedEvent]) -> Iterator[str]:
        """Describe the records whose conversion is missing."""
        for origin, planned in sent.items():
            for kind in self.kinds:
                wanted = planned.stream == STREAM and planned.modality == MODALITY_OF[kind] and _is_converted(planned)
                if wanted and (origin, kind) not in self._made:
                    yield f"{origin[0]}/{origin[1]}/{origin[2]} ({planned.id}): no {kind}"

    def summary(self, sent: Mapping[Origin, PlannedEvent]) -> dict[str, dict[str, object]]:
        """Return by kind the number of conversions and of refusals, and how much they contain."""
        return {kind: self._of(kind, sent) for kind in self.kinds}

    def _of(self, kind: str, sent: Mapping[Origin, PlannedEvent]) -> dict[str, object]:
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


def _is_converted(planned: PlannedEvent) -> bool:
    return planned.expected == "fused" or (
        planned.expected.startswith("unfused:") and planned.expected != "unfused:duplicate"
    )


def _words(text: str) -> Sequence[str]:
    return "".join(char.lower() if char.isalnum() else " " for char in text).split()


class Ledger:
    """All sent records by place, and their outcomes as they are read."""

    def __init__(self, said: Said | None = None) -> None:
        self.said = said or Said()
        self.sent: dict[Origin, PlannedEvent] = {}
        self.outcomes: dict[Origin, list[str]] = defaultdict(list)
        self.latencies_ms: dict[str, list[float]] = defaultdict(list)
        """By stream, ms from the last member's delivery to the result read back, of complete sets."""
        self.n_sets: Counter[str] = Counter()
        self.n_reasons: Counter[str] = Counter()
        self.n_results = 0
        self.newest: dict[str, FusedResult] = {}
        """The newest fused result of each stream."""
        self.recent: deque[FusedResult] = deque(maxlen=8)
        """The last results."""
        self._arrived_s: dict[Origin, float] = {}
        self._right_alone: dict[Origin, bool] = {}
        self._complete: list[tuple[str, list[Origin]]] = []

    def note_sent(self, origin: Origin, planned: PlannedEvent, now_s: float) -> None:
        """Add a delivered record."""
        self.sent[origin] = planned
        self._arrived_s[origin] = now_s

    def note(self, received: Received, now_s: float) -> None:
        """Add a result."""
        self.n_results += 1
        result = received.result
        if isinstance(result, FusedResult):
            self._note_fused(result, now_s)
        elif isinstance(result, ConvertedText | ConvertedAudio) and self.said.takes(result):
            self.said.note(result)
        elif isinstance(result, ConvertedAudio):
            return
        elif isinstance(result, ConvertedText):
            origin = (result.topic, result.partition, result.offset)
            self._right_alone[origin] = result.text == self._label(origin)
        elif isinstance(result, Unfused):
            self.outcomes[result.topic, result.partition, result.offset].append(f"unfused:{result.reason}")
        else:
            self.outcomes[result.topic, result.partition, result.offset].append(f"deadletter:{result.reason}")

    def _note_fused(self, result: FusedResult, now_s: float) -> None:
        origins = [(member.topic, member.partition, member.offset) for member in result.members]
        for origin in origins:
            self.outcomes[origin].append("fused")
        self.n_sets[result.outcome] += 1
        self.n_reasons[result.reason] += 1
        self.newest[result.stream] = result
        self.recent.append(result)
        if result.outcome != "complete":
            return
        self._complete.append((result.labels[0][0] if result.labels else "", origins))
        # The producer may learn of a delivery after the result was read: count 0 then.
        arrived = [self._arrived_s.get(origin, now_s) for origin in origins]
        self.latencies_ms[result.stream].append((now_s - max(arrived)) * 1000)

    def _label(self, origin: Origin) -> str:
        planned = self.sent.get(origin)
        return planned.label if planned is not None else ""

    @property
    def n_open(self) -> int:
        """The number of records without an outcome, and of conversions to come."""
        n_undecided = sum(origin not in self.outcomes for origin in self.sent)
        return n_undecided + sum(1 for _ in self.said.missing(self.sent))

    @property
    def n_complete(self) -> int:
        """The number of complete sets."""
        return sum(len(found) for found in self.latencies_ms.values())

    def latency_ms(self) -> dict[str, float]:
        """Return p50 and p95 of all complete sets, ms; empty with fewer than two sets."""
        every = [latency for found in self.latencies_ms.values() for latency in found]
        if len(every) < 2:
            return {}
        cuts = quantiles(every, n=20)
        return {"p50": round(cuts[9], 1), "p95": round(cuts[18], 1)}

    def latency_ms_by_stream(self) -> dict[str, float]:
        """Return p50 of each stream's complete sets, ms."""
        return {stream: round(median(found), 1) for stream, found in sorted(self.latencies_ms.items())}

    def problems(self) -> list[str]:
        """Describe records with no outcome, with two, or with another than planned; empty if all is well."""
        found: list[str] = []
        for origin, planned in self.sent.items():
            outcomes = self.outcomes.get(origin, [])
            if outcomes != [planned.expected]:
                where = f"{origin[0]}/{origin[1]}/{origin[2]}"
                found.append(f"{where} ({planned.id}): expected {planned.expected}, got {outcomes or 'nothing'}")
        found += self.said.missing(self.sent)
        strangers = [origin for origin in self.outcomes if origin not in self.sent]
        return found + [f"{origin}: an outcome of a record that was never sent" for origin in strangers]

    def accuracy(self) -> dict[str, float]:
        """Return the share of complete sets with the right best label: fused, by picture alone, by speech alone."""
        right: dict[str, list[bool]] = defaultdict(list)
        for label, origins in self._complete:
            truths = {self._label(origin) for origin in origins}
            right["fused"].append(truths == {label})
            for origin in origins:
                if origin in self._right_alone:
                    right[origin[0].removeprefix("media.") + " alone"].append(self._right_alone[origin])
        return {name: round(sum(values) / len(values), 3) for name, values in right.items()}

    def summary(self) -> dict[str, object]:
        """Return everything as a dict, for `--json` and the last screen."""
        outcomes = Counter(outcome for found in self.outcomes.values() for outcome in found)
        problems = self.problems()
        return {
            "n_sent": len(self.sent),
            "outcomes": dict(sorted(outcomes.items())),
            "n_outcomes": sum(outcomes.values()),
            "sets": dict(sorted(self.n_sets.items())),
            "reasons": dict(sorted(self.n_reasons.items())),
            "latency_ms": self.latency_ms(),
            "latency_p50_ms_by_stream": self.latency_ms_by_stream(),
            "accuracy": self.accuracy(),
            "conversions": self.said.summary(self.sent),
            "problems": problems,
        }
