"""The history checker: reads back what a deployment did and checks its guarantees.

    history = await read_history("localhost:9092", topic_prefix="syncline.", group="syncline")
    report = check(history, settings.join)
    print(report.table())

docs/guarantees.md says what is checked, and how. Its command is `syncline verify`.
"""

from syncline.kafka.topic_reader import OffsetSpan
from verify.check import check
from verify.history import CommitSample, History, PartitionHistory
from verify.reading import read_history, watch_commits
from verify.report import KINDS, Report, Violation
from verify.shrink import smallest
from verify.wording import show

__all__ = [
    "KINDS",
    "CommitSample",
    "History",
    "OffsetSpan",
    "PartitionHistory",
    "Report",
    "Violation",
    "check",
    "read_history",
    "show",
    "smallest",
    "watch_commits",
]
