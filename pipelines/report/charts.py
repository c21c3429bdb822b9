"""Charts as SVG to be set into a page: transparent, in the page's own colours and type, the same bytes each time.

Matplotlib draws with stand-in colours; the finished drawing is rewritten so that each becomes a CSS variable of the
page. One drawing so serves the light and the dark page, and its text stays text.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipelines.report.svg import FIRST, GRID, INK, QUIET, SECOND, THIRD, render
from pipelines.report.text import number, share, visible

SERIES = (FIRST, SECOND, THIRD)
LONGEST_LABEL = 26  # characters
SETTINGS = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib: text is measured alike on every machine
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.labelsize": 10.5,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
}


def bars(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    width: int = 400,
    percent: bool = False,
) -> Markup:
    """Horizontal bars, one or two to a label, the first label on top.

    Args:
        name: unique on the page; made part of every id in the drawing.
        title: what a screen reader says.
        labels: one for each group of bars; may be empty.
        series: one or two names to values, as long as `labels`; the last stands in the accent.
        width: in CSS pixels.
        percent: the values are shares 0..1, else counts.
    """
    colours = (THIRD, FIRST)[-len(series) :]
    thick = (0.56 if len(series) == 1 else 0.78) / len(series)

    def paint(axes: Any) -> None:
        for index, ((key, values), colour) in enumerate(zip(series.items(), colours, strict=True)):
            places = np.arange(len(labels)) + (index - (len(series) - 1) / 2) * thick
            drawn = axes.barh(places, values, height=thick * 0.9, color=colour, label=visible(key))
            texts = [share(value) if percent else number(value) for value in values]
            axes.bar_label(drawn, texts, padding=3, fontsize=9.5, color=QUIET)
        axes.set_yticks(range(len(labels)), [visible(label, LONGEST_LABEL) for label in labels], color=INK)
        axes.set_ylim(len(labels) - 0.45, -0.55)
        axes.spines["bottom"].set_visible(False)
        axes.set_xlim(0, (max((max(values, default=0) for values in series.values()), default=0) or 1) * 1.18)
        _value_axis(axes.xaxis, percent)
        _legend(axes, len(series))

    return draw(name, title, (width, 52 + len(labels) * (12 * len(series) + 8)), paint)


def stacked_columns(
    name: str,
    title: str,
    edges: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    label: str,
    ticks: Sequence[float],
    size: tuple[int, int] = (440, 250),
) -> Markup:
    """A histogram, up to three series standing on each other.

    Args:
        name: unique on the page.
        title: what a screen reader says.
        edges: (n + 1,) of the bins, rising.
        series: name to (n,) counts, the lowest first.
        label: of the horizontal axis.
        ticks: where the horizontal axis is marked.
        size: width and height in CSS pixels.
    """
    left, widths = np.asarray(edges[:-1], dtype=float), np.diff(np.asarray(edges, dtype=float))

    def paint(axes: Any) -> None:
        floor = np.zeros(len(left))
        for (key, values), colour in zip(series.items(), SERIES, strict=False):
            axes.bar(left, values, widths * 0.86, floor, align="edge", color=colour, label=visible(key))
            floor = floor + np.asarray(values, dtype=float)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, (floor.max(initial=0) or 1) * 1.08)
        axes.set_xticks(list(ticks))
        axes.set_xlabel(label)
        axes.spines["left"].set_visible(False)
        _value_axis(axes.yaxis, percent=False)
        _legend(axes, len(series))

    return draw(name, title, size, paint)


def _value_axis(axis: Any, percent: bool) -> None:
    axis.grid(True)
    axis.set_major_locator(MaxNLocator(nbins=5, integer=not percent))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.0f} %" if percent else number(value)))


def _legend(axes: Any, series: int) -> None:
    if series > 1:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=series,
            borderaxespad=0.2,
            handlelength=0.9,
            handleheight=0.9,
            columnspacing=1.4,
            borderpad=0,
        )


def draw(name: str, title: str, size: tuple[int, int], paint: Callable[[Any], None]) -> Markup:
    """Let `paint` fill one pair of axes, and render it."""
    with rc_context({**SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        # Text is only measured here and drawn by the browser, whose fonts know more scripts than matplotlib's.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72, layout="constrained")
        paint(figure.add_subplot())
        return render(figure, name, title)
