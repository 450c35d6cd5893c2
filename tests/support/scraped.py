"""What a worker's /metrics said, taken apart by Prometheus' own parser."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


class Scraped:
    """One answer of /metrics. Names are given without `syncline_`."""

    def __init__(self, text: str) -> None:
        self.families: dict[str, Metric] = {family.name: family for family in text_string_to_metric_families(text)}

    def samples(self, name: str) -> Iterator[Sample]:
        """All samples of this very name, as `records_total` or `batch_size_count`."""
        for family in self.families.values():
            for sample in family.samples:
                if sample.name in (name, "syncline_" + name):
                    yield sample

    def value(self, name: str, **labels: str) -> float:
        """The one sample with these labels; fails where there is none."""
        (found,) = [sample.value for sample in self.samples(name) if sample.labels == labels]
        return found

    def sum(self, name: str, **labels: str) -> float:
        """The sum over all samples that have these labels and perhaps more; 0 where there are none."""
        return sum(s.value for s in self.samples(name) if labels.items() <= s.labels.items())

    @property
    def n_unexplained(self) -> float:
        """Records taken, less those let go and those held: 0 at every moment."""
        return self.sum("records_total") - self.sum("record_outcomes_total") - self.sum("held_records")
