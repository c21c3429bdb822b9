"""Charts of how far confidences can be believed, drawn as `pipelines.report.charts` draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from pipelines.report.charts import draw
from pipelines.report.svg import FIRST, INK, QUIET
from pipelines.report.text import number, share

if TYPE_CHECKING:
    from models.confidence import Bin

SIZE = (400, 280)
"""Width and height in CSS pixels."""
MOST_POINTS = 300
"""Of a curve: more can't be told apart at its width, and each takes its place in the page."""


def reliability_chart(name: str, title: str, bins: Sequence[Bin]) -> Markup:
    """How often confidences of each height are right, beside how often they should be; larger dots are of more people.

    Args:
        name: unique on the page.
        title: what a screen reader says.
        bins: at least one, see `models.confidence.reliability`.
    """
    most = max(each.count for each in bins)

    def paint(axes: Any) -> None:
        axes.plot([0.5, 1], [0.5, 1], color=QUIET, linewidth=1, linestyle=(0, (3, 3)))
        places = [each.confidence for each in bins], [each.accuracy for each in bins]
        axes.plot(*places, color=FIRST, linewidth=1.5)
        axes.scatter(*places, s=[12 + 60 * each.count / most for each in bins], color=FIRST, zorder=3)
        for each in bins:
            axes.annotate(
                number(each.count),
                (each.confidence, each.accuracy),
                xytext=(0, -9),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=9.5,
                color=QUIET,
            )
        axes.set_xlim(0.49, 1.015)
        axes.set_ylim(min(0.5, *places[1]) - 0.06, 1.03)
        _share_axes(axes, "confidence", "share right")

    return draw(name, title, SIZE, paint)


def coverage_chart(
    name: str,
    title: str,
    curve: tuple[NDArray[np.float64], NDArray[np.float64]],
    decided: tuple[float, float] | None,
) -> Markup:
    """What share can be decided with what precision, the surest first, and what is decided.

    Args:
        name: unique on the page.
        title: what a screen reader says.
        curve: coverage and precision, (K,) each, see `models.confidence.precision_by_coverage`.
        decided: coverage and precision at the thresholds in use; None where nothing is decided.
    """
    coverage, precision = (values[_thinned(len(values))] for values in curve)

    def paint(axes: Any) -> None:
        axes.plot(coverage, precision, color=FIRST, linewidth=1.5)
        if decided is not None:
            axes.scatter([decided[0]], [decided[1]], s=34, color=INK, zorder=3)
            # The curve falls to the right: there is room above it there, and below it on the other side.
            right = decided[0] > 0.55
            axes.annotate(
                f"{share(decided[0])} decided, {share(decided[1])} right",
                decided,
                xytext=(-8, -8) if right else (8, 5),
                textcoords="offset points",
                ha="right" if right else "left",
                va="top" if right else "bottom",
                fontsize=10,
                color=INK,
            )
        axes.set_xlim(-0.015, 1.015)
        lowest = min(float(precision.min()), decided[1] if decided else 1.0)
        axes.set_ylim(lowest - 0.25 * max(1 - lowest, 0.02), 1 + 0.05 * max(1 - lowest, 0.02))
        _share_axes(axes, "share decided", "share right")

    return draw(name, title, SIZE, paint)


def _thinned(count: int) -> NDArray[np.int64]:
    """Places of at most `MOST_POINTS` of so many points, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(np.int64))


def _share_axes(axes: Any, across: str, up: str) -> None:
    for axis, label in ((axes.xaxis, across), (axes.yaxis, up)):
        axis.grid(True)
        axis.set_major_locator(MaxNLocator(nbins=5))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.10g} %"))
        axis.set_label_text(label)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
