"""Merging: any number of manifests in, one out, the same whatever order they come in.

A million rows of five manifests take 27 seconds of one core and 2 GB (`benchmarks/merge.py`): whole columns are
worked on, and only records that share their bytes are ever sorted or compared. `docs/scale.md` says what ten million
would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from datasets.disputes import disputes
from datasets.duplicates.table import make_duplicates, read_duplicates, same_pictures
from datasets.earlier import (
    Earlier,
    Evaluation,
    check_apart,
    in_evaluation,
    keep_folds,
    known_people,
    own_folds,
    read_evaluation,
)
from datasets.errors import ManifestError, UsageError
from datasets.folds import assign_folds, check_folds
from datasets.identities import People, join_people, links_of_files, read_people, with_identities, write_people
from datasets.licences import find_licence
from datasets.manifest import (
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
from datasets.settling import (
    ROOT,
    Conflicts,
    check_conflicts,
    drop_contradicted,
    is_of_another_record,
    refuse,
    settle_exact,
    settle_near,
    settle_variants,
)
from datasets.workers import Progress

_EXACT: Final = ["sha256", "person_id"]


@dataclass(frozen=True)
class MergeResult:
    """What a merge made.

    Attributes:
        manifest: As written, `path` relative to its folder, folds assigned.
        refusals: Those of the inputs and of the merge itself.
        excluded: What the rules kept out, a row for each source and licence: source, licence, kind, rows, why.
        path: Of the written manifest.
        disputed: Photos that are in it though another record has the same picture under a licence that the rules
            exclude; see `datasets.disputes`.
        people: Counts of people: `joined` (person ids of the admitted rows that turned out to be another's),
            `kept_fold`, `new_fold`, and `moved_fold` (of those whose earlier folds contradicted each other).
    """

    manifest: pd.DataFrame
    refusals: pd.DataFrame
    excluded: pd.DataFrame
    path: Path
    disputed: pd.DataFrame
    people: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MergeOptions:
    """What a merge may know of its photos and people beside the manifests.

    Attributes:
        duplicates: Tables of duplicates, or their folders: of photos of one picture one is kept, and all their people,
            and those found to be the same person, are one person.
        evaluation: Manifests of evaluation sets: whoever is in them is kept out.
        folds_from: Earlier merges: their people keep their folds.
        keep_own: People of a merge that lies in the output folder keep their folds, if it has as many as are asked for,
            dealt with the same seed.
        deal_anew: Folds that the inputs bring, and those of the merge in the output folder, are forgotten.
        conflicts: What becomes of pictures whose records contradict each other; see `datasets.settling.Conflicts`.
    """

    duplicates: Sequence[Path] = ()
    evaluation: Sequence[Path] = ()
    folds_from: Sequence[Path] = ()
    keep_own: bool = False
    deal_anew: bool = False
    conflicts: Conflicts = "keep"


def merge(
    inputs: Sequence[Path],
    out: Path,
    *,
    rules: str,
    n_folds: int = 5,
    seed: int = 0,
    photos: Photos = "auto",
    options: MergeOptions | None = None,
    progress: Progress | None = None,
) -> MergeResult:
    """Merges manifests into one, with what was refused beside it.

    The same inputs give the same bytes in whatever order, and merging the result again changes nothing. Of records with
    the same bytes, or of one picture, one is kept (`datasets.settling`). The others are refused as `duplicate` or
    `near_duplicate`, or as `label_conflict` where their labels say something else. Whose photos are duplicates of each
    other is one person, and has one `person_id` afterwards.

    Args:
        inputs: Manifests, or their folders; the refusals and the people beside them are carried over.
        out: Folder of the merged manifest; it may be one of the inputs'.
        rules: Which licences are admitted; a name in `datasets.rules.RULES`.
        n_folds: See `datasets.folds.assign_folds`.
        seed: See `datasets.folds.assign_folds`.
        photos: See `datasets.placing.place`.
        options: What else there is to know.
        progress: Told how far the two long parts are: manifests read, then photos brought into place.

    Raises:
        UsageError: If there are no inputs, one isn't there, an option can't be right, or `out` is the folder of an
            evaluation set or of a table of duplicates.
        ManifestError: If an input isn't a valid manifest.
        MergeError: If one photo id names two different photos.
        FoldLeakError: If someone is in two folds, or in an evaluation set too.
        OutputError: If something can't be written.
    """
    get_rule(rules)
    options = options or MergeOptions()
    _check_options(options, out)
    frame, roots, carried, known = _read(inputs, progress)
    earlier = [*known, *(known_people(path, chosen=True) for path in options.folds_from)]
    earlier += own_folds(out, n_folds, seed) if options.keep_own and not options.deal_anew else []
    tables = [make_duplicates([]), *(read_duplicates(path) for path in sorted(options.duplicates))]
    pairs = pd.concat(tables, ignore_index=True)
    evaluation = read_evaluation(options.evaluation)
    admitted, barred, excluded = _apply_rules(frame, rules)
    same = _same_people(admitted, pairs, evaluation, earlier)
    joined = int(pd.Series(admitted["person_id"].unique()).isin(list(same)).sum())
    admitted["person_id"] = with_identities(admitted["person_id"], same)
    admitted, evaluated = _without_evaluation(admitted, evaluation, same)
    kept, doubles = _settle(admitted, pairs, options.conflicts)
    folders = [roots[root] for root in kept[ROOT].tolist()]
    placed, missing = place(kept[list(COLUMNS)], folders, out, photos, stage="merge", progress=progress)
    kept_folds, told = keep_folds(placed, earlier, same, n_folds, seed, anew=options.deal_anew)
    manifest = validate_manifest(placed.assign(fold=assign_folds(placed, n_folds, seed, kept_folds)))
    check_folds(manifest, same)
    check_apart(manifest, evaluation, same)
    refusals = _join_refusals(
        _without_stale(carried, frame), _unlicensed(barred, excluded), evaluated, *doubles, missing
    )
    path = _save(manifest, refusals, People(same, n_folds, seed), out)
    disputed = disputes(manifest, barred, pairs)
    return MergeResult(manifest, refusals, excluded, path, disputed, {"joined": joined, **told})


def _check_options(options: MergeOptions, out: Path) -> None:
    check_conflicts(options.conflicts)
    for what, paths in (("an evaluation set", options.evaluation), ("a table of duplicates", options.duplicates)):
        for path in paths:
            folder = path if path.is_dir() else path.parent
            if folder.resolve() == out.resolve():
                raise UsageError(f"{out} holds {what}, {path}, and would be written over: choose another folder")


def _read(
    inputs: Sequence[Path], progress: Progress | None
) -> tuple[pd.DataFrame, list[Path], pd.DataFrame, list[Earlier]]:
    """Reads each manifest once: rows with the number of their folder, those folders, refusals, and known people."""
    if not inputs:
        raise UsageError("nothing to merge: name at least one manifest")
    files = sorted({manifest_file(Path(path)).resolve() for path in inputs})
    frames, earlier = [], []
    for number, file in enumerate(files):
        frame = read_manifest(file)
        earlier.append(known_people(file, frame))
        frames.append(frame.assign(**{ROOT: np.int64(number)}))
        if progress is not None:
            progress(number + 1, len(files))
    refusals = [read_refusals(file.parent) for file in files]
    roots = [file.parent for file in files]
    return pd.concat(frames, ignore_index=True), roots, pd.concat(refusals, ignore_index=True), earlier


def _apply_rules(frame: pd.DataFrame, rules: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Splits off what the rules exclude; returns the rest, what was split off, and a table of that."""
    verdicts = {licence: admit(rules, licence) for licence in frame["licence"].unique().tolist()}
    admitted = frame["licence"].map({licence: verdict[0] for licence, verdict in verdicts.items()}).astype("bool")
    out = frame[~admitted]
    counts = out.groupby(["source", "licence"], sort=True).size().reset_index(name="rows")
    rows = [
        (source, licence, find_licence(licence).kind, count, verdicts[licence][1])
        for source, licence, count in counts.itertuples(index=False, name=None)
    ]
    excluded = pd.DataFrame(rows, columns=["source", "licence", "kind", "rows", "why"])
    return frame[admitted].copy(), out, excluded


def _unlicensed(barred: pd.DataFrame, excluded: pd.DataFrame) -> pd.DataFrame:
    why = dict(zip(excluded["licence"], excluded["why"], strict=True))
    return refuse(barred["photo_id"], "licence", barred["licence"].map(why))


def _same_people(
    frame: pd.DataFrame, pairs: pd.DataFrame, evaluation: Evaluation, earlier: Sequence[Earlier]
) -> dict[str, str]:
    """Works out who is whom: from the same bytes, from tables of duplicates, and from what merges before knew."""
    links = links_of_files(pd.concat([frame[_EXACT], evaluation.photos[_EXACT]], ignore_index=True))
    links += evaluation.same.items()
    links += zip(pairs["first_person"].tolist(), pairs["second_person"].tolist(), strict=True)
    for known in earlier:
        links += known.same.items()
    return join_people(links)


def _without_evaluation(
    frame: pd.DataFrame, evaluation: Evaluation, same: dict[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Refuses everything of people who are in an evaluation set."""
    theirs = in_evaluation(frame, evaluation, same)
    told = frame.loc[theirs, "person_id"] + " is in an evaluation set"
    return frame[~theirs], refuse(frame.loc[theirs, "photo_id"], "in_evaluation", told)


def _settle(frame: pd.DataFrame, pairs: pd.DataFrame, conflicts: Conflicts) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Keeps one record of each picture, sorted by photo id; returns them and refusals of the others."""
    exact = settle_exact(frame)
    kept, refusals = exact.kept, [exact.refusals]
    near_pairs = pairs[pairs["kind"] == "near"]
    gone: set[str] = set()
    if len(near_pairs):
        near = settle_near(kept, near_pairs, exact.stands_for)
        kept = near.kept
        refusals.append(near.refusals)
    if conflicts == "drop":
        kept, contradicted = drop_contradicted(kept, frame, near_pairs)
        refusals.append(contradicted)
        gone = set(contradicted["photo_id"])
    links = [*exact.stands_for.items(), *same_pictures(pairs)]
    kept, contested = settle_variants(kept, links, gone, conflicts)
    return kept.sort_values("photo_id", ignore_index=True), [*refusals, contested]


def _without_stale(carried: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Takes out what merges before refused of photos that this one decides anew, its evaluation sets being others."""
    merged = carried[carried["stage"].eq("merge") & ~is_of_another_record(carried)]
    if merged.empty:
        return carried
    return carried.drop(index=merged.index[merged["photo_id"].isin(frame["photo_id"])])


def _join_refusals(*refusals: pd.DataFrame) -> pd.DataFrame:
    whole = pd.concat(refusals, ignore_index=True).drop_duplicates()
    return whole.sort_values(list(REFUSAL_COLUMNS), ignore_index=True)


def _save(manifest: pd.DataFrame, refusals: pd.DataFrame, people: People, out: Path) -> Path:
    """Writes a merge so that what a kill leaves is right for the old manifest, and for the new one.

    Who is whom goes first: with more people joined than a manifest needs nobody is parted, with fewer they are. How
    people were dealt goes last: said of an old manifest that was dealt otherwise, its folds would be kept.
    """
    there = People()
    with suppress(ManifestError):  # broken, it is about to be replaced
        there = read_people(out)
    both = join_people([*people.same.items(), *there.same.items()])
    write_people(replace(there, same=both), out)
    write_refusals(refusals, out)
    path = write_valid(manifest, out)
    write_people(people, out)
    return path
