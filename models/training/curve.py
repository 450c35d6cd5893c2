"""The learning curve: loss and validation, point by point, and a picture of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from models.folder import as_json, write_whole
from models.training.display import log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER, PICTURE = "curves", "learning-curve.png"
CURVES = ("loss", "validation")
EXTRA_HINT = "pip install 'syncline[train]'"


class Point(msgspec.Struct, frozen=True):
    """The figures after a step. `values`: name to number; a loss is the mean since the last point."""

    step: int
    taken_s: float
    values: dict[str, float]


class Curve(msgspec.Struct):
    """The points of one phase: losses, and looks at validation."""

    phase: str
    loss: list[Point] = []
    validation: list[Point] = []

    def write(self, out: Path) -> None:
        """Write OUT/curves/PHASE.json."""
        write_whole(out / FOLDER / f"{self.phase}.json", as_json(self))


def read_curves(out: Path) -> list[Curve]:
    """The curves that a run wrote, sorted by phase."""
    return [msgspec.json.decode(path.read_bytes(), type=Curve) for path in sorted((out / FOLDER).glob("*.json"))]


def draw_curves(out: Path) -> None:
    """Draw a run's curves to OUT/learning-curve.png. The log says so, or what is missing."""
    if draw(read_curves(out), out / PICTURE):
        log.info("learning curve: %s", out / PICTURE)
    else:
        log.info("no picture of the learning curve; it needs %s", EXTRA_HINT)


def draw(curves: Sequence[Curve], path: Path) -> bool:
    """Draw a row a phase: loss left, validation right. Returns False without matplotlib, and without curves."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    if not curves:
        return False
    figure = Figure(figsize=(10, 2.6 * len(curves) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(len(curves), 2, squeeze=False)
    for row, curve in zip(axes, curves, strict=True):
        _lines(row[0], f"{curve.phase}: loss", curve.loss)
        _lines(row[1], f"{curve.phase}: validation", curve.validation)
    figure.savefig(path, dpi=110)
    return True


def _lines(axes: Axes, title: str, points: Sequence[Point]) -> None:
    names = list(dict.fromkeys(name for point in points for name in point.values))
    for name in names:
        mine = [point for point in points if name in point.values]
        steps = [point.step for point in mine]
        axes.plot(steps, [point.values[name] for point in mine], marker="." if len(mine) < 40 else "", label=name)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    if len(names) > 3:  # beside the lines: they fill the place
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    elif len(names) > 1:
        axes.legend(fontsize=7, loc="best")
    if not points:
        axes.text(0.5, 0.5, "no points", transform=axes.transAxes, ha="center", va="center", color="grey")


def as_line(values: Mapping[str, float]) -> str:
    """Write figures in one line.

    Example:
        >>> as_line({"image": 0.4123, "text": 0.3})
        'image 0.412 text 0.300'
    """
    return " ".join(f"{name} {value:.3f}" for name, value in values.items())
