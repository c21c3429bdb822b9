"""Duplicates side by side: the photo that was left out, the one it doubles, what became of that, and what differs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from datasets.settling import SAME_BYTES, TORN
from datasets.wording import counted
from pipelines.report.sheets import SMALL_BOX, Picture, find_picture, photo_of, thumbnail
from pipelines.report.text import NOTHING, number, visible

CONFLICT = "label_conflict"
DUPLICATE = "duplicate"
"""A refusal whose reason is CONFLICT, or holds this, is of a photo that is there twice."""

KEPT, AS_VARIANTS, LEFT_OUT, UNKNOWN = "kept", "kept as variants", "left out too", "not known"
"""What became of the other photo of a pair."""

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
    """A photo that was left out, and the one it doubles, with what became of that; `contradicts`: their labels do."""

    other: Side
    standing: str
    dropped: Side
    reason: str
    detail: str
    contradicts: bool


def is_double(stage: str, reason: str) -> bool:
    """Says whether a refusal is of a photo that is there twice; a reader's label_conflict is of rows, not of photos."""
    return stage != "labels" and (CONFLICT in reason or DUPLICATE in reason)


def pairs(refusals: pd.DataFrame, frame: pd.DataFrame, root: Path, places: Mapping[str, Path]) -> dict[str, Any] | None:
    """The section on duplicates; None where there are none.

    Args:
        refusals: those of the merge are looked through for duplicates.
        frame: the merged manifest, which has the photos that were kept.
        root: its folder.
        places: where photos lie that aren't in the manifest, by photo id.
    """
    doubles = _doubles(refusals)
    if doubles.empty:
        return None
    found = _each_pair_once(doubles)
    others = _Others(frame, found, frozenset(refusals["photo_id"]))
    rows = found.to_dict("records")
    ends = [others.of(str(row["detail"])) for row in rows]
    shown = _pairs(rows[:LISTED], ends, frame.set_index("photo_id"), root, places)
    left = len(found) - len(shown)
    return {
        "text": _text(found, [standing for _, standing in ends]),
        "pictured": [pair for pair in shown if pair.other.picture or pair.dropped.picture],
        "conflicts": [pair for pair in shown if pair.contradicts],
        "more": f"{number(left)} more are in refusals.csv." if left else "",
    }


def _text(found: pd.DataFrame, standings: list[str]) -> str:
    conflicts = int(found["reason"].str.contains(CONFLICT).sum())
    were = counted(len(found), "photo was left out because it", "photos were left out because each")
    contradict = f", and in {counted(conflicts, 'pair')} the labels contradict each other" if conflicts else ""
    return f"{were} shows what another photo shows{contradict}. {_became(Counter(standings))}"


def _became(standings: Counter[str]) -> str:
    """What became of the other photos, the better labelled ones of their pairs."""
    if set(standings) == {KEPT}:
        return "What was kept is the better labelled photo."
    if set(standings) == {LEFT_OUT}:
        return "What it shows was left out altogether: no photo of it was kept."
    told = [f"{number(standings[each])} {each}" for each in (KEPT, AS_VARIANTS, LEFT_OUT, UNKNOWN) if standings[each]]
    return f"What became of the better labelled photos: {', '.join(told)}."


def _doubles(refusals: pd.DataFrame) -> pd.DataFrame:
    """Refusals of duplicates: contradictions first, then photos before variants, whose photos say the same."""
    if not len(refusals):
        return pd.DataFrame(columns=["photo_id", "stage", "reason", "detail"])
    kinds = zip(refusals["stage"].astype(str).tolist(), refusals["reason"].astype(str).tolist(), strict=True)
    doubles = refusals[[is_double(stage, reason) for stage, reason in kinds]]
    order = {
        "tame": ~doubles["reason"].str.contains(CONFLICT),
        "made": doubles["photo_id"].map(photo_of).ne(doubles["photo_id"]),
    }
    ordered = doubles.assign(**order).sort_values([*order, "photo_id", "detail"], kind="stable")
    return ordered.drop(columns=list(order))


def _each_pair_once(doubles: pd.DataFrame) -> pd.DataFrame:
    """Less the refusals of photos that others are refused as doubles of, dropped since their labels differ."""
    torn = doubles["detail"].astype(str).str.startswith(TORN)
    ids = frozenset(doubles["photo_id"])
    clash = doubles["reason"].str.contains(CONFLICT)
    named = {other_photo(str(detail), ids) for detail in doubles.loc[~torn & clash, "detail"]}
    return doubles[~(torn & doubles["photo_id"].isin(named))]


class _Others:
    """Which photo a refused one doubles, and what became of that."""

    def __init__(self, frame: pd.DataFrame, found: pd.DataFrame, refused: frozenset[str]) -> None:
        self._kept = frozenset(frame["photo_id"])
        self._parents = frozenset(frame["parent_id"].dropna())
        self._details = dict(zip(found["photo_id"].astype(str), found["detail"].astype(str), strict=True))
        self._ids = self._kept | self._parents | refused

    def of(self, detail: str) -> tuple[str | None, str]:
        """The id of the photo that a refusal's detail names, None where it names none, and that photo's standing.

        One that was itself left out for the sake of a third gives way to that third, which stands for all of them.
        """
        named = at = other_photo(detail, self._ids)
        seen: set[str] = set()
        while at is not None and at not in seen:
            if at in self._kept:
                return at, KEPT
            if at in self._parents:
                return at, AS_VARIANTS
            seen.add(at)
            at = other_photo(self._details.get(at, ""), self._ids)
        return named, UNKNOWN if named is None else LEFT_OUT


def _pairs(
    rows: list[dict[Any, Any]],
    ends: list[tuple[str | None, str]],
    kept: pd.DataFrame,
    root: Path,
    places: Mapping[str, Path],
) -> list[Pair]:
    left, found = PICTURED, []
    for row, (other, standing) in zip(rows, ends, strict=False):
        dropped, detail = str(row["photo_id"]), str(row["detail"])
        pictures: list[Picture | None] = [None, None]
        if left > 0:
            if standing == KEPT:
                pictures[0] = thumbnail(root, str(kept.at[other, "path"]), SMALL_BOX)
            elif other is not None:
                pictures[0] = find_picture(root, other, places)
            same = detail.startswith(SAME_BYTES) and pictures[0] is not None
            pictures[1] = pictures[0] if same else find_picture(root, dropped, places)
            left -= any(pictures)
        labels = _labels(kept.loc[[other]].iloc[0]) if standing == KEPT else NOTHING
        found.append(
            Pair(
                Side(visible(other or NOTHING, 90), labels, pictures[0]),
                standing,
                Side(visible(dropped, 90), "", pictures[1]),
                visible(row["reason"]),
                visible(detail, 240),
                CONFLICT in str(row["reason"]),
            )
        )
    return found


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
