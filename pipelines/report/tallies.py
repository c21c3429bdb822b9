"""What the report counts of folds, refusals and licences."""

from __future__ import annotations

import pandas as pd

from datasets.labels import AXES, N_LABELS
from datasets.schema import REFUSAL_COLUMNS
from pipelines.report.counts import is_variant

EXCLUDED_COLUMNS = ("source", "licence", "kind", "rows", "why")
UNSTATED = "not stated"


def fold_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """The folds, each a row.

    Returns:
        Index `fold`; columns `photos` (real), `variants`, `persons`, `classes` (of the 18, how many occur),
        `smallest` (photos of its rarest class, empty ones included) and the share 0..1 of each mask state, gender
        and age group among its rows.
    """
    rows = {}
    for fold in sorted(int(number) for number in frame["fold"].dropna().unique()):
        part = frame[frame["fold"].eq(fold)]
        classes = part["label"].value_counts().reindex(range(N_LABELS), fill_value=0)
        row: dict[str, float] = {
            "photos": int((~is_variant(part)).sum()),
            "variants": int(is_variant(part).sum()),
            "persons": int(part["person_id"].nunique()),
            "classes": int((classes > 0).sum()),
            "smallest": int(classes.min()),
        }
        for axis, values in AXES.items():
            row |= {value: float(part[axis].eq(value).sum() / len(part)) for value in values}
        rows[fold] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("fold")


def fold_classes(frame: pd.DataFrame) -> pd.DataFrame:
    """Photos by class (index 0..17) and fold (columns)."""
    placed = frame[frame["fold"].notna() & frame["label"].notna()]
    table = pd.crosstab(placed["label"].astype(int), placed["fold"].astype(int))
    folds = sorted(int(fold) for fold in frame["fold"].dropna().unique())
    return table.reindex(index=range(N_LABELS), columns=folds, fill_value=0).astype(int)


def split_persons(frame: pd.DataFrame) -> int:
    """Persons who stand in more than one fold: 0 in a sound merge."""
    return int((frame.dropna(subset=["person_id", "fold"]).groupby("person_id")["fold"].nunique() > 1).sum())


def refusal_counts(refusals: pd.DataFrame, examples: int = 12) -> pd.DataFrame:
    """Refusals by stage and reason.

    Returns:
        Columns `stage`, `reason`, `count`, `detail` (of the first example) and `examples` (a list of photo ids, in
        order); stages in alphabetical order, the most frequent reason first.
    """
    table = refusals.reindex(columns=list(REFUSAL_COLUMNS)).astype(object)
    table = table.where(table.notna(), "").astype(str).sort_values(list(REFUSAL_COLUMNS), kind="stable")
    rows = [
        {
            "stage": stage,
            "reason": reason,
            "count": len(part),
            "detail": next(iter(part["detail"])),
            "examples": list(part["photo_id"].drop_duplicates()[:examples]),
        }
        for (stage, reason), part in table.groupby(["stage", "reason"])
    ]
    rows.sort(key=lambda row: (row["stage"], -row["count"], row["reason"]))
    return pd.DataFrame(rows, columns=["stage", "reason", "count", "detail", "examples"])


def licence_counts(merged: pd.DataFrame, excluded: pd.DataFrame | None) -> pd.DataFrame:
    """What each licence brought and what was left out for it.

    Returns:
        One row for each (source, licence) seen; columns `source`, `licence`, `kept`, `excluded` (rows) and
        `why` (of the exclusion; empty where all was kept).
    """
    keys = ["source", "licence"]
    left_out = (pd.DataFrame() if excluded is None else excluded).reindex(columns=list(EXCLUDED_COLUMNS))
    kept = _named(merged[keys]).groupby(keys).size().rename("kept")
    numbers = _named(left_out[keys]).assign(excluded=left_out["rows"].fillna(0).astype(int), why=left_out["why"])
    gone = numbers.groupby(keys).agg(excluded=("excluded", "sum"), why=("why", "first"))
    table = pd.concat([kept, gone], axis=1).sort_index().reset_index()
    table[["kept", "excluded"]] = table[["kept", "excluded"]].fillna(0).astype(int)
    return table.assign(why=table["why"].astype(object).where(table["why"].notna(), ""))[
        [*keys, "kept", "excluded", "why"]
    ]


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(object).where(frame.notna(), UNSTATED).astype(str)
