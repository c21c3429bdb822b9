"""Source by source: how each one's photos divide among mask states, genders and age groups, as strips of a width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from datasets.labels import AXES
from pipelines.report.counts import UNKNOWN
from pipelines.report.tables import AXIS_NAMES
from pipelines.report.text import number, share, visible


@dataclass(frozen=True)
class Part:
    """A part of a strip: which of the colours it has, and its share 0..1."""

    colour: int
    share: float
    said: str


@dataclass(frozen=True)
class Strip:
    """One axis of one source; `said` is the strip in words."""

    axis: str
    parts: Sequence[Part]
    said: str


@dataclass(frozen=True)
class SourceStrips:
    """One source: how many rows it has, and a strip for each axis."""

    source: str
    rows: str
    strips: Sequence[Strip]


def keys(counts: pd.DataFrame) -> list[tuple[str, tuple[str, ...]]]:
    """The axes with their values, in the order of their colours; `UNKNOWN` only where there is any."""
    unknown = {axis: (UNKNOWN,) if counts[axis, UNKNOWN].any() else () for axis in AXES}
    return [(AXIS_NAMES[axis], (*values, *unknown[axis])) for axis, values in AXES.items()]


def strips(counts: pd.DataFrame) -> list[SourceStrips]:
    """The strips of every source, from `counts.source_counts`; of one source alone none, as the charts show it."""
    if len(counts) < 2:
        return []
    return [
        SourceStrips(
            visible(source),
            number(row["all", "photos"] + row["all", "variants"]),
            [_strip(axis, row) for axis in AXES],
        )
        for source, row in counts.iterrows()
    ]


def _whole(text: str) -> str:
    """The text without places to break its line at."""
    return text.replace(" ", "\u00a0")


def _strip(axis: str, row: pd.Series[int]) -> Strip:
    values = [*AXES[axis], UNKNOWN]
    total = sum(int(row[axis, value]) for value in values) or 1
    shares = {value: int(row[axis, value]) / total for value in values}
    parts = [
        Part(index, part, _whole(f"{value} {share(part)}"))
        for index, (value, part) in enumerate(shares.items())
        if part
    ]
    return Strip(AXIS_NAMES[axis], parts, ", ".join(part.said for part in parts))
