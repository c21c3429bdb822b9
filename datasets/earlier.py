"""What a merge knows from before: who was in which fold, who is whom, and who is in an evaluation set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd

from datasets.errors import FoldLeakError, ManifestError, UsageError
from datasets.folds import persons_of
from datasets.identities import join_people, read_people, with_identities
from datasets.manifest import MANIFEST, manifest_file, read_manifest

OTHERS, OWN, NAMED = 0, 1, 2
"""Of an input that is merged; of the merge in the output folder; of a manifest that the user named for its folds."""
_OF_EVALUATION: Final = ("photo_id", "parent_id", "sha256", "person_id")


@dataclass(frozen=True)
class Earlier:
    """What one manifest says of people.

    Attributes:
        same: Person ids that stand for somebody known by another.
        folds: Rows person_id, fold and photos: how many photos of a person lie in a fold.
        n_folds: How many folds there were; None where people weren't dealt.
        seed: Of the dealing; None where nobody knows.
        rank: What counts first where folds contradict each other: NAMED, then OWN, then OTHERS.
        path: Of the manifest.
    """

    same: Mapping[str, str]
    folds: pd.DataFrame
    n_folds: int | None
    seed: int | None
    rank: int
    path: Path


def known_people(path: Path, frame: pd.DataFrame | None = None, *, chosen: bool = False) -> Earlier:
    """Reads what a manifest, and what lies beside it, says of people.

    Args:
        path: The manifest, or its folder.
        frame: The manifest, where it has been read already.
        chosen: The user named it for its folds.

    Raises:
        UsageError: If it isn't there, or was named for its folds and has none.
        ManifestError: If it can't be read.
    """
    file = manifest_file(Path(path))
    frame = read_manifest(file) if frame is None else frame
    dealt = frame[frame["fold"].notna()]
    if chosen and dealt.empty:
        raise UsageError(f"{path} has no folds to keep: name a merged manifest")
    people = read_people(file.parent)
    pairs = pd.DataFrame({"person_id": persons_of(dealt), "fold": dealt["fold"].astype("int64")})
    folds = pairs.groupby(["person_id", "fold"], as_index=False).size().rename(columns={"size": "photos"})
    seen = None if folds.empty else int(folds["fold"].max()) + 1
    rank = NAMED if chosen else OTHERS
    return Earlier(people.same, folds, people.folds or seen, people.seed, rank, file)


def own_folds(out: Path, n_folds: int, seed: int) -> list[Earlier]:
    """Reads the folds of a merge that is about to be replaced, so that its people keep them.

    Args:
        out: Its folder.
        n_folds: Asked for.
        seed: Asked for.

    Returns:
        What it says of people; nothing where there is no merge, or none with folds, or one of another number of folds
        or another seed: asking for that deals everybody anew.

    Raises:
        ManifestError: If it can't be read: its people would lose their folds.
    """
    file = out / MANIFEST
    if not file.is_file():
        return []
    try:
        people = read_people(out)
        if (people.folds, people.seed) != (n_folds, seed):
            return []
        known = known_people(file)
    except ManifestError as error:
        raise ManifestError(
            f"{error}; people of the merge in {out} would lose their folds: name another folder, or deal all anew "
            "(--deal-anew)"
        ) from error
    return [] if known.folds.empty else [replace(known, rank=OWN)]


def keep_folds(
    manifest: pd.DataFrame,
    earlier: Sequence[Earlier],
    same: Mapping[str, str],
    n_folds: int,
    seed: int,
    *,
    anew: bool = False,
) -> tuple[dict[str, int], dict[str, int]]:
    """Works out which folds people have from before.

    What the user named comes first, then the merge that is about to be replaced. Manifests that are merged bring their
    folds too, if there were as many of them, dealt with the same seed. Where earlier folds of one person contradict
    each other, as they do once two people turn out to be one, the one with most of their photos in any one manifest
    counts, and of those the lowest.

    Args:
        manifest: The merge's rows; who isn't in it needs no fold.
        earlier: What is known.
        same: Who is whom.
        n_folds: Asked for.
        seed: Asked for.
        anew: Only what the user named counts.

    Returns:
        Fold by person, and how many people of the merge keep one (`kept_fold`), get one (`new_fold`), and change theirs
        (`moved_fold`).

    Raises:
        UsageError: If a manifest that the user named has another number of folds.
    """
    people = pd.Index(persons_of(manifest).unique())
    sources: list[pd.DataFrame] = []
    for known in earlier:
        if known.rank and known.n_folds != n_folds:
            raise UsageError(
                f"{known.path} has {known.n_folds} folds and {n_folds} are asked for: ask for as many, or deal anew"
            )
        fits = known.n_folds == n_folds and known.seed in (None, seed) and not anew
        if known.rank or (fits and not known.folds.empty):
            sources.append(known.folds.assign(rank=known.rank, manifest=len(sources)))
    if not sources:
        return {}, {"kept_fold": 0, "new_fold": len(people), "moved_fold": 0}
    held = pd.concat(sources, ignore_index=True)
    held["person_id"] = with_identities(held["person_id"], same)
    held = held[held["person_id"].isin(people)]
    # A manifest counts each photo once, several may count the same.
    held = held.groupby(["person_id", "rank", "fold", "manifest"])["photos"].sum().reset_index()
    held = held.groupby(["person_id", "rank", "fold"])["photos"].max().reset_index()
    held = held.sort_values(["person_id", "rank", "photos", "fold"], ascending=[True, False, False, True])
    best = held.drop_duplicates("person_id")
    moved = int((held.groupby("person_id")["fold"].nunique() > 1).sum())
    folds = dict(zip(best["person_id"].tolist(), best["fold"].tolist(), strict=True))
    told = {"kept_fold": len(folds) - moved, "new_fold": len(people) - len(folds), "moved_fold": moved}
    return folds, told


@dataclass(frozen=True)
class Evaluation:
    """Who and what is in evaluation sets.

    Attributes:
        photos: Their rows: photo_id, parent_id, sha256 and person_id.
        same: What lies beside their manifests of who is whom.
    """

    photos: pd.DataFrame
    same: Mapping[str, str]


def read_evaluation(paths: Sequence[Path]) -> Evaluation:
    """Reads the manifests of evaluation sets, and what lies beside them of people.

    Raises:
        UsageError: If one isn't there.
        ManifestError: If one can't be read.
    """
    frames = [pd.DataFrame({column: pd.Series([], dtype="str") for column in _OF_EVALUATION})]
    links: list[tuple[str, str]] = []
    for path in sorted(paths):
        frames.append(read_manifest(Path(path))[list(_OF_EVALUATION)])
        links += read_people(manifest_file(Path(path)).parent).same.items()
    return Evaluation(pd.concat(frames, ignore_index=True), join_people(links))


def in_evaluation(manifest: pd.DataFrame, evaluation: Evaluation, same: Mapping[str, str]) -> pd.Series[bool]:
    """Says which rows show a file or a person of an evaluation set.

    A variant shows the person it names and the person of its parent, wherever the parent is.

    Args:
        manifest: Rows with photo_id, parent_id, sha256 and person_id.
        evaluation: From `read_evaluation`.
        same: Who is whom, `evaluation.same` among it.
    """
    if evaluation.photos.empty:
        return pd.Series(False, index=manifest.index, dtype="bool")
    columns = list(_OF_EVALUATION)
    whole = pd.concat([evaluation.photos[columns], manifest[columns]], ignore_index=True)
    named = [with_identities(persons, same) for persons in (whole["person_id"], persons_of(whole))]
    theirs = len(evaluation.photos)
    people = {person for persons in named for person in persons.iloc[:theirs]}
    shown = manifest["sha256"].isin(evaluation.photos["sha256"]).to_numpy(dtype=bool)
    for persons in named:
        shown = shown | persons.iloc[theirs:].isin(people).to_numpy(dtype=bool)
    return pd.Series(shown, index=manifest.index, dtype="bool")


def check_apart(manifest: pd.DataFrame, evaluation: Evaluation, same: Mapping[str, str]) -> None:
    """Checks that nobody of an evaluation set is in a manifest to train on.

    Args:
        manifest: To train on.
        evaluation: From `read_evaluation`.
        same: Who is whom.

    Raises:
        FoldLeakError: If a photo shows such a person, or is such a file; the message names one.
    """
    shared = manifest.loc[in_evaluation(manifest, evaluation, same), "photo_id"]
    if len(shared):
        raise FoldLeakError(
            f"{len(shared)} photos show people or files of an evaluation set and are to be trained on, such as "
            f"{min(shared)!r}; merge with it as evaluation set, which keeps them out"
        )
