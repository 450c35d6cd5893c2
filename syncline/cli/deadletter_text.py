"""Dead letters as text for people and as JSON objects."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator
from typing import Any

from syncline.deadletter.filter import Letter, LetterCounts, stream_of
from syncline.deadletter.retry import Plan, SentRetries, n_retries, why_not
from syncline.wire import contract as c
from syncline.wire.timestamps import MAX_TIME_MS, format_time

MAX_ROWS = 40
"""Limit of the table of counts; JSON has all."""
MAX_DETAIL = 120
HEAD_BYTES = 256
"""How much of a value is shown."""
_ROW_BYTES = 16
_LABEL = 9


def reason_in_words(reason: str) -> str:
    """Describe a reason; "" if unknown: reasons of broken media are part of the service."""
    if reason in c.REASONS:
        return c.REASONS[reason]
    if importlib.util.find_spec("processors") is None:
        return ""
    from processors.limits import IN_WORDS

    return {str(name): words for name, words in IN_WORDS.items()}.get(reason, "")


def plain(text: str) -> str:
    """Replace control characters."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def when(time_ms: int) -> str:
    """Write a time as text, even one out of range."""
    return format_time(time_ms) if 0 <= time_ms <= MAX_TIME_MS else f"{time_ms} ms"


def count_lines(tally: LetterCounts) -> Iterator[str]:
    """Yield the counts as a table, the largest first, and their sum."""
    rows = tally.counts.most_common(MAX_ROWS)
    if rows:
        width = max(len("reason"), *(len(plain(reason)) for (reason, _), _ in rows))
        yield f"{'letters':>8}  {'reason':<{width}}  stream"
        for (reason, stream), n in rows:
            yield f"{n:>8}  {plain(reason):<{width}}  {plain(stream) or '(none)'}"
    if (n_more := len(tally.counts) - len(rows)) > 0:
        yield f"and {n_more} more; --json has them all"
    repeats = f", {tally.n_repeats} repeats not counted" if tally.n_repeats else ""
    yield f"{tally.counts.total()} dead letters{repeats}"


def letter_line(one: Letter) -> str:
    """Return a letter as one line, with the partition and offset that `show` and `retry` take."""
    letter = one.letter
    detail = letter.detail if len(letter.detail) <= MAX_DETAIL else letter.detail[: MAX_DETAIL - 1] + "…"
    place = f"{one.partition} {one.offset}"
    stream = stream_of(letter) or "(none)"
    return plain(f"{when(one.append_ms)}  {place:<10}  {stream}  {letter.id}  {letter.reason}  {detail}")


def letter_in_words(one: Letter) -> Iterator[str]:
    """Yield the lines that `show` prints."""
    letter = one.letter
    yield f"dead letter {one.partition} {one.offset}, written {when(one.append_ms)}"
    words = reason_in_words(letter.reason)
    yield _row("reason", f"{letter.reason}: {words}" if words else letter.reason)
    if letter.detail:
        yield _row("detail", letter.detail)
    yield _row("origin", f"{letter.topic}, partition {letter.partition}, offset {letter.offset}")
    yield _row("", f"what happened to it: syncline explain {letter.topic} {letter.partition} {letter.offset}")
    yield _row("time", f"{when(letter.timestamp_ms)}, the original record's own")
    yield _row("stream", stream_of(letter) or "(none)")
    if letter.set_id:
        yield _row("set", f"{letter.set_id}, which failed")
    if n := n_retries(letter):
        origin = dict(letter.headers).get(c.H_RETRY_OF, b"").decode(errors="replace")
        yield _row("retries", f"{n}; it was a retry of {origin}")
    why = why_not(letter)
    retry = f"syncline deadletter retry {one.partition} {one.offset}"
    yield _row("retry", f"cannot be sent again: {why}" if why else retry)
    for number, (name, value) in enumerate(letter.headers):
        yield _row("" if number else "headers", f"{name}  {value.decode(errors='replace')[:MAX_DETAIL]}")
    yield from _value_lines(one)


def _row(label: str, text: str) -> str:
    return f"{label:<{_LABEL}} {plain(text)}".rstrip()


def _value_lines(one: Letter) -> Iterator[str]:
    data = one.letter.data
    if data is None:
        yield _row("value", "not here" if "value" in one.letter.cut else "null")
        return
    yield _row("value", f"{len(data)} bytes" + (f", the first {HEAD_BYTES}:" if len(data) > HEAD_BYTES else ""))
    head = data[:HEAD_BYTES]
    for at in range(0, len(head), _ROW_BYTES):
        row = head[at : at + _ROW_BYTES]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"  {at:04x}  {row.hex(' '):<{3 * _ROW_BYTES}} {shown}"


def as_dict(one: Letter) -> dict[str, Any]:
    """Return a letter without its value as a JSON object; headers that are not UTF-8 get U+FFFD."""
    letter = one.letter
    return {
        "partition": one.partition,
        "offset": one.offset,
        "append_ms": one.append_ms,
        "id": letter.id,
        "reason": letter.reason,
        "detail": letter.detail,
        "stream": stream_of(letter),
        "topic": letter.topic,
        "origin_partition": letter.partition,
        "origin_offset": letter.offset,
        "timestamp_ms": letter.timestamp_ms,
        "n_bytes": one.n_bytes,
        "headers": [[name, value.decode(errors="replace")] for name, value in letter.headers],
        "cut": list(letter.cut),
        "set_id": letter.set_id,
        "retries": n_retries(letter),
        "why_not_retried": why_not(letter),
    }


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield what a plan will send, and what it leaves out and why."""
    by_reason = Counter(planned.reason for planned in plan.to_send)
    reasons = ", ".join(f"{n} {plain(reason)}" for reason, n in by_reason.most_common(MAX_ROWS))
    yield f"{len(plan.to_send)} dead letters to send again" + (f": {reasons}" if reasons else "")
    if n_failed_again := sum(planned.n_retries > 0 for planned in plan.to_send):
        most = max(planned.n_retries for planned in plan.to_send)
        yield f"{n_failed_again} of them are retries that failed again, up to {most} times"
    if plan.before:
        shown = ", ".join(f"{planned.partition} {planned.offset}" for planned in plan.before[: MAX_ROWS // 2])
        more = ", …" if len(plan.before) > MAX_ROWS // 2 else ""
        yield f"{len(plan.before)} were sent again before and are left out, --again sends them too: {shown}{more}"
    for why, n in plan.cannot.most_common():
        yield f"{n} cannot be sent again: {plain(why)}"
    if plan.n_repeats:
        yield f"{plan.n_repeats} repeats of these letters are left out"


def plan_dict(plan: Plan, sent: SentRetries, *, dry_run: bool) -> dict[str, Any]:
    """Return the result of a plan as a JSON object."""
    return {
        "sent": sent.n_sent,
        "failed": [{"id": planned.id, "error": error} for planned, error in sent.failed],
        "would_send": [planned.id for planned in plan.to_send] if dry_run else [],
        "retried_before": [planned.id for planned in plan.before],
        "cannot": dict(plan.cannot),
        "repeats": plan.n_repeats,
    }


def tally_dict(tally: LetterCounts, n_unreadable: int) -> dict[str, Any]:
    """Return the counts and the newest letters as a JSON object."""
    return {
        "n_letters": tally.counts.total(),
        "n_repeats": tally.n_repeats,
        "n_unreadable": n_unreadable,
        "counts": [{"reason": reason, "stream": stream, "n": n} for (reason, stream), n in tally.counts.most_common()],
        "newest": [as_dict(one) for one in tally.newest],
    }
