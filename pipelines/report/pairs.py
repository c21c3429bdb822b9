"""Duplicates side by side: the photo that was kept, the one that wasn't, and where their labels contradict."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.report.sheets import SMALL_BOX, Picture, find_picture, thumbnail
from pipelines.report.text import NOTHING, number, visible

CONFLICT = "label_conflict"
DUPLICATE_WORDS = ("duplicate", "same_picture", "same_person")
"""A refusal whose reason is CONFLICT, or holds one of these, is of a photo that is there twice."""

SAME_BYTES = "same bytes as "
"""How the detail of an exact duplicate begins: its picture is that of the other, wherever its own file is."""

LISTED = 200
PICTURED = 24  # pairs; keeps the page small
_END = re.compile(r"\s\(|[;,)]|$")


@dataclass(frozen=True)
class Side:
    """One photo of a pair."""

    photo_id: str
    labels: str
    picture: Picture | None


@dataclass(frozen=True)
class Pair:
    """A photo that was kept and one that wasn't; `contradicts` where their labels do."""

    kept: Side
    dropped: Side
    reason: str
    detail: str
    contradicts: bool


def pairs(refusals: pd.DataFrame, frame: pd.DataFrame, root: Path, places: Mapping[str, Path]) -> dict[str, Any] | None:
    """The section on duplicates; None where there are none.

    Args:
        refusals: those of the merge are looked through for duplicates.
        frame: the merged manifest, which has the photos that were kept.
        root: its folder.
        places: where photos lie that aren't in the manifest, by photo id.
    """
    found = _doubles(refusals)
    if found.empty:
        return None
    conflicts = int(found["reason"].str.contains(CONFLICT).sum())
    kept = frame.set_index("photo_id")
    ids = set(kept.index) | set(found["photo_id"])
    shown = list(_pairs(found.head(LISTED), kept, ids, root, places))
    pictured = [pair for pair in shown if pair.kept.picture or pair.dropped.picture]
    left = len(found) - len(shown)
    text = (
        f"Left out because they are there already: {number(len(found))} photos, {number(conflicts)} of them with "
        "labels that contradict those of the photo that was kept, which is the one with the surer labels."
    )
    return {
        "text": text,
        "pictured": pictured,
        "conflicts": [pair for pair in shown if pair.contradicts],
        "more": f"{number(left)} more are in refusals.csv." if left else "",
    }


def _doubles(refusals: pd.DataFrame) -> pd.DataFrame:
    """Refusals of duplicates: contradictions first, then photos before variants, whose photos say the same."""
    if not len(refusals):
        return pd.DataFrame(columns=["photo_id", "stage", "reason", "detail"])
    reasons = refusals["reason"].astype(str)
    of_merge = refusals["stage"].ne("labels")  # a reader's label_conflict is of rows, not of two photos
    doubles = refusals[of_merge & reasons.str.contains("|".join((CONFLICT, *DUPLICATE_WORDS)))]
    order = {"tame": ~doubles["reason"].str.contains(CONFLICT), "made": doubles["photo_id"].str.contains("#")}
    ordered = doubles.assign(**order).sort_values([*order, "photo_id", "detail"], kind="stable")
    return ordered.drop(columns=list(order))


def _pairs(
    found: pd.DataFrame, kept: pd.DataFrame, ids: Collection[str], root: Path, places: Mapping[str, Path]
) -> Iterator[Pair]:
    left = PICTURED
    for row in found.to_dict("records"):
        dropped, detail = str(row["photo_id"]), str(row["detail"])
        other = other_photo(detail, ids)
        pictures: list[Picture | None] = [None, None]
        if left > 0:
            if other in kept.index:
                pictures[0] = thumbnail(root, str(kept.at[other, "path"]), SMALL_BOX)
            elif other is not None:
                pictures[0] = find_picture(root, other, places)
            same = detail.startswith(SAME_BYTES) and pictures[0] is not None
            pictures[1] = pictures[0] if same else find_picture(root, dropped, places)
            left -= any(pictures)
        labels = _labels(kept.loc[[other]].iloc[0]) if other in kept.index else NOTHING
        yield Pair(
            Side(visible(other or NOTHING, 90), labels, pictures[0]),
            Side(visible(dropped, 90), "", pictures[1]),
            visible(row["reason"]),
            visible(detail, 240),
            CONFLICT in str(row["reason"]),
        )


def other_photo(detail: str, ids: Collection[str]) -> str | None:
    """The photo that a refusal's detail names: the longest of `ids` that begins after a space or at the start.

    Args:
        detail: such as `same bytes as source:path; gender male there, female here`.
        ids: photo ids that are known, a set for speed.
    """
    starts = [0, *(match.end() for match in re.finditer(r"[\s(]", detail))]
    for start in starts:
        ends = [match.start() for match in _END.finditer(detail, start)]
        for end in reversed(ends):
            if detail[start:end].strip() in ids:
                return detail[start:end].strip()
    return None


def _labels(row: pd.Series[Any]) -> str:
    age = row["age_group"] if pd.isna(row["age"]) else f"{row['age']:g} years"
    said = [str(value) for value in (row["mask"], row["gender"], age) if not pd.isna(value)]
    return " · ".join(said) or "no labels"
