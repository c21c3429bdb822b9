"""What can be scored: a run or team by its out-of-fold table, a checkpoint on held-out people, a submission."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.errors import MissingInputError, SettingsError

if TYPE_CHECKING:
    from models.chances import Chances
    from models.oof import OutOfFold
    from models.settings import Device
    from pipelines.types import ProgressCallback

_ANSWERS = ("ImageID", "ans")


@dataclass(frozen=True, eq=False)
class Scored:
    """Answers beside the truth, and what is known of the photos.

    Attributes:
        said: what was answered and how, in words.
        photo_ids: (N,).
        truth: (N, 3) codes of `models.heads`, -1 for a missing label.
        answers: (N, 3) likewise.
        synthetic: (N,) bool, variants.
        chances: of the N; None for a submission.
        folds: (N,) int64; None for a submission.
        rows: (N rows) of the manifest, in the same order; None where none was given.
        root: the manifest's folder.
        checkpoints: the model that answered each fold, those that are at hand.
        notes: what a reader has to know.
    """

    said: str
    photo_ids: tuple[str, ...]
    truth: NDArray[np.int64]
    answers: NDArray[np.int64]
    synthetic: NDArray[np.bool_]
    chances: Chances | None = None
    folds: NDArray[np.int64] | None = None
    rows: pd.DataFrame | None = None
    root: Path | None = None
    checkpoints: dict[int, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def people(self) -> list[str]:
        """(N,) who is in each photo; where no manifest says so, each photo is a person of its own."""
        if self.rows is not None:
            return [str(each) for each in self.rows["person_id"]]
        return [each.partition("#")[0] for each in self.photo_ids]


def open_scored(
    what: Path,
    against: Path | None,
    *,
    fold: int | None = None,
    device: Device = "auto",
    workers: int = -1,
    progress: ProgressCallback | None = None,
) -> Scored:
    """Answers to score, with their truth.

    Args:
        what: A run or team with an out-of-fold table, or that table; a checkpoint or its folder; a submission (CSV).
        against: Of a table, the manifest it was made on, if more is to be told; of a checkpoint, a manifest; of a
            submission, a CSV of the same form with the true classes.
        fold: Of the manifest, to ask a checkpoint about; the one that its training held out when not given.
        device: To ask a checkpoint on.
        workers: Processes that read photos for it.
        progress: Called with (photos done, photos in all).

    Raises:
        MissingInputError: There is no such file, or what it is compared with wasn't named.
        SettingsError: The two don't belong together.
        ModelsError: A table or checkpoint is broken.
        DatasetsError: The manifest can't be read.
    """
    from models.oof import OOF

    if not what.exists():
        raise MissingInputError(f"nothing at {what}: name a run's folder, a checkpoint, or a submission.csv")
    if what.suffix.lower() == ".csv":
        return _submission(what, against)
    if what.suffix == ".parquet" or (what / OOF).is_file():
        return _out_of_fold(what, against)
    return _checkpoint(what, against, fold, device, workers, progress)


def _submission(what: Path, against: Path | None) -> Scored:
    from models.heads import to_codes

    if against is None:
        raise MissingInputError(f"{what} needs the truth to be compared with: a CSV of {','.join(_ANSWERS)}")
    answers, truth = _read_answers(what), _read_answers(against)
    lacking = truth.index.difference(answers.index)
    if len(lacking):
        raise SettingsError(
            f"{what} has no answer for {len(lacking)} of the {len(truth)} photos of {against}, such as {lacking[0]}"
        )
    more = len(answers) - len(truth)
    notes = (f"{more} answers are to photos that {against.name} doesn't name; they don't count.",) if more else ()
    return Scored(
        said=f"{what.name} against {against.name}",
        photo_ids=tuple(map(str, truth.index)),
        truth=to_codes(truth.to_numpy(dtype=np.int64)),
        answers=to_codes(answers.loc[truth.index].to_numpy(dtype=np.int64)),
        synthetic=np.zeros(len(truth), dtype=bool),
        notes=notes,
    )


def _read_answers(path: Path) -> pd.Series[Any]:
    """The classes 0..17 of a CSV of `ImageID,ans`, by ImageID."""
    if not path.is_file():
        raise MissingInputError(f"no file at {path}: expected a CSV of {','.join(_ANSWERS)}")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise SettingsError(f"{path} can't be read as CSV ({str(error).splitlines()[0]})") from error
    if not set(_ANSWERS) <= set(frame.columns):
        columns = ", ".join(map(str, frame.columns))
        raise SettingsError(f"{path} has the columns {columns}; expected {','.join(_ANSWERS)}")
    ids, classes = frame[_ANSWERS[0]], frame[_ANSWERS[1]].str.strip()
    wrong = ~classes.str.fullmatch(r"0*(1[0-7]|[0-9])")
    if wrong.any():
        raise SettingsError(f"{path} answers {ids[wrong].iloc[0]} with {classes[wrong].iloc[0]!r}: expected 0 to 17")
    if ids.duplicated().any():
        raise SettingsError(f"{path} names {ids[ids.duplicated()].iloc[0]} more than once: each photo once is expected")
    if not len(frame):
        raise SettingsError(f"{path} has no rows")
    return classes.astype("int64").set_axis(pd.Index(ids))


def _out_of_fold(what: Path, against: Path | None) -> Scored:
    from models.oof import read_oof
    from models.team import TEAM, open_run

    table = read_oof(what)
    codes, notes = _with_cutoffs(table, None)
    checkpoints: dict[int, Path] = {}
    if what.is_dir() and (what / TEAM).is_file():
        team = open_run(what)
        codes, notes = _with_cutoffs(table, team.blend.cutoffs)
        if len(team.groups) == 1:
            checkpoints = _by_fold(member.checkpoint for member in team.members)
    rows, root = _matched(against, table.photo_ids)
    name = what.name if what.is_dir() else what.resolve().parent.name
    return Scored(
        said=f"{name}, out of fold: each photo by models that have not seen its person",
        photo_ids=table.photo_ids,
        truth=table.truth,
        answers=codes,
        synthetic=table.synthetic,
        chances=table.chances,
        folds=table.folds,
        rows=rows,
        root=root,
        checkpoints=checkpoints,
        notes=notes,
    )


def _by_fold(checkpoints: Iterable[Path]) -> dict[int, Path]:
    """The checkpoints in folders named `fold-K`, by K."""
    named = {path: path.parent.name.removeprefix("fold-") for path in checkpoints}
    return {int(name): path for path, name in named.items() if name.isdecimal()}


def _with_cutoffs(table: OutOfFold, cutoffs: Any) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Answers with cut-offs as the team has them, but each fold's fitted on the other ones."""
    from models.cutoffs import choose_cutoffs

    if not cutoffs:
        return table.chances.codes(), ()
    chosen = choose_cutoffs(table, ["classes" if "label" in cutoffs else "heads"])
    told = f"macro F1 {chosen.plain:.4f} without them, {chosen.plain + chosen.gain:.4f} with them"
    return chosen.codes, (f"Answers are with cut-offs, each fold's fitted on the other folds: {told}.",)


def _matched(manifest: Path | None, photo_ids: Sequence[str]) -> tuple[pd.DataFrame | None, Path | None]:
    """The manifest's rows of some photos, in their order, and its folder."""
    if manifest is None:
        return None, None
    from datasets.manifest import manifest_file, read_manifest

    frame = read_manifest(manifest).set_index("photo_id", drop=False)
    lacking = [each for each in photo_ids if each not in frame.index]
    if lacking:
        raise SettingsError(
            f"{manifest} lacks {len(lacking)} of the {len(photo_ids)} photos that were answered, such as {lacking[0]}: "
            "name the manifest that the run was trained on"
        )
    return frame.loc[list(photo_ids)].reset_index(drop=True), manifest_file(manifest).parent


def _checkpoint(
    what: Path,
    against: Path | None,
    fold: int | None,
    device: Device,
    workers: int,
    progress: ProgressCallback | None,
) -> Scored:
    from models.splits import split_manifest
    from models.team import open_run

    if against is None:
        raise MissingInputError(f"{what} needs people to ask it about: palette score CHECKPOINT MANIFEST")
    team = open_run(what)
    settings = _settings_of(what, team.configs()[0], fold)
    splits = split_manifest(against, settings)
    tables = []
    for examples in (splits.real, splits.synthetic):
        if len(examples):
            said = team.answer(examples, device=device, workers=workers, stage="score", progress=progress)
            tables.append((examples, said))
    answered = [(examples, said) for examples, said in tables if len(said.index)]
    if not answered:
        raise MissingInputError(f"none of the photos of fold {settings.fold} could be read: is {against} beside them?")
    table = _joined(answered, settings.fold)
    refused = sum(len(said.refusals) for _, said in tables)
    rows, root = _matched(against, table.photo_ids)
    place = {
        examples.photo_ids[row]: codes
        for examples, said in answered
        for row, codes in zip(said.index, said.codes, strict=True)
    }
    return Scored(
        said=f"{what.name} on the people of fold {settings.fold} of {against.name}",
        photo_ids=table.photo_ids,
        truth=table.truth,
        answers=np.stack([place[each] for each in table.photo_ids]),
        synthetic=table.synthetic,
        chances=table.chances,
        folds=table.folds,
        rows=rows,
        root=root,
        checkpoints={settings.fold: team.members[0].checkpoint},
        notes=(f"{refused} photos could not be read and don't count.",) if refused else (),
    )


def _joined(answered: Sequence[tuple[Any, Any]], fold: int) -> OutOfFold:
    from models.oof import OutOfFold, joined

    return joined(
        [
            OutOfFold(
                tuple(examples.photo_ids[row] for row in said.index),
                np.full(len(said.index), fold, dtype=np.int64),
                examples.synthetic[said.index],
                examples.codes[said.index],
                said.chances,
            )
            for examples, said in answered
        ]
    )


def _settings_of(what: Path, config: Any, fold: int | None) -> Any:
    """What splits a manifest as the checkpoint's training did, as far as the figures beside it tell."""
    from models.settings import TrainSettings

    beside = (what if what.is_dir() else what.parent) / "metrics.json"
    try:
        told = json.loads(beside.read_text(encoding="utf-8"))["settings"]
        known = {name: told[name] for name in ("fold", "seed") if name in told}
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    if fold is not None:
        known["fold"] = fold
    if "fold" not in known:
        raise SettingsError(f"{beside} doesn't say which fold {what.name} hasn't seen: name it with --fold")
    return TrainSettings(
        head=config.head, parts=",".join(config.parts), age_as=config.age_as, crop=config.crop, **known
    )
