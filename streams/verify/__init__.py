"""The history checker: reads back what a deployment did, and judges whether it kept its promise.

    history = await read_history("localhost:9092", topic_prefix="syncline.", group="syncline")
    report = check(history, settings.join)
    print(report.table())

What is judged, and how: docs/guarantees.md. `syncline verify` is its command.
"""

from streams.verify.check import check
from streams.verify.history import CommitSample, History, PartitionHistory
from streams.verify.reading import read_history, watch_commits
from streams.verify.report import KINDS, Report, Violation
from streams.verify.show import show
from streams.verify.shrink import smallest
from syncline.topic_reader import Span

__all__ = [
    "KINDS",
    "CommitSample",
    "History",
    "PartitionHistory",
    "Report",
    "Span",
    "Violation",
    "check",
    "read_history",
    "show",
    "smallest",
    "watch_commits",
]
