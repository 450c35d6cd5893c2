"""What `syncline search` found, as lines for people or as JSON."""

from __future__ import annotations

import msgspec

from syncline.cli.result_lines import MAX_LABELS, clock, printable
from syncline.index.store import Hit
from syncline.timestamps import format_time


def json_line(hit: Hit) -> str:
    """One JSON object: the score and all that the index holds of the result."""
    found = {"score": round(hit.score, 6)} | msgspec.to_builtins(hit.row)
    return msgspec.json.encode(found).decode()


def human_lines(hit: Hit) -> list[str]:
    """Score, time, stream and labels; below it where each member's record is."""
    row = hit.row
    labels = ", ".join(f"{label} {score:.2f}" for label, score in row.labels[:MAX_LABELS])
    lines = [f"{hit.score:5.2f}  {format_time(row.start_ms)}  {row.stream}  {row.outcome}  {labels}".rstrip()]
    width = max((len(member.lane) for member in row.members), default=0)
    for member in row.members:
        place = f"{member.topic} {member.partition} {member.offset}"
        lines.append(f"       {clock(member.time_ms)}  {member.lane:<{width}}  {place}  {member.source}")
    return [printable(line) for line in lines]
