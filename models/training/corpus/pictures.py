"""Renders every concept in every style to a PNG with a transparent background."""

from __future__ import annotations

from pathlib import Path

from models.evaluation.protocol import Concept
from models.training.corpus.concepts import StyleIndex, icon_names, open_styles
from models.training.corpus.packages import read_words
from models.training.display import CountedWork
from syncline.errors import MissingExtraError

PICTURE_SIZE = 96
"""Pixels of a side of the corpus' PNG files: larger than any model's input, so that training can crop."""


def render_svg(svg: str, size: int) -> bytes:
    """PNG bytes (size, size) of an SVG document; transparent where nothing is drawn."""
    try:
        import resvg_py  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingExtraError("rendering pictures", "corpus") from None
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True))


def find_svg(packages_dir: Path, style: str, concepts: list[Concept]) -> dict[str, str]:
    """The SVG document of each concept in one style, by concept name."""
    indexes = open_styles(packages_dir)
    names = {record["label"]: icon_names(record, indexes) for record in read_words(packages_dir, "en")}
    return {concept.name: _svg(indexes[style], names[concept.label]) for concept in concepts}


def render_pictures(packages_dir: Path, pictures_dir: Path, concepts: list[Concept], styles: list[str]) -> None:
    """Write `<style>/<concept>.png` for all that are not there yet."""
    indexes = open_styles(packages_dir)
    names = {record["label"]: icon_names(record, indexes) for record in read_words(packages_dir, "en")}
    progress = CountedWork("pictures", len(styles) * len(concepts))
    for style in styles:
        (pictures_dir / style).mkdir(parents=True, exist_ok=True)
        for concept in concepts:
            path = pictures_dir / style / f"{concept.name}.png"
            if not path.exists():
                path.write_bytes(render_svg(_svg(indexes[style], names[concept.label]), PICTURE_SIZE))
            progress.step()


def _svg(index: StyleIndex, names: set[str]) -> str:
    icon_name = index.find(names)
    if icon_name is None:
        raise KeyError(f"no style draws {sorted(names)}: the packages are not those of the splits")
    return index.svg(icon_name)
