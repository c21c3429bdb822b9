"""A manifest taken apart: rows to train on, and held-out people to score on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.folds import assign_folds, check_folds
from datasets.identities import join_people, links_of_files, read_people, with_identities
from datasets.labels import label_name
from datasets.manifest import read_manifest
from models.boxes import read_boxes
from models.data import Examples, with_packed
from models.errors import SettingsError, TrainingDataError
from models.heads import AGE, HEADS, MISSING, WORDS
from models.packed import Progress
from models.provenance import CONFIDENCE, FROM, label_weights, origins
from models.settings import Crop, TrainSettings

_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Splits:
    """Rows to train on and rows to score on; no person is in both.

    Attributes:
        train: rows of the other folds, with their weights.
        real: photos of the held-out fold; pseudo-labels don't count as truth.
        synthetic: variants of the held-out fold, likewise.
        notes: `rows` by set, `people` by set, `left_out` of training by reason, `labels` of training by name,
            `sources` of training (source, licence, photos, variants), `origins` of its labels (see
            `models.provenance`), and `folds_made_here`.
    """

    train: Examples
    real: Examples
    synthetic: Examples
    notes: dict[str, Any]


def split_manifest(manifest: Path, settings: TrainSettings, *, to_learn: bool = True) -> Splits:
    """Reads a manifest and splits it by the settings' fold.

    Args:
        manifest: its file or its folder. Where it has no folds at all, five are made by person.
        to_learn: whether the other folds must have something to learn from; a trained model is asked about one alone.

    Raises:
        FoldLeakError: a person, or a variant and its photo, lie in more than one fold.
        SettingsError: there is no such fold.
        TrainingDataError: nothing to train on, or nothing to score on.
    """
    manifest = Path(manifest)
    root = manifest if manifest.is_dir() else manifest.parent
    frame = read_manifest(manifest)
    frame, made_here = _with_folds(frame, settings.seed)
    check_folds(frame, read_people(root).same)
    held_out = frame["fold"].eq(settings.fold).to_numpy(dtype=bool)
    variant = frame["parent_id"].notna().to_numpy(dtype=bool)
    weights = label_weights(frame, settings)
    trusted = _codes(frame, settings.pseudo_confidence, settings.age_confidence)
    # A label that counts nothing is as good as missing: it neither keeps a row in nor makes its class less rare.
    trusted = np.where(weights > 0, trusted, MISSING)
    truth = _codes(frame, None)
    reasons = _reasons_against(trusted, variant, settings)
    train = ~held_out & (reasons == "")
    scorable = held_out & (truth != MISSING).any(axis=1)
    alike = np.ones_like(weights)
    splits = Splits(
        train=_examples(frame, root, train, trusted, weights, settings.crop),
        real=_examples(frame, root, scorable & ~variant, truth, alike, settings.crop),
        synthetic=_examples(frame, root, scorable & variant, truth, alike, settings.crop),
        notes={},
    )
    _check_enough(splits, settings, to_learn)
    people = frame["person_id"]
    splits.notes.update(
        rows={"train": len(splits.train), "real": len(splits.real), "synthetic": len(splits.synthetic)},
        people={"train": int(people[train].nunique()), "held_out": int(people[scorable].nunique())},
        left_out=dict(sorted(Counter(reasons[~held_out & (reasons != "")].tolist()).items())),
        labels=_label_counts(splits.train.labels),
        sources=_source_counts(frame[train]),
        origins=origins(frame[train], splits.train.codes, splits.train.weights),
        folds_made_here=made_here,
    )
    return splits


def folds_of(manifest: Path, seed: int) -> list[int]:
    """The folds that hold a row to score on, rising.

    Args:
        manifest: its file or its folder.
        seed: of the settings: where the manifest has no folds, it makes them.
    """
    frame, _ = _with_folds(read_manifest(Path(manifest)), seed)
    known = (_codes(frame, None) != MISSING).any(axis=1)
    return sorted({int(fold) for fold in frame["fold"][known]})


def _with_folds(frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, bool]:
    made_here = bool(frame["fold"].isna().all()) and len(frame) > 0
    if made_here:
        same = join_people(links_of_files(frame))
        people = frame.assign(person_id=with_identities(frame["person_id"], same))
        frame = frame.assign(fold=assign_folds(people, n_folds=_FOLDS, seed=seed))
    unassigned = int(frame["fold"].isna().sum())
    if unassigned:
        raise TrainingDataError(
            f"{unassigned} of the manifest's {len(frame)} rows have no fold and the others have: "
            "merge again, so that every row gets one"
        )
    return frame, made_here


def _codes(frame: pd.DataFrame, pseudo_confidence: float | None, age_confidence: float = 0.0) -> NDArray[np.int64]:
    """(N, 3) codes; pseudo-labels count from that confidence on, or not at all (None), ages from theirs on."""
    columns = []
    for name, words in zip(HEADS, WORDS, strict=True):
        code = pd.Categorical(frame[name], categories=list(words)).codes.astype(np.int64)
        pseudo = frame[FROM[name]].eq("pseudo").to_numpy(dtype=bool)
        sure = frame[CONFIDENCE[name]].fillna(0.0).to_numpy(dtype=np.float64)
        doubted = pseudo & (sure < pseudo_confidence if pseudo_confidence is not None else True)
        if name == "age_group":
            # A given label without a confidence has not been doubted by anyone.
            doubted |= (frame[CONFIDENCE[name]] < age_confidence).to_numpy(dtype=bool)
        columns.append(np.where(doubted, MISSING, code))
    return np.stack(columns, axis=1)


def _reasons_against(codes: NDArray[np.int64], variant: NDArray[np.bool_], settings: TrainSettings) -> NDArray[np.str_]:
    """(N,) why a row is not learned from, empty where it is."""
    missing = codes[:, settings.layout.columns] == MISSING
    unusable = missing.any(axis=1) if settings.head == "single" else missing.all(axis=1)
    unwanted = variant & (settings.synthetic_weight == 0)
    return np.select([unwanted, unusable], ["synthetic_weight_0", "label_missing"], default="")


def _examples(
    frame: pd.DataFrame,
    root: Path,
    chosen: NDArray[np.bool_],
    codes: NDArray[np.int64],
    weights: NDArray[np.float32],
    crop: Crop,
) -> Examples:
    rows = frame[chosen]
    photo_ids, sha256 = tuple(rows["photo_id"]), tuple(rows["sha256"])
    return Examples(
        paths=tuple(root / path for path in rows["path"]),
        photo_ids=photo_ids,
        codes=codes[chosen],
        years=_years(rows, codes[chosen]),
        weights=weights[chosen],
        sources=tuple(rows["source"]),
        synthetic=rows["parent_id"].notna().to_numpy(dtype=bool),
        sha256=sha256,
        sizes=rows[["width", "height"]].to_numpy(dtype=np.int32),
        boxes=read_boxes(root, photo_ids, sha256) if crop == "face" else None,
    )


def _years(rows: pd.DataFrame, codes: NDArray[np.int64]) -> NDArray[np.float32]:
    """(N,) ages in years; nan where they are missing or their age group isn't to be believed."""
    years = rows["age"].to_numpy(dtype=np.float32, na_value=np.nan)
    return np.where(codes[:, HEADS.index(AGE)] == MISSING, np.float32(np.nan), years)


def packed_splits(
    splits: Splits, settings: TrainSettings, *, workers: int = 1, progress: Progress | None = None
) -> Splits:
    """The splits with their photos packed into the settings' cache; as they are where it names none.

    Args:
        splits: of `split_manifest` with the same settings.
        settings: of the run.
        workers: processes that decode.
        progress: called as progress(photos done, photos to do).

    Raises:
        OutputError: the cache can't be written to, or its disk is too full.
    """
    if settings.cache is None:
        return splits
    sets = (splits.train, splits.real, splits.synthetic)
    packed = with_packed(sets, settings.cache, settings.image_size, workers=workers, progress=progress)
    train, real, synthetic = packed
    return replace(splits, train=train, real=real, synthetic=synthetic)


def _check_enough(splits: Splits, settings: TrainSettings, to_learn: bool) -> None:
    layout = settings.layout
    folds = f"fold {settings.fold} is held out"
    if len(splits.real) == len(splits.synthetic) == 0:
        raise SettingsError(
            f"no labelled row lies in fold {settings.fold}: hold out a fold that has some, or merge with fewer folds"
        )
    if to_learn and len(splits.train) < 2:
        raise TrainingDataError(f"{len(splits.train)} rows are left to train on ({folds}): at least 2 are needed")
    if to_learn and "years" in layout.pieces and np.isnan(splits.train.years).all():
        raise TrainingDataError(
            f"age_as {layout.age_as} learns years, and no row to train on has any ({folds}): "
            "use classes or ordinal, which learn from age groups"
        )
    if not any(layout.scorable(each.codes) for each in (splits.real, splits.synthetic)):
        wanted = "all three labels" if layout.whole else " or ".join(layout.parts)
        raise TrainingDataError(f"no row with {wanted} given is left to score on ({folds})")


def _source_counts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Photos and variants of each source under each licence, in order of their names."""
    variant = rows["parent_id"].notna()
    counts = variant.groupby([rows["source"], rows["licence"]]).agg(["size", "sum"])
    return [
        {"source": str(source), "licence": str(licence), "photos": int(size - made), "variants": int(made)}
        for (source, licence), (size, made) in zip(counts.index, counts.to_numpy(), strict=True)
    ]


def _label_counts(labels: NDArray[np.int64]) -> dict[str, int]:
    counts = Counter(labels[labels != MISSING].tolist())
    return {label_name(label): counts[label] for label in sorted(counts)}
