"""Merging: any number of manifests in, one out, the same whatever order they come in.

A million rows of five manifests take 27 seconds of one core and 2 GB (`benchmarks/merge.py`): whole columns are
worked on, and only records that share their bytes are ever sorted or compared. `docs/scale.md` says what ten million
would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from datasets.duplicates.table import make_duplicates, read_duplicates
from datasets.earlier import Earlier, Evaluation, check_apart, in_evaluation, keep_folds, known_people, read_evaluation
from datasets.errors import UsageError
from datasets.folds import assign_folds, check_folds
from datasets.identities import People, join_people, links_of_files, with_identities, write_people
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
    refuse,
    settle_exact,
    settle_near,
)

_EXACT: Final = ["sha256", "person_id"]


@dataclass(frozen=True)
class MergeResult:
    """What a merge made.

    Attributes:
        manifest: As written, `path` relative to its folder, folds assigned.
        refusals: Those of the inputs and of the merge itself.
        excluded: What the rules kept out, a row for each source and licence: source, licence, kind, rows, why.
        path: Of the written manifest.
        people: Counts of people: `joined` (person ids that turned out to be another's), `kept_fold`, `new_fold`, and
            `moved_fold` (of those whose earlier folds contradicted each other).
    """

    manifest: pd.DataFrame
    refusals: pd.DataFrame
    excluded: pd.DataFrame
    path: Path
    people: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MergeOptions:
    """What a merge may know of its photos and people beside the manifests.

    Attributes:
        duplicates: Tables of duplicates, or their folders: of photos of one picture one is kept, and all their people,
            and those found to be the same person, are one person.
        evaluation: Manifests of evaluation sets: whoever is in them is kept out.
        folds_from: Earlier merges: their people keep their folds.
        deal_anew: Folds that the inputs bring are forgotten.
        conflicts: What becomes of pictures whose records contradict each other; see `datasets.settling.Conflicts`.
    """

    duplicates: Sequence[Path] = ()
    evaluation: Sequence[Path] = ()
    folds_from: Sequence[Path] = ()
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
) -> MergeResult:
    """Merges manifests into one, with what was refused beside it.

    The same inputs give the same bytes, in whatever order they are named, and merging the result again changes
    nothing. Of records with the same bytes, or of one picture, one is kept (`datasets.settling`). The others are
    refused as `duplicate` or `near_duplicate`, or as `label_conflict` where their labels say something else. Whose
    photos are duplicates of each other is one person, and has one `person_id` afterwards.

    Args:
        inputs: Manifests, or their folders; the refusals and the people beside them are carried over.
        out: Folder of the merged manifest; it may be one of the inputs'.
        rules: Which licences are admitted; a name in `datasets.rules.RULES`.
        n_folds: See `datasets.folds.assign_folds`.
        seed: See `datasets.folds.assign_folds`.
        photos: See `datasets.placing.place`.
        options: What else there is to know.

    Raises:
        UsageError: If there are no inputs, one isn't there, or an option can't be right.
        ManifestError: If an input isn't a valid manifest.
        MergeError: If one photo id names two different photos.
        FoldLeakError: If someone is in two folds, or in an evaluation set too.
        OutputError: If something can't be written.
    """
    get_rule(rules)
    options = options or MergeOptions()
    check_conflicts(options.conflicts)
    frame, roots, carried, known = _read(inputs)
    earlier = [*known, *(known_people(path, chosen=True) for path in options.folds_from)]
    tables = [read_duplicates(path) for path in sorted(options.duplicates)]
    evaluation = read_evaluation(options.evaluation)
    admitted, excluded, unlicensed = _apply_rules(frame, rules)
    same = _same_people(admitted, tables, evaluation, earlier)
    admitted["person_id"] = with_identities(admitted["person_id"], same)
    admitted, evaluated = _without_evaluation(admitted, evaluation, same)
    kept, doubles = _settle(admitted, tables, options.conflicts)
    folders = [roots[root] for root in kept[ROOT].tolist()]
    placed, missing = place(kept[list(COLUMNS)], folders, out, photos, stage="merge")
    known_folds, told = keep_folds(placed, earlier, same, n_folds, seed, anew=options.deal_anew)
    placed["fold"] = assign_folds(placed, n_folds, seed, known_folds)
    manifest = validate_manifest(placed)
    check_folds(manifest, same)
    check_apart(manifest, evaluation, same)
    refusals = pd.concat([carried, unlicensed, evaluated, *doubles, missing], ignore_index=True)
    refusals = refusals.drop_duplicates().sort_values(list(REFUSAL_COLUMNS), ignore_index=True)
    write_refusals(refusals, out)
    write_people(People(same, n_folds, seed), out)
    return MergeResult(manifest, refusals, excluded, write_valid(manifest, out), {"joined": len(same), **told})


def _read(inputs: Sequence[Path]) -> tuple[pd.DataFrame, list[Path], pd.DataFrame, list[Earlier]]:
    """Reads each manifest once: rows with the number of their folder, those folders, refusals, and known people."""
    if not inputs:
        raise UsageError("nothing to merge: name at least one manifest")
    files = sorted({manifest_file(Path(path)).resolve() for path in inputs})
    frames, earlier = [], []
    for number, file in enumerate(files):
        frame = read_manifest(file)
        earlier.append(known_people(file, frame))
        frames.append(frame.assign(**{ROOT: np.int64(number)}))
    refusals = [read_refusals(file.parent) for file in files]
    roots = [file.parent for file in files]
    return pd.concat(frames, ignore_index=True), roots, pd.concat(refusals, ignore_index=True), earlier


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
    return frame[admitted].copy(), excluded, refuse(out["photo_id"], "licence", why)


def _same_people(
    frame: pd.DataFrame, tables: Sequence[pd.DataFrame], evaluation: Evaluation, earlier: Sequence[Earlier]
) -> dict[str, str]:
    """Works out who is whom: from the same bytes, from tables of duplicates, and from what merges before knew."""
    links = links_of_files(pd.concat([frame[_EXACT], evaluation.photos[_EXACT]], ignore_index=True))
    links += evaluation.same.items()
    for table in tables:
        links += zip(table["first_person"].tolist(), table["second_person"].tolist(), strict=True)
    for known in earlier:
        links += known.same.items()
    return join_people(links)


def _without_evaluation(
    frame: pd.DataFrame, evaluation: Evaluation, same: dict[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Refuses everything of people who are in an evaluation set."""
    if evaluation.photos.empty:
        return frame, refuse(frame["photo_id"].iloc[:0], "", "")
    theirs = in_evaluation(frame, evaluation, same)
    told = frame.loc[theirs, "person_id"] + " is in an evaluation set"
    return frame[~theirs], refuse(frame.loc[theirs, "photo_id"], "in_evaluation", told)


def _settle(
    frame: pd.DataFrame, tables: Sequence[pd.DataFrame], conflicts: Conflicts
) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Keeps one record of each picture, sorted by photo id; returns them and refusals of the others."""
    exact = settle_exact(frame)
    kept, refusals = exact.kept, [exact.refusals]
    pairs = pd.concat(tables, ignore_index=True) if tables else make_duplicates([])
    pairs = pairs[pairs["kind"] == "near"]
    if len(pairs):
        near = settle_near(kept, pairs, exact.stands_for)
        kept = near.kept
        refusals.append(near.refusals)
    if conflicts == "drop":
        kept, contradicted = drop_contradicted(kept, frame, pairs)
        refusals.append(contradicted)
    return kept.sort_values("photo_id", ignore_index=True), refusals
