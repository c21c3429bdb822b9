"""Counts as tables of text, ready for the template: every number formatted, nothing escaped yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from datasets.labels import AXES, label_name
from pipelines.report.counts import COVERED, UNKNOWN
from pipelines.report.text import number, share, times, visible

AXIS_NAMES = {"mask": "Mask state", "gender": "Gender", "age_group": "Age group", "all": ""}


@dataclass(frozen=True)
class Head:
    """A heading over `span` columns."""

    text: str
    span: int = 1
    numeric: bool = True


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what it says.
        numeric: set to the right, in figures of one width.
        strong: stands out.
        heat: 0..1, how deep the cell is tinted; None for not at all.
    """

    text: str
    numeric: bool = True
    strong: bool = False
    heat: float | None = None


@dataclass(frozen=True)
class Table:
    """A table: `heads` from the top, each row's first cell its own heading, an optional last row of totals."""

    caption: str
    heads: Sequence[Sequence[Head]]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] | None = None


def word(text: object) -> Cell:
    """A cell of text."""
    return Cell(visible(text), numeric=False)


def _heads(first: str, *names: str) -> list[Head]:
    return [Head(first, numeric=False), *(Head(name) for name in names)]


def class_table(counts: pd.DataFrame) -> Table:
    """The 18 classes, from `counts.class_counts`; the rarest stand out."""
    rows = [
        [
            Cell(row["name"], numeric=False, strong=row["rarest"]),
            Cell(number(row["before"])),
            Cell(share(row["before_share"])),
            Cell(number(row["after"])),
            Cell(share(row["after_share"])),
            Cell(times(row["growth"]), strong=row["rarest"] and row["before"] > 0),
        ]
        for row in counts.to_dict("records")
    ]
    before, after = int(counts["before"].sum()), int(counts["after"].sum())
    growth = after / before if before else None
    total = [word("all classes"), Cell(number(before)), Cell(""), Cell(number(after)), Cell(""), Cell(times(growth))]
    top = [Head("", numeric=False), Head("Before", 2), Head("After", 2), Head("")]
    return Table(
        "Photos by class, before and after",
        [top, _heads("Class", "photos", "share", "photos", "share", "growth")],
        rows,
        total,
    )


def axis_table(counts: pd.DataFrame) -> Table:
    """Mask state, gender and age group, from `counts.axis_counts`; a row of unknowns only where there are any."""
    rows = []
    for row in counts.reset_index().to_dict("records"):
        axis, value = row["axis"], row["value"]
        if value == UNKNOWN and not row["before"] and not row["after"]:
            continue
        first = AXIS_NAMES[axis] if value == AXES[axis][0] else ""
        rows.append(
            [
                word(first),
                word(value),
                Cell(number(row["before"])),
                Cell(share(row["before_share"])),
                Cell(number(row["after"])),
                Cell(share(row["after_share"])),
                Cell(times(row["growth"])),
            ]
        )
    top = [Head("", 2, numeric=False), Head("Before", 2), Head("After", 2), Head("")]
    second = [Head("", 2, numeric=False), *(Head(name) for name in ("photos", "share", "photos", "share", "growth"))]
    return Table("Photos by mask state, gender and age group", [top, second], rows)


def source_table(counts: pd.DataFrame) -> Table:
    """The sources, from `counts.source_counts`."""
    shown = counts.loc[:, [column for column in counts.columns if column[1] != UNKNOWN or counts[column].any()]]
    axes = [str(axis) for axis in shown.columns.get_level_values(0)]
    top = [Head("", numeric=False), *(Head(AXIS_NAMES[axis], axes.count(axis)) for axis in dict.fromkeys(axes))]
    rows = [
        [word(source), *(Cell(number(value)) for value in row)]
        for source, row in zip(shown.index, shown.to_numpy(), strict=True)
    ]
    total = [word("all sources"), *(Cell(number(value)) for value in shown.sum())] if len(rows) > 1 else None
    return Table("Photos by source", [top, _heads("Source", *shown.columns.get_level_values(1))], rows, total)


def cross_table(counts: pd.DataFrame, caption: str, first: str) -> Table:
    """Any two-way count, cells tinted by size, with sums at the right and the foot."""
    top = counts.to_numpy().max(initial=0) or 1
    rows = [
        [word(index), *(Cell(number(value), heat=value / top) for value in row), Cell(number(row.sum()))]
        for index, row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    sums = counts.sum()
    total = [word("all"), *(Cell(number(value)) for value in sums), Cell(number(sums.sum()))]
    return Table(caption, [_heads(first, *(visible(column) for column in counts.columns), "all")], rows, total)


def coverage_table(means: pd.DataFrame) -> Table:
    """What each wear style covers, from `counts.coverage`."""
    rows = [
        [
            word(row["wear_style"]),
            word(row["mask"]),
            Cell(number(row["variants"])),
            *(Cell(share(row[name]), heat=None if pd.isna(row[name]) else float(row[name])) for name in COVERED),
        ]
        for _, row in means.iterrows()
    ]
    head = [
        Head("Wear style", numeric=False),
        Head("mask state", numeric=False),
        Head("variants"),
        Head("nose covered"),
        Head("mouth covered"),
        Head("chin covered"),
    ]
    return Table("What the masks cover, measured, on average", [head], rows)


def provenance_table(counts: pd.DataFrame) -> Table:
    """Where labels come from, from `counts.provenance`."""
    rows = [
        [word(name), *(Cell(number(value)) for value in row)]
        for name, row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    return Table("Photos by where each label comes from", [_heads("Label", *counts.columns)], rows)


def fold_table(counts: pd.DataFrame) -> Table:
    """The folds, from `tallies.fold_counts`."""
    figures = ("photos", "variants", "persons", "classes", "smallest")
    shares = [value for values in AXES.values() for value in values]
    rows = [
        [word(fold), *(Cell(number(row[name])) for name in figures), *(Cell(share(row[name])) for name in shares)]
        for fold, row in counts.iterrows()
    ]
    top = [
        Head("", numeric=False),
        Head("", 3),
        Head("Of the 18 classes", 2),
        *(Head(AXIS_NAMES[axis], len(values)) for axis, values in AXES.items()),
    ]
    second = _heads("Fold", "photos", "variants", "persons", "present", "smallest", *shares)
    return Table("Folds and their balance", [top, second], rows)


def fold_class_table(counts: pd.DataFrame) -> Table:
    """Classes by fold, from `tallies.fold_classes`; a class that a fold lacks stands out."""
    rows = [
        [word(label_name(int(str(label)))), *(Cell(number(value), strong=value == 0) for value in row)]
        for label, row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    return Table("Photos by class and fold", [_heads("Class", *(f"fold {fold}" for fold in counts.columns))], rows)
