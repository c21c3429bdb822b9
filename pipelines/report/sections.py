"""The sections of the report: each takes the manifest and gives what the template sets in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from datasets.wording import counted
from pipelines.report import charts, counts, pairs, strips, tables, tallies
from pipelines.report.counts import CROSSINGS, UNKNOWN
from pipelines.report.sheets import contact_sheets, photo_of, refused_pictures
from pipelines.report.text import NOTHING, number, share, times, visible

AGE_TICKS = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
AGE_STEP = 5  # years; 30 and 60, where the age groups part, are edges
PICTURED_REFUSALS = 120  # in all; keeps the page small where stages and reasons are many
NAMED_REFUSALS = 4  # of each stage and reason
CAPTION = 17  # characters that fit below a tile, the end among them: it tells files apart

Context = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A headline figure with a line of explanation."""

    name: str
    value: str
    note: str


def lead(frame: pd.DataFrame, base_source: str) -> str:
    """One sentence on what this is about."""
    sources = frame["source"].nunique()
    return (
        f"{counted(len(frame), 'photo')} of {counted(frame['person_id'].nunique(), 'person')} from "
        f"{counted(sources, 'source')}. Before: the photos of {visible(base_source)}. After: all of the manifest."
    )


def figures(frame: pd.DataFrame, refusals: pd.DataFrame, base_source: str) -> list[Figure]:
    """The headline figures."""
    classes = counts.class_counts(frame, base_source)
    base, made = counts.is_base(frame, base_source), counts.is_variant(frame)
    persons = frame["person_id"].nunique()
    before_persons = frame.loc[base, "person_id"].nunique()
    growth = len(frame) / int(base.sum()) if base.any() else None
    return [
        Figure("Photos, variants included", number(len(frame)), f"{number(int(base.sum()))} before, {times(growth)}"),
        Figure("Persons", number(persons), f"{number(before_persons)} before"),
        Figure("Variants", number(int(made.sum())), f"{share(made.mean() if len(frame) else None)} of all photos"),
        _rarest(classes),
        _imbalance(classes),
        Figure(
            "Refusals",
            number(len(refusals)),
            f"{counted(refusals['reason'].nunique(), 'reason')}, listed below"
            if len(refusals)
            else "nothing was refused",
        ),
    ]


def _rarest(classes: pd.DataFrame) -> Figure:
    rarest = classes[classes["rarest"]].sort_values("after", kind="stable").iloc[0]
    if not rarest["before"]:
        before, after = (int(classes[name].eq(0).sum()) for name in ("before", "after"))
        return Figure("Classes without a photo", number(after), f"{number(before)} before")
    return Figure(
        "Growth of the rarest class",
        times(rarest["growth"]),
        f"{rarest['name']}: {number(rarest['before'])} → {number(rarest['after'])}",
    )


def _imbalance(classes: pd.DataFrame) -> Figure:
    before, after = (counts.imbalance(classes[name]) for name in ("before", "after"))
    name = "Largest class to smallest"
    if after is None:
        return Figure(name, NOTHING, "some classes are empty")
    return Figure(name, f"{after:,.1f} : 1", f"{before:,.1f} : 1 before" if before else "some were empty before")


def warnings(frame: pd.DataFrame, base_source: str) -> list[str]:
    """What a reader must know before trusting the figures."""
    found = []
    unlabelled = int(frame["label"].isna().sum())
    if unlabelled:
        found.append(
            f"In none of the 18 classes, for want of a mask state, a gender or an age group: {number(unlabelled)} of "
            f"{counted(len(frame), 'photo')}."
        )
    if not counts.is_base(frame, base_source).any():
        found.append(f"The manifest holds no photos of {visible(base_source)}, so all figures of before are 0.")
    split = tallies.split_persons(frame)
    if split:
        found.append(f"Persons in more than one fold: {number(split)}. Scores of these folds can't be trusted.")
    return found


def classes(frame: pd.DataFrame, base_source: str) -> Context:
    """The 18 classes before and after."""
    table = counts.class_counts(frame, base_source)
    rarest, fewest = table[table["rarest"]], table.sort_values("after", kind="stable").iloc[0]
    names = f"{rarest['name'].iloc[0]}" if len(rarest) == 1 else f"{len(rarest)} classes, each"
    text = (
        f"Fewest photos before: {names} with {number(rarest['before'].iloc[0])}. Fewest after: "
        f"{fewest['name']} with {number(fewest['after'])}. "
        "Shares are of the photos that have a class."
    )
    drawing = charts.bars(
        "classes",
        "Photos by class, before and after",
        list(table["name"]),
        {"before": list(table["before"]), "after": list(table["after"])},
    )
    return {"text": text, "table": tables.class_table(table), "chart": drawing}


def sources(frame: pd.DataFrame, base_source: str) -> Context:
    """What each source brings, and the three axes before and after."""
    axes = counts.axis_counts(frame, base_source)
    known = axes[(axes.index.get_level_values("value") != UNKNOWN) | axes["after"].gt(0)]
    labels = [
        f"{tables.AXIS_NAMES[axis].lower()} {UNKNOWN}" if value == UNKNOWN else value for axis, value in known.index
    ]
    drawing = charts.bars(
        "axes",
        "Share of mask states, genders and age groups, before and after",
        labels,
        {"before": list(known["before_share"]), "after": list(known["after_share"])},
        percent=True,
    )
    by_source = counts.source_counts(frame, base_source)
    return {
        "table": tables.source_table(by_source),
        "axes": tables.axis_table(axes),
        "strips": strips.strips(by_source),
        "keys": strips.keys(by_source),
        "chart": drawing,
    }


def crossings(frame: pd.DataFrame, base_source: str) -> list[tuple[tables.Table, tables.Table]]:
    """Each pair of mask state, gender and age group, before and after."""
    base = frame[counts.is_base(frame, base_source)]
    found = []
    for first, second in CROSSINGS:
        names = tables.AXIS_NAMES[first], tables.AXIS_NAMES[second].lower()
        before, after = (
            tables.cross_table(counts.crossing(part, first, second), f"{' by '.join(names)}, {when}", names[0])
            for part, when in ((base, "before"), (frame, "after"))
        )
        found.append((before, after))
    return found


def ages(frame: pd.DataFrame, base_source: str) -> Context:
    """Ages by gender, before and after."""
    base = frame[counts.is_base(frame, base_source)]
    context: Context = {
        "text": f"Bins of {AGE_STEP} years. Without an age in years: "
        f"{number(int(base['age'].isna().sum()))} before, "
        f"{number(int(frame['age'].isna().sum()))} after."
    }
    for name, part in (("before", base), ("after", frame)):
        table = counts.age_histogram(part, AGE_STEP)
        series = {column: list(table[column]) for column in table.columns if column != UNKNOWN or table[column].any()}
        context[name] = table.any(axis=None) and charts.stacked_columns(
            f"ages-{name}",
            f"Photos by age and gender, {name}",
            [*table.index, table.index[-1] + AGE_STEP],
            series,
            label="age in years",
            ticks=AGE_TICKS,
        )
    return context


def variants(frame: pd.DataFrame) -> Context | None:
    """Mask types, wear styles and what they cover; None without variants."""
    cross = counts.variant_counts(frame)
    if cross.empty:
        return None
    kinds, styles = cross.sum(axis=1), cross.sum()
    return {
        "text": f"{counted(int(cross.to_numpy().sum()), 'variant')} of "
        f"{counted(frame['parent_id'].nunique(), 'photo')}. “none” is a photo that went through the same steps "
        "without a mask. Coverage is measured on the finished picture, and a style that it contradicts is refused.",
        "types": charts.bars("mask-types", "Variants by mask type", list(kinds.index), {"variants": list(kinds)}),
        "styles": charts.bars("wear-styles", "Variants by wear style", list(styles.index), {"variants": list(styles)}),
        "cross": tables.cross_table(cross, "Variants by mask type and wear style", "Mask type"),
        "coverage": tables.coverage_table(counts.coverage(frame)),
    }


def labels(frame: pd.DataFrame) -> Context:
    """Where labels come from, and how sure the pseudo-labels are."""
    edges, heights = counts.pseudo_confidences(frame)
    total = int(heights.sum())
    drawing = (
        charts.stacked_columns(
            "confidence",
            "Confidence of pseudo-labelled genders",
            list(edges),
            {"photos": list(heights)},
            label="confidence",
            ticks=[round(float(edge), 2) for edge in edges[::5]],
        )
        if total
        else None
    )
    return {
        "table": tables.provenance_table(counts.provenance(frame)),
        "chart": drawing,
        "text": f"{counted(total, 'photo')} with a pseudo-labelled gender, variants counted as their photo is."
        if total
        else "No pseudo-labelled genders.",
    }


def folds(frame: pd.DataFrame) -> Context | None:
    """The folds and their balance; None where none have been made."""
    table = tallies.fold_counts(frame)
    if table.empty:
        return None
    split = tallies.split_persons(frame)
    sound = f"Persons in more than one fold: {number(split)}." if split else "No person stands in two folds."
    return {
        "text": f"{sound} Shares are of all photos of the fold.",
        "table": tables.fold_table(table),
        "classes": tables.fold_class_table(tallies.fold_classes(frame)),
    }


def photos(frame: pd.DataFrame, root: Path, base_source: str) -> Context:
    """A contact sheet for each class."""
    return {
        "text": f"Up to 12 of each class, photos of {visible(base_source)} first, then the others, chosen for "
        "variety by a fixed rule. Captions give the source, and of a variant its wear style and mask type.",
        "sheets": contact_sheets(frame, root, base_source),
    }


def refusals(table: pd.DataFrame, root: Path, places: Mapping[str, Path]) -> Context:
    """What was refused, by stage and reason; what was refused as a duplicate is pictured in the section on those."""
    grouped = tallies.refusal_counts(table)
    left = PICTURED_REFUSALS
    rows = []
    for row in grouped.to_dict("records"):
        shown = [] if pairs.is_double(row["stage"], row["reason"]) else row["examples"]
        one_each = {photo_of(photo_id): photo_id for photo_id in reversed(shown)}
        pictures = refused_pictures(root, list(reversed(one_each.values()))[:left], places)
        left -= len(pictures)
        rows.append(
            {
                "stage": visible(row["stage"]),
                "reason": visible(row["reason"]),
                "count": number(row["count"]),
                "examples": [visible(photo_id, 120) for photo_id in row["examples"][:NAMED_REFUSALS]],
                "detail": visible(row["detail"], 200) or NOTHING,
                "pictures": [(photo_id, visible(photo_id, CAPTION), picture) for photo_id, picture in pictures],
            }
        )
    stages = counted(grouped["stage"].nunique(), "stage")
    text = f"{counted(len(table), 'refusal')} in {stages}: photos and variants that are not used, and why."
    return {"rows": rows, "text": text}
