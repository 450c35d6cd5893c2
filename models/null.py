"""The model that is none: for those who only want the join, and for measuring."""

from __future__ import annotations

from collections.abc import Sequence

from models.interface import Fusion, Member, Modality, Model, Prepared

_NOTHING = Prepared(None)


class NullModel(Model):
    """Decodes nothing and answers nothing: sets are joined and published without labels."""

    name, version = "null", "1"

    def prepare(self, modality: Modality, data: bytes, content_type: str, language: str | None) -> Prepared:  # noqa: ARG002
        """Nothing: the bytes are not looked at."""
        return _NOTHING

    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """An empty answer to each set."""
        return [Fusion() for _ in sets]
