"""What the report counts: pure functions from a manifest to small tables.

"Before" is the base source's own photos; "after" is the whole manifest. Every share is of its own total, 0..1,
and a missing value is counted under `UNKNOWN` instead of being left out, so that rows always add up to the total.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from datasets.labels import AXES, GENDERS, LABEL_FROM, MASK_STATES, N_LABELS, decode_label, label_name

UNKNOWN = "unknown"
COVERED = ("nose_covered", "mouth_covered", "chin_covered")


def is_variant(frame: pd.DataFrame) -> pd.Series[bool]:
    """True for each row that was synthesised from another photo."""
    return frame["parent_id"].notna()


def is_base(frame: pd.DataFrame, base_source: str) -> pd.Series[bool]:
    """True for each photo the team had before: the base source's own, without variants made of them."""
    return frame["source"].eq(base_source).fillna(False).astype(bool) & ~is_variant(frame)


def _known(column: pd.Series[str], values: Sequence[str]) -> pd.Series[str]:
    """The column with everything outside `values` (missing included) as `UNKNOWN`."""
    return column.astype(object).where(column.isin(list(values)), UNKNOWN)


def _tally(column: pd.Series[str], values: Sequence[str]) -> pd.Series[int]:
    return _known(column, values).value_counts().reindex([*values, UNKNOWN], fill_value=0)


def _shares(counts: pd.Series[int]) -> pd.Series[float]:
    """Each count over their sum; all zeros where there is nothing to count."""
    total = int(counts.sum())
    return counts / total if total else counts.astype(float)


def _growth(before: pd.Series[int], after: pd.Series[int]) -> pd.Series[float]:
    """How many times `before` fits in `after`; NaN where there was nothing before."""
    return after / before.where(before > 0).astype(float)


def class_counts(frame: pd.DataFrame, base_source: str) -> pd.DataFrame:
    """The 18 classes before and after.

    Returns:
        Index `label` 0..17; columns `name`, `mask`, `gender`, `age_group`, `before`, `after` (photos),
        `before_share`, `after_share` (0..1, of the labelled photos), `growth` (times; NaN where before is 0) and
        `rarest` (True for the classes with the fewest photos before).
    """
    labels = range(N_LABELS)
    parts = [decode_label(label) for label in labels]
    table = pd.DataFrame(parts, columns=["mask", "gender", "age_group"], index=pd.Index(labels, name="label"))
    table.insert(0, "name", [label_name(label) for label in labels])
    for column, rows in (("before", frame[is_base(frame, base_source)]), ("after", frame)):
        table[column] = rows["label"].value_counts().reindex(labels, fill_value=0).astype(int)
        table[f"{column}_share"] = _shares(table[column])
    table["growth"] = _growth(table["before"], table["after"])
    table["rarest"] = table["before"].eq(table["before"].min())
    return table


def imbalance(counts: pd.Series[int]) -> float | None:
    """The largest class over the smallest; None where a class is empty."""
    return float(counts.max() / counts.min()) if len(counts) and counts.min() > 0 else None


def axis_counts(frame: pd.DataFrame, base_source: str) -> pd.DataFrame:
    """Mask state, gender and age group, each before and after.

    Returns:
        Index (`axis`, `value`), `UNKNOWN` last in each axis; columns `before`, `after`, `before_share`,
        `after_share` (0..1, of all photos) and `growth`.
    """
    base = frame[is_base(frame, base_source)]
    tables = []
    for axis, values in AXES.items():
        table = pd.DataFrame({"before": _tally(base[axis], values), "after": _tally(frame[axis], values)})
        table["before_share"], table["after_share"] = _shares(table["before"]), _shares(table["after"])
        table["growth"] = _growth(table["before"], table["after"])
        table.index = pd.MultiIndex.from_product([[axis], table.index], names=["axis", "value"])
        tables.append(table)
    return pd.concat(tables)


CROSSINGS = (("mask", "gender"), ("mask", "age_group"), ("gender", "age_group"))


def crossing(frame: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Photos by two of the axes.

    Returns:
        Index the values of `first`, columns those of `second`; `UNKNOWN` last in either, where there is any.
    """
    rows, columns = ([*AXES[axis], UNKNOWN] for axis in (first, second))
    table = (
        pd.crosstab(_known(frame[first], AXES[first]), _known(frame[second], AXES[second]))
        if len(frame)
        else pd.DataFrame()
    )
    table = table.reindex(index=rows, columns=columns, fill_value=0).astype(int)
    unknown = [[UNKNOWN] if not counts.get(UNKNOWN, 0) else [] for counts in (table.sum(axis=1), table.sum())]
    return table.drop(index=unknown[0], columns=unknown[1])


def _base_first(names: Sequence[str], base_source: str) -> list[str]:
    return sorted(names, key=lambda name: (name != base_source, name))


def source_counts(frame: pd.DataFrame, base_source: str) -> pd.DataFrame:
    """What each source brings.

    Returns:
        Index `source`, the base first; columns (`all`, `photos` | `variants` | `persons`) and, for each axis,
        its values and `UNKNOWN`.
    """
    rows = {}
    for source in _base_first(sorted(frame["source"].dropna().unique()), base_source):
        part = frame[frame["source"].eq(source)]
        row = {
            ("all", "photos"): int((~is_variant(part)).sum()),
            ("all", "variants"): int(is_variant(part).sum()),
            ("all", "persons"): int(part["person_id"].nunique()),
        }
        for axis, values in AXES.items():
            row |= {(axis, str(value)): int(count) for value, count in _tally(part[axis], values).items()}
        rows[source] = row
    columns = [("all", name) for name in ("photos", "variants", "persons")]
    columns += [(axis, value) for axis, values in AXES.items() for value in (*values, UNKNOWN)]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=pd.MultiIndex.from_tuples(columns))
    return table.rename_axis(index="source").astype(int)


def age_histogram(frame: pd.DataFrame, step: int = 5, top: int = 100) -> pd.DataFrame:
    """Photos by age and gender.

    Returns:
        Index `age`: the lower edge in years, `step` apart, ages of `top` and over in the last;
        columns male, female, `UNKNOWN`. Photos of unknown age are left out.
    """
    aged = frame[frame["age"].notna()]
    edges = (aged["age"].clip(0, top) // step * step).astype(int)
    table = pd.crosstab(edges, _known(aged["gender"], GENDERS)) if len(aged) else pd.DataFrame()
    index = pd.RangeIndex(0, top + step, step, name="age")
    return table.reindex(index=index, columns=[*GENDERS, UNKNOWN], fill_value=0).astype(int)


def variant_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Variants by mask type (rows, most first) and wear style (columns, most first); `none` where there is no mask."""
    variants = frame[is_variant(frame)]
    kinds, styles = (variants[name].astype(object).fillna("none") for name in ("mask_type", "wear_style"))
    order = [
        list(column.value_counts().sort_index().sort_values(ascending=False, kind="stable").index)
        for column in (kinds, styles)
    ]
    if not len(variants):
        return pd.DataFrame(dtype=int)
    return (
        pd.crosstab(kinds, styles)
        .reindex(index=order[0], columns=order[1])
        .rename_axis(index="mask_type", columns="wear_style")
    )


def coverage(frame: pd.DataFrame) -> pd.DataFrame:
    """What the variants of each wear style really cover.

    Returns:
        One row for each pair of wear style and mask state; columns `wear_style`, `mask`, `variants` and the mean
        measured shares `nose_covered`, `mouth_covered`, `chin_covered` (0..1; NaN where not measured).
    """
    variants = frame[is_variant(frame)]
    keys = pd.DataFrame(
        {
            "wear_style": variants["wear_style"].astype(object).fillna("none"),
            "mask": _known(variants["mask"], MASK_STATES),
        }
    )
    grouped = pd.concat([keys, variants[list(COVERED)].astype(float)], axis=1).groupby(["wear_style", "mask"])
    table = grouped[list(COVERED)].mean()
    table.insert(0, "variants", grouped.size().astype(int))
    return table.sort_values("variants", ascending=False, kind="stable").reset_index()


def provenance(frame: pd.DataFrame) -> pd.DataFrame:
    """Where the labels come from: index mask, gender, age; columns given, corrected, pseudo, synthetic, `UNKNOWN`."""
    rows = {name: _tally(frame[f"{name}_from"], LABEL_FROM) for name in ("mask", "gender", "age")}
    return pd.DataFrame(rows).T.rename_axis("label").astype(int)


def pseudo_confidences(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Histogram of the confidence of pseudo-labelled genders.

    Returns:
        Edges (n + 1,) float64 in 0..1, from 0.5 where no confidence is lower, and counts (n,) int64.
    """
    values = frame.loc[frame["gender_from"].eq("pseudo").fillna(False).astype(bool), "gender_confidence"].dropna()
    low = 0.5 if not len(values) or values.min() >= 0.5 else 0.0
    edges = np.linspace(low, 1.0, 26)
    return edges, np.histogram(values.to_numpy(float), bins=edges)[0]
