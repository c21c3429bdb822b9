"""Merging: any number of manifests in, one out, the same whatever order they come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from datasets.errors import MergeError, UsageError
from datasets.folds import assign_folds, check_folds
from datasets.licences import find_licence
from datasets.manifest import (
    make_refusals,
    manifest_file,
    read_manifest,
    read_refusals,
    validate_manifest,
    write_refusals,
    write_valid,
)
from datasets.placing import Photos, place
from datasets.rules import admit, get_rule
from datasets.schema import COLUMNS, REFUSAL_COLUMNS

_ROOT: Final = "root"
_LABELS: Final = ("mask", "gender", "age_group")
_ORIGINS: Final = ("mask_from", "gender_from", "age_from")
_CONFIDENCES: Final = ("mask_confidence", "gender_confidence", "age_confidence")
_OF_PLACE: Final = ("path", "fold")
"""Columns that say where a record lies and how it was dealt, not what it is."""


@dataclass(frozen=True)
class MergeResult:
    """What a merge made.

    Attributes:
        manifest: As written, `path` relative to its folder, folds assigned.
        refusals: Those of the inputs and of the merge itself.
        excluded: What the rules kept out, a row for each source and licence: source, licence, kind, rows, why.
        path: Of the written manifest.
    """

    manifest: pd.DataFrame
    refusals: pd.DataFrame
    excluded: pd.DataFrame
    path: Path


def merge(
    inputs: Sequence[Path],
    out: Path,
    *,
    rules: str,
    n_folds: int = 5,
    seed: int = 0,
    photos: Photos = "auto",
) -> MergeResult:
    """Merges manifests into one, with what was refused beside it.

    The same inputs give the same bytes, in whatever order they are named, and merging the result again changes
    nothing. Of records with the same bytes one is kept: a real photo before a variant, then the one with more labels
    that were given rather than guessed, then more labels, then the greater confidence, then the first photo id. The
    others are refused as `duplicate`, or as `label_conflict` where their labels say something else.

    Args:
        inputs: Manifests, or their folders; the refusals beside them are carried over.
        out: Folder of the merged manifest; it may be one of the inputs'.
        rules: Which licences are admitted; a name in `datasets.rules.RULES`.
        n_folds: See `assign_folds`.
        seed: See `assign_folds`.
        photos: See `datasets.placing.place`.

    Returns:
        The merged manifest, refusals, and what was excluded.

    Raises:
        UsageError: If there are no inputs, one isn't there, or the rules aren't known.
        ManifestError: If an input isn't a valid manifest.
        MergeError: If one photo id names two different photos.
        OutputError: If something can't be written.
    """
    get_rule(rules)
    frame, carried = _read(inputs)
    admitted, excluded, unlicensed = _apply_rules(frame, rules)
    single, duplicates = _without_duplicates(admitted)
    single = single.sort_values("photo_id", ignore_index=True)
    placed, missing = place(single[list(COLUMNS)], single[_ROOT].tolist(), out, photos, stage="merge")
    placed["fold"] = assign_folds(placed, n_folds, seed)
    manifest = validate_manifest(placed)
    check_folds(manifest)
    refusals = pd.concat([carried, unlicensed, duplicates, missing], ignore_index=True)
    refusals = refusals.drop_duplicates().sort_values(list(REFUSAL_COLUMNS), ignore_index=True)
    write_refusals(refusals, out)
    return MergeResult(manifest, refusals, excluded, write_valid(manifest, out))


def _read(inputs: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reads each manifest once, with the folder it lies in, and all their refusals."""
    if not inputs:
        raise UsageError("nothing to merge: name at least one manifest")
    files = sorted({manifest_file(Path(path)).resolve() for path in inputs})
    frames = []
    for file in files:
        frame = read_manifest(file)
        frame[_ROOT] = pd.Series([file.parent] * len(frame), dtype="object")
        frames.append(frame)
    refusals = [read_refusals(file.parent) for file in files]
    return pd.concat(frames, ignore_index=True), pd.concat(refusals, ignore_index=True)


def _apply_rules(frame: pd.DataFrame, rules: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Splits off what the rules exclude; returns the rest, a table of exclusions, and the refusals."""
    verdicts = {licence: admit(rules, licence) for licence in frame["licence"].unique().tolist()}
    admitted = frame["licence"].map({licence: verdict[0] for licence, verdict in verdicts.items()}).astype("bool")
    out = frame[~admitted]
    why = out["licence"].map({licence: verdict[1] for licence, verdict in verdicts.items()})
    counts = out.groupby(["source", "licence"], sort=True).size().reset_index(name="rows")
    rows = [
        (source, licence, find_licence(licence).kind, count, verdicts[licence][1])
        for source, licence, count in counts.itertuples(index=False, name=None)
    ]
    excluded = pd.DataFrame(rows, columns=["source", "licence", "kind", "rows", "why"])
    return frame[admitted], excluded, _refusals(out["photo_id"], "licence", why)


def _without_duplicates(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keeps one record of each file's bytes; returns them and refusals of the others."""
    ranked = _rank(frame)
    dropped = ranked.duplicated("sha256")
    kept = ranked[~dropped]
    twice = kept[kept["photo_id"].duplicated(keep=False)]
    if len(twice):
        raise MergeError(
            f"{twice['photo_id'].nunique()} photo ids name different photos in different inputs, such as "
            f"{sorted(twice['photo_id'])[0]!r}; ingest one folder under another name, or leave out the older run"
        )
    others = ranked[dropped]
    best = kept.set_index("sha256").loc[others["sha256"]].set_index(others.index)
    what = [column for column in COLUMNS if column not in _OF_PLACE]
    same = (_texts(others, what) == _texts(best.assign(sha256=others["sha256"]), what)).all(axis=1)
    return kept, _describe(others[~same], best[~same])


def _texts(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Returns columns as text with nothing missing, so that they can be compared and sorted."""
    return frame[columns].astype("str").fillna("")


def _rank(frame: pd.DataFrame) -> pd.DataFrame:
    """Sorts records so that of equal bytes the one to keep comes first, whatever the order of the inputs."""
    keys = pd.DataFrame(index=frame.index)
    keys["sha256"] = frame["sha256"]
    keys["variant"] = frame["parent_id"].notna()
    keys["given"] = -sum(frame[column].isin(["given", "corrected"]).astype("int64") for column in _ORIGINS)
    keys["known"] = -frame[list(_LABELS)].notna().sum(axis=1)
    keys["confidence"] = -frame[list(_CONFIDENCES)].fillna(0.0).sum(axis=1).round(9)
    for column in COLUMNS:
        if column not in keys:
            keys[column] = frame[column].astype("str").fillna("")
    keys[_ROOT] = frame[_ROOT].map(str)
    return frame.loc[keys.sort_values(list(keys.columns), kind="stable").index]


def _describe(others: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    detail = "same bytes as " + best["photo_id"]
    conflict = pd.Series(False, index=others.index)
    for column in _LABELS:
        differs = others[column].notna() & best[column].notna() & (others[column] != best[column])
        detail = detail.where(~differs, detail + f"; {column} " + best[column] + " there, " + others[column] + " here")
        conflict |= differs
    reason = conflict.map({True: "label_conflict", False: "duplicate"})
    return _refusals(others["photo_id"], reason, detail)


def _refusals(photo_ids: pd.Series[Any], reason: str | pd.Series[Any], detail: pd.Series[Any]) -> pd.DataFrame:
    if photo_ids.empty:
        return make_refusals([])
    return pd.DataFrame({"photo_id": photo_ids, "stage": "merge", "reason": reason, "detail": detail})
