"""Training on all folds in turn: one model a fold, a team of them, and what they say of everyone out of fold.

Each fold's folder is a run of its own. What is finished there, with the same manifest and settings, is not done again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from datasets.refusals import Refusal
from models.blending import Blend
from models.chances import Chances
from models.cutoffs import choose_cutoffs
from models.data import Examples, unique_refusals
from models.errors import SettingsError, TrainingDataError
from models.inference import Progress
from models.model_card import CARD
from models.oof import OOF, OutOfFold, joined, read_oof, write_oof
from models.plots import plot_head_confusions, plot_label_confusion
from models.resume import STATE, fingerprint
from models.scoring import Scores, score
from models.settings import TrainSettings
from models.splits import folds_of, split_manifest
from models.team import TEAM, Team, member_of, write_team
from models.train import CHECKPOINT, CONFIG, METRICS, train

ALL: Final = "all"
FOLD: Final = "fold.json"
"""In a fold's folder: what the model there was made of, and the hashes of what it left."""

OF_ALL_FOLDS: Final = (TEAM, OOF)
"""By which a run's folder answers as the team of its folds."""

_OF_ONE_MODEL: Final = (CHECKPOINT, CONFIG, CARD, STATE)
_STAGE: Final = "train"


@dataclass(frozen=True)
class FoldsResult:
    """What training on all folds gives.

    Attributes:
        team: path of `team.json`.
        oof: path of `oof.parquet`.
        metrics: what `metrics.json` holds: `settings`, `headline` (`real` or `synthetic`), `macro_f1` and `accuracy`
            of all held-out rows of that kind together, `scores` of both kinds (as `models.scoring.Scores.to_dict`, or
            None), `folds` (each fold's `macro_f1`, `accuracy`, `best_epoch`, `rows`), `spread` (mean, sample standard
            deviation, least and most of those over the folds), `cutoffs` (`models.cutoffs.Chosen.to_dict`),
            `refusals`, `device`, `versions`, `seconds`.
    """

    team: Path
    oof: Path
    metrics: dict[str, Any]


def parse_folds(text: str) -> tuple[int, ...] | None:
    """The folds that `--folds` asks for, rising; None for all.

    Raises:
        SettingsError: it is neither `all` nor numbers with commas.
    """
    if text.strip() == ALL:
        return None
    parts = [each.strip() for each in text.split(",")]
    if not all(each.isascii() and each.isdigit() for each in parts) or len({int(each) for each in parts}) < len(parts):
        raise SettingsError(f"folds must be {ALL}, or numbers with commas such as 0,2, each once; not {text!r}")
    return tuple(sorted(int(each) for each in parts))


def train_folds(
    manifest: Path,
    out: Path,
    settings: TrainSettings,
    progress: Progress | None = None,
    *,
    folds: Sequence[int] | None = None,
) -> FoldsResult:
    """Trains a model for each fold on the others, and asks it about the people of the fold it has not seen.

    Writes to `out`: `fold-K/` for each fold (what `models.train.train` leaves, and the fold's own `oof.parquet`),
    `oof.parquet` of all of them, `team.json` of the models, `metrics.json`, `confusion.png` and
    `confusion_heads.png`. A run that is killed goes on at the fold, and the epoch, it was in; a fold that is finished
    with the same manifest and settings is not trained again, unless `settings.resume` is off. What a run of one model
    left in `out` goes away.

    Args:
        manifest: the merged manifest, its file or its folder.
        out: folder to write to; made.
        settings: of each run; its `fold` doesn't matter.
        progress: called as progress(rows drawn, rows to draw), of all folds together.
        folds: which to hold out; all that hold a labelled row when not given.

    Raises:
        ModelsError: a fold isn't there, or the manifest can't be learned from.
        DatasetsError: the manifest can't be read, or its folds leak.
    """
    started = time.monotonic()
    manifest, out = Path(manifest), Path(out)
    asked = _checked(manifest, settings, folds)
    for name in (*OF_ALL_FOLDS, *_OF_ONE_MODEL):  # what is killed half-way must not answer as what was there before
        (out / name).unlink(missing_ok=True)
    tables, reports = [], {}
    for done, fold in enumerate(asked):
        own = replace(settings, fold=fold)
        told = _part(progress, done, len(asked))
        tables.append(_one_fold(manifest, out / f"fold-{fold}", own, told))
        reports[fold] = _read_json(out / f"fold-{fold}" / METRICS) or {}
        if told is not None:
            told(1, 1)
    table = joined(tables)
    chosen = choose_cutoffs(table)
    oof = write_oof(table, out / OOF)
    scores = {name: _scores(table, synthetic) for name, synthetic in (("real", False), ("synthetic", True))}
    metrics = _metrics(settings, table, scores, reports) | {"cutoffs": chosen.to_dict()}
    metrics["refusals"] = _refusals(out, asked, reports)
    _plot(scores, table.headline, out)
    metrics["seconds"] = round(time.monotonic() - started, 1)
    _write_json(out / METRICS, metrics)
    members = [member_of(out / f"fold-{fold}" / CHECKPOINT, out.resolve().name) for fold in asked]
    blend = Blend(cutoffs=chosen.cutoffs.factors if chosen.cutoffs is not None else None)
    return FoldsResult(write_team(out, Team(tuple(members), blend)), oof, metrics)


def _checked(manifest: Path, settings: TrainSettings, folds: Sequence[int] | None) -> list[int]:
    """The folds to hold out; each is looked at before the first is trained for hours."""
    there = folds_of(manifest, settings.seed)
    asked = sorted(set(there if folds is None else folds))
    strange = [str(fold) for fold in asked if fold not in there]
    if strange:
        raise SettingsError(
            f"no labelled row lies in fold {', '.join(strange)}: the folds are {', '.join(map(str, there)) or 'none'}"
        )
    if not asked:
        raise TrainingDataError("no row of the manifest has a label that counts as truth: there is nothing to score on")
    for fold in asked:
        split_manifest(manifest, replace(settings, fold=fold))
    return asked


def _part(progress: Progress | None, done: int, folds: int) -> Progress | None:
    """The progress of one fold as that of all."""
    if progress is None:
        return None
    return lambda drawn, total: progress(done * total + drawn, folds * total)


def _one_fold(manifest: Path, out: Path, settings: TrainSettings, progress: Progress | None) -> OutOfFold:
    """Trains one fold's model and asks it about the fold, as far as that isn't done yet."""
    key = fingerprint(manifest, settings)
    mark = _read_json(out / FOLD) or {}
    if not (settings.resume and mark.get("key") == key and mark.get("checkpoint") == _digest(out / CHECKPOINT)):
        (out / FOLD).unlink(missing_ok=True)
        train(manifest, out, settings, progress)
        mark = {"key": key, "checkpoint": _digest(out / CHECKPOINT)}
        _write_json(out / FOLD, mark)
    elif mark.get("oof") is not None and mark["oof"] == _digest(out / OOF):
        return read_oof(out)
    table, refusals = _ask(manifest, out, settings)
    oof = write_oof(table, out / OOF)
    refused = [vars(each) for each in refusals]
    _write_json(out / FOLD, mark | {"oof": _digest(oof), "refusals": refused})
    return table


def _ask(manifest: Path, out: Path, settings: TrainSettings) -> tuple[OutOfFold, tuple[Refusal, ...]]:
    """What a fold's model says of the fold's photos and variants."""
    splits = split_manifest(manifest, settings)
    team = Team((member_of(out / CHECKPOINT, out.name),))
    tables: list[OutOfFold] = []
    refusals: list[Refusal] = []
    for examples in (splits.real, splits.synthetic):
        if not len(examples):
            continue
        said = team.answer(
            examples,
            device=settings.device,
            workers=settings.workers,
            batch_size=settings.batch_size,
            stage=_STAGE,
        )
        refusals += said.refusals
        if len(said.index):
            tables.append(_table(examples, said.index, settings.fold, said.chances))
    if not tables:
        raise TrainingDataError(f"none of the photos of fold {settings.fold} could be read: are they still there?")
    return joined(tables), tuple(refusals)


def _table(examples: Examples, index: NDArray[np.int64], fold: int, chances: Chances) -> OutOfFold:
    return OutOfFold(
        tuple(examples.photo_ids[row] for row in index),
        np.full(len(index), fold, dtype=np.int64),
        examples.synthetic[index],
        examples.codes[index],
        chances,
    )


def _scores(table: OutOfFold, synthetic: bool) -> Scores | None:
    chosen = table.synthetic == synthetic
    return score(table.truth[chosen], table.chances.codes()[chosen]) if chosen.any() else None


def _metrics(
    settings: TrainSettings, table: OutOfFold, scores: dict[str, Scores | None], reports: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    headline = scores[table.headline]
    assert headline is not None  # noqa: S101  the headline is the kind that has rows
    folds = {str(fold): _of_fold(table.of_headline(), fold, report) for fold, report in reports.items()}
    any_report = next(iter(reports.values()))
    return {
        "settings": {name: value for name, value in settings.to_dict().items() if name != "fold"},
        "headline": table.headline,
        "macro_f1": headline.macro_f1,
        "accuracy": headline.label.accuracy,
        "scores": {name: None if each is None else each.to_dict() for name, each in scores.items()},
        "folds": folds,
        "spread": {name: _spread([each[name] for each in folds.values()]) for name in ("macro_f1", "accuracy")},
        "device": any_report.get("device"),
        "versions": any_report.get("versions"),
    }


def _of_fold(table: OutOfFold, fold: int, report: dict[str, Any]) -> dict[str, Any]:
    inside = table.take(table.folds == fold)
    scores = score(inside.truth, inside.chances.codes())
    heads = {name: each.macro_f1 for name, each in scores.heads.items() if each.rows}
    return {
        "rows": len(inside),
        "macro_f1": scores.macro_f1,
        "accuracy": scores.label.accuracy,
        "heads": heads,
        "best_epoch": report.get("best_epoch"),
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": deviation, "min": min(values), "max": max(values)}


def _refusals(out: Path, folds: Sequence[int], reports: dict[int, dict[str, Any]]) -> list[dict[str, str]]:
    told = [each for report in reports.values() for each in report.get("refusals", [])]
    for fold in folds:
        told += (_read_json(out / f"fold-{fold}" / FOLD) or {}).get("refusals", [])
    return [vars(each) for each in unique_refusals(Refusal(**each) for each in told)]


def _plot(scores: dict[str, Scores | None], headline: str, out: Path) -> None:
    for name, each in scores.items():
        if each is not None:
            suffix = "" if name == headline else f"_{name}"
            plot_label_confusion(each, out / f"confusion{suffix}.png", f"Out of fold, {name} photos")
            plot_head_confusions(each, out / f"confusion_heads{suffix}.png", f"Out of fold, {name} photos")


def _digest(path: Path) -> str | None:
    """SHA-256 of a file's bytes; None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read_json(path: Path) -> dict[str, Any] | None:
    """What a JSON file of a fold holds; None where it is missing or broken: the fold is then done again."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _write_json(path: Path, values: dict[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
