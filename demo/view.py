"""The demo's display: a live table on a terminal, a plain line a second elsewhere."""

from __future__ import annotations

import time
from collections import Counter

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from demo.ledger import STREAM, Ledger
from demo.scenario import STREAMS
from syncline.wire.converted import ConvertedText


class View:
    """Shows the ledger. Call `note` on changes, and `close` before printing anything else."""

    def __init__(self, ledger: Ledger, console: Console) -> None:
        self._ledger, self._console = ledger, console
        self._start_s = time.monotonic()
        self._printed_s = 0.0
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        if self._live is not None:
            self._live.start()

    def note(self) -> None:
        """Update the display after a change of the ledger."""
        now_s = time.monotonic()
        if self._live is not None and now_s - self._printed_s >= 0.1:
            self._printed_s = now_s
            self._live.update(Group(*self._parts()), refresh=True)
        elif self._live is None and now_s - self._printed_s >= 1.0:
            self._printed_s = now_s
            self._console.print(self._line(), highlight=False)

    def close(self) -> None:
        """End the display, leaving its last state on the screen."""
        if self._live is not None:
            self._live.update(Group(*self._parts()), refresh=True)
            self._live.stop()
            self._live = None

    def _line(self) -> str:
        ledger = self._ledger
        latency = ledger.latency_ms()
        return (
            f"{time.monotonic() - self._start_s:5.1f} s  sent {len(ledger.sent)}, open {ledger.n_open}, "
            f"complete {ledger.n_sets['complete']}, partial {ledger.n_sets['partial']}"
            + (f", p50 {latency['p50']} ms, p95 {latency['p95']} ms" if latency else "")
        )

    def _parts(self) -> list[RenderableType]:
        said = [self._said()] if self._ledger.said.kinds else []
        return [self._numbers(), self._streams(), self._results(), *said]

    def _said(self) -> Table:
        table = Table(expand=True, title=f"what {STREAM} says")
        for title in ("kind", "of", "what", "in a set"):
            table.add_column(title)
        for said in reversed(self._ledger.said.recent):
            what = said.text if isinstance(said, ConvertedText) else f"{said.sound_ms / 1_000:.1f} s of speech"
            event = self._ledger.sent.get((said.topic, said.partition, said.offset))
            of = (event.text or event.label) if event is not None else said.lane
            table.add_row(
                said.kind, of, f"none: {said.reason}" if said.reason else what, "yes" if said.set_id else "no"
            )
        return table

    def _numbers(self) -> Panel:
        ledger, latency = self._ledger, self._ledger.latency_ms()
        elapsed_s = max(0.1, time.monotonic() - self._start_s)
        words = [
            f"[b]{len(ledger.sent)}[/b] records sent ({len(ledger.sent) / elapsed_s:.0f}/s)",
            f"[b]{ledger.n_open}[/b] without outcome yet",
            f"[b]{ledger.n_complete}[/b] complete moments",
            f"last member to result: p50 [b]{latency.get('p50', '–')}[/b] ms, p95 [b]{latency.get('p95', '–')}[/b] ms",
        ]
        return Panel("   ".join(words), title="Syncline demo")

    def _streams(self) -> Table:
        table = Table(expand=True)
        for title in ("stream", "records", "fused", "unfused", "dead letters", "decided up to"):
            table.add_column(title)
        per_stream: dict[str, Counter[str]] = {stream: Counter() for stream in STREAMS}
        for origin, planned in self._ledger.sent.items():
            counter = per_stream[planned.stream]
            counter["sent"] += 1
            for outcome in self._ledger.outcomes.get(origin, ()):
                counter[outcome.partition(":")[0]] += 1
        for stream, counter in per_stream.items():
            newest = self._ledger.newest.get(stream)
            behind = f"{(time.time() - newest.start_ms / 1000):.1f} s ago" if newest is not None else "–"
            counts = (str(counter[name]) for name in ("sent", "fused", "unfused", "deadletter"))
            table.add_row(stream, *counts, behind)
        return table

    def _results(self) -> Table:
        table = Table(expand=True, title="latest results")
        for title in ("stream", "outcome", "what all lanes together say", "score", "missing", "members"):
            table.add_column(title)
        for result in reversed(self._ledger.recent):
            label, score = result.labels[0] if result.labels else ("–", 0.0)
            lanes = ", ".join(member.lane for member in result.members)
            outcome = f"[green]{result.outcome}[/]" if result.outcome == "complete" else f"[yellow]{result.reason}[/]"
            table.add_row(result.stream, outcome, label, f"{score:.2f}", ", ".join(result.missing) or "–", lanes)
        return table
