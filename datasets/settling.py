"""Which of several records of one picture is kept, and what is said of the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from datasets.errors import MergeError, UsageError
from datasets.identities import join_people
from datasets.manifest import make_refusals
from datasets.schema import COLUMNS

Conflicts = Literal["keep", "drop"]
"""What becomes of a picture whose records contradict each other: the best record stands, or none of them is used."""

ROOT: Final = "root"
"""Column of a merge's rows: number of the folder that the row's path is relative to."""

_LABELS: Final = ("mask", "gender", "age_group")
_INHERITED: Final = {"gender": "gender", "age_group": "age"}
"""Labels that a variant has of its photo, and how the columns begin that say where each is from and how sure it is."""
_SAID: Final = ("given", "corrected")
_ORIGINS: Final = ("mask_from", "gender_from", "age_from")
_CONFIDENCES: Final = ("mask_confidence", "gender_confidence", "age_confidence")
SAME_BYTES: Final = "same bytes as "
"""How the detail of an exact duplicate begins."""
TORN: Final = "records of its picture contradict each other: "
"""How the detail begins of a photo that was dropped with all others of its picture."""
CONTESTED: Final = "contested"
"""Reason of a variant whose gender or age was settled otherwise."""
_OF_PLACE: Final = ("path", "fold")
"""Columns that say where a record lies and how it was dealt, not what it is."""


@dataclass(frozen=True)
class Settled:
    """What is left of records that show the same pictures.

    Attributes:
        kept: One row a picture.
        refusals: Of the others.
        stands_for: Photo ids that aren't kept, and the one that is in their stead.
    """

    kept: pd.DataFrame
    refusals: pd.DataFrame
    stands_for: dict[str, str]


def check_conflicts(conflicts: str) -> None:
    """Raises UsageError if there is no such rule for contradicting labels."""
    if conflicts not in get_args(Conflicts):
        raise UsageError(f"conflicts must be one of {', '.join(get_args(Conflicts))}, not {conflicts!r}")


def settle_exact(frame: pd.DataFrame) -> Settled:
    """Keeps one record of each file's bytes.

    A real photo comes before a variant, then the record with more labels that were given rather than guessed, then more
    labels, then the greater confidence, then the first photo id.

    Raises:
        MergeError: If one photo id names two different photos.
    """
    shared = frame["sha256"].duplicated(keep=False)
    ranked = _rank(frame[shared], "sha256")
    dropped = ranked.duplicated("sha256")
    kept = pd.concat([frame[~shared], ranked[~dropped]])
    _check_ids(kept)
    others = ranked[dropped]
    best = ranked[~dropped].set_index("sha256").loc[others["sha256"]].set_index(others.index)
    what = [column for column in COLUMNS if column not in _OF_PLACE]
    same = (_texts(others, what) == _texts(best.assign(sha256=others["sha256"]), what)).all(axis=1)
    return _settle(kept, others[~same], best[~same], SAME_BYTES + best["photo_id"], "duplicate")


def settle_near(frame: pd.DataFrame, pairs: pd.DataFrame, stands_for: dict[str, str]) -> Settled:
    """Keeps one of the photos that show one picture.

    The rule is that of `settle_exact`, with the photo of more pixels before the greater confidence.

    Args:
        frame: Records with different bytes.
        pairs: Rows of kind `near` of a table of duplicates.
        stands_for: From `settle_exact`: a pair may name a record that another one stands for.
    """
    photos = frame[frame["parent_id"].isna()]
    at = pd.Series(photos.index, index=photos["photo_id"])
    named = [pairs[column].map(stands_for).astype("str").fillna(pairs[column]) for column in ("first", "second")]
    ends = [names.map(at) for names in named]
    there = ends[0].notna() & ends[1].notna()
    rows = pd.unique(pd.concat([end[there] for end in ends]).astype("int64"))
    if not len(rows):
        return Settled(frame, make_refusals([]), {})
    codes = [pd.Categorical(end[there].astype("int64"), categories=rows).codes for end in ends]
    joined = coo_array((np.ones(len(codes[0]), np.int8), tuple(codes)), shape=(len(rows), len(rows)))
    _, group = connected_components(joined, directed=False)
    ranked = _rank(frame.loc[rows].assign(picture=group), "picture")
    dropped = ranked.duplicated("picture")
    others = ranked[dropped]
    best = ranked[~dropped].set_index("picture").loc[others["picture"]].set_index(others.index)
    kept = frame[~frame.index.isin(others.index)]
    return _settle(kept, others, best, "same picture as " + best["photo_id"], "near_duplicate")


def _settle(
    kept: pd.DataFrame, others: pd.DataFrame, best: pd.DataFrame, detail: pd.Series[Any], reason: str
) -> Settled:
    refusals = _describe(others, best, detail.loc[others.index], reason)
    stands_for = dict(zip(others["photo_id"], best["photo_id"], strict=True))
    return Settled(kept, refusals, {one: other for one, other in stands_for.items() if one != other})


def drop_contradicted(
    kept: pd.DataFrame, frame: pd.DataFrame, pairs: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Takes out every picture of which any two records contradict each other.

    Records of one picture are those with the same bytes, and all that pairs of near duplicates link to them: whether
    the best of them agrees with each other one doesn't matter.

    Args:
        kept: One record a picture, from `settle_exact` and `settle_near`.
        frame: All records that these were chosen from.
        pairs: Rows of kind `near` of a table of duplicates.

    Returns:
        The rest of `kept`, and refusals of what was taken out.
    """
    picture = _pictures(frame, pairs)
    differing = frame[list(_LABELS)].groupby(picture).nunique().gt(1).any(axis=1)
    torn = frame[picture.isin(differing.index[differing])].assign(picture=picture)
    gone = torn[torn["photo_id"].isin(kept["photo_id"])].drop_duplicates("photo_id").sort_values("photo_id")
    told = {number: _contradiction(records) for number, records in torn.groupby("picture")}
    refusals = refuse(gone["photo_id"], "label_conflict", gone["picture"].map(told).astype("str"))
    return kept[~kept["photo_id"].isin(gone["photo_id"])], refusals


def settle_variants(
    kept: pd.DataFrame, links: Iterable[tuple[str, str]], gone: Collection[str], conflicts: Conflicts
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Takes out variants with a gender or age that was settled otherwise for the picture they were made of.

    A variant speaks for its photo, which may be in no input at all. Of a picture the kept photo counts first; what it
    doesn't say, the variant that was given it says before one that it was guessed for, then the one with the greater
    confidence, then the first by its photo's id and its own. With `drop` nothing is left of a picture whose variants
    contradict it or each other, nor any variant of a picture that was dropped.

    Args:
        kept: What is left of all records.
        links: Pairs of photo ids that show one picture.
        gone: Photos that were dropped since the records of their picture contradict each other.
        conflicts: The rule.

    Returns:
        The rest of `kept`, and refusals of what was taken out.
    """
    made = kept["parent_id"].notna()
    if not made.any():
        return kept, make_refusals([])
    same = join_people(links)
    photos = kept["parent_id"].fillna(kept["photo_id"])
    heads = photos.map(same).fillna(photos)
    rows = kept[heads.isin(heads[made])].assign(picture=heads, photo=photos, made=made)
    rows = rows.sort_values(["picture", "made", "photo", "photo_id"])
    first = rows.groupby("picture")["photo"].transform("first")
    contested = pd.Series(False, index=rows.index)
    told = "its picture is that of " + first
    for column, kind in _INHERITED.items():
        best = _surest(rows, column, kind)
        settled, by = (rows["picture"].map(best[name]).astype("str") for name in (column, "photo_id"))
        differs = rows[column].notna() & (rows[column] != settled)
        whose = (" by " + by).where(by != first, " there")
        told = told.where(~differs, told + "; " + column + " " + settled + whose + ", " + rows[column] + " here")
        contested |= differs & rows["made"]
    if conflicts == "drop":
        dropped = {same.get(photo, photo) for photo in gone}
        contested = contested.groupby(rows["picture"]).transform("any") | rows["picture"].isin(dropped)
    refusals = refuse(rows.loc[contested, "photo_id"], CONTESTED, told[contested])
    return kept.drop(index=rows.index[contested]), refusals


def _surest(rows: pd.DataFrame, column: str, kind: str) -> pd.DataFrame:
    """Of each picture the row whose label counts: by picture, of pictures of which any row has that label."""
    known = rows[rows[column].notna()]
    guessed = ~known[f"{kind}_from"].isin(_SAID)
    doubt = -known[f"{kind}_confidence"].fillna(0.0).round(9)
    order = ["picture", "made", "guessed", "doubt", "photo", "photo_id"]
    known = known.assign(guessed=guessed, doubt=doubt).sort_values(order)
    return known.drop_duplicates("picture").set_index("picture")


def _pictures(frame: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series[Any]:
    """Numbers each record's picture."""
    codes, _ = pd.factorize(frame["sha256"])
    photos = frame["parent_id"].isna()
    content = pd.Series(codes[photos], index=frame.loc[photos, "photo_id"].to_numpy())
    content = content[~content.index.duplicated()]  # records of one photo have the same bytes, else it is an error
    ends = [pairs[column].map(content) for column in ("first", "second")]
    there = ends[0].notna() & ends[1].notna()
    first, second = (end[there].to_numpy(dtype=np.int64) for end in ends)
    size = int(codes.max(initial=-1)) + 1
    joined = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(size, size))
    _, group = connected_components(joined, directed=False)
    return pd.Series(group[codes], index=frame.index)


def _contradiction(records: pd.DataFrame) -> str:
    """Says which labels of a picture's records contradict each other, and whose they are."""
    parts = []
    for column in _LABELS:
        known = records[records[column].notna()].sort_values([column, "photo_id"]).drop_duplicates(column)
        if len(known) > 1:
            named = zip(known[column], known["photo_id"], strict=True)
            parts.append(f"{column} " + ", ".join(f"{value} by {photo_id}" for value, photo_id in named))
    return TORN + "; ".join(parts)


def is_of_another_record(refusals: pd.DataFrame) -> pd.Series[bool]:
    """Says which of a merge's refusals are of a poorer record of a photo that is kept, under the same id."""
    itself = SAME_BYTES + refusals["photo_id"]
    same = [
        detail == own or detail.startswith(f"{own};")
        for detail, own in zip(refusals["detail"].tolist(), itself.tolist(), strict=True)
    ]
    return pd.Series(same, index=refusals.index, dtype="bool")


def refuse(photo_ids: pd.Series[Any], reason: str | pd.Series[Any], detail: str | pd.Series[Any]) -> pd.DataFrame:
    """Returns a merge's refusals of photos."""
    if photo_ids.empty:
        return make_refusals([])
    return pd.DataFrame({"photo_id": photo_ids, "stage": "merge", "reason": reason, "detail": detail})


def _check_ids(kept: pd.DataFrame) -> None:
    twice = kept.loc[kept["photo_id"].duplicated(keep=False), "photo_id"]
    if len(twice):
        raise MergeError(
            f"{twice.nunique()} photo ids name different photos in different inputs, such as "
            f"{min(twice)!r}; ingest one folder under another name, or leave out the older run"
        )


def _texts(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Returns columns as text with nothing missing, so that they can be compared and sorted."""
    return frame[columns].astype("str").fillna("")


def _rank(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    """Sorts records so that of each group the one to keep comes first, whatever the order of the inputs."""
    keys = pd.DataFrame(index=frame.index)
    keys[group] = frame[group]
    keys["variant"] = frame["parent_id"].notna()
    keys["given"] = -sum(frame[column].isin(_SAID).astype("int64") for column in _ORIGINS)
    keys["known"] = -frame[list(_LABELS)].notna().sum(axis=1)
    keys["pixels"] = -(frame["width"] * frame["height"])
    keys["confidence"] = -frame[list(_CONFIDENCES)].fillna(0.0).sum(axis=1).round(9)
    for column in COLUMNS:
        if column not in keys:
            keys[column] = frame[column].astype("str").fillna("")
    keys[ROOT] = frame[ROOT]
    return frame.loc[keys.sort_values(list(keys.columns), kind="stable").index]


def _describe(others: pd.DataFrame, best: pd.DataFrame, detail: pd.Series[Any], reason: str) -> pd.DataFrame:
    conflict = pd.Series(False, index=others.index)
    for column in _LABELS:
        differs = others[column].notna() & best[column].notna() & (others[column] != best[column])
        detail = detail.where(~differs, detail + f"; {column} " + best[column] + " there, " + others[column] + " here")
        conflict |= differs
    return refuse(others["photo_id"], conflict.map({True: "label_conflict", False: reason}), detail)
