"""What can be scored: a run or team by its out-of-fold table, a checkpoint on held-out people, a submission."""

from __future__ import annotations

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
        checkpoints: the models that answered each fold, those that are at hand.
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
    checkpoints: dict[int, tuple[Path, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def people(self) -> list[str]:
        """(N,) who is in each photo; where no manifest says so, each photo is a person of its own."""
        if self.rows is not None:
            return [str(each) for each in self.rows["person_id"]]
        made = zip(self.photo_ids, self.synthetic, strict=True)
        # A variant's id is its photo's and a name after #; a photo's own name may hold one, too.
        return [each.rpartition("#")[0] if synthetic else each for each, synthetic in made]


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
        fold: Of a table, the fold to score alone; of a checkpoint, the fold of the manifest to ask it about, the one
            that its training held out when not given.
        device: To ask a checkpoint on.
        workers: Processes that read photos for it.
        progress: Called with (photos done, photos in all).

    Raises:
        MissingInputError: There is no such file, or what it is compared with wasn't named.
        SettingsError: The two don't belong together.
        ModelsError: A table or checkpoint is broken.
        DatasetsError: The manifest can't be read.
    """
    from pipelines.scoring.asking import ask_checkpoint

    if not what.exists():
        raise MissingInputError(f"nothing at {what}: name a run's folder, a checkpoint, or a submission.csv")
    if what.suffix.lower() == ".csv":
        if fold is not None:
            raise SettingsError(f"{what.name} is of no fold: leave out --fold, which goes with runs and checkpoints")
        return _submission(what, against)
    folder = _folder_of(what)
    if folder is not None or what.suffix == ".parquet":
        return _out_of_fold(folder or what, against, fold)
    return ask_checkpoint(what, against, fold, device, workers, progress)


def _folder_of(what: Path) -> Path | None:
    """The folder of a run or team with an out-of-fold table, named itself or by its table or `team.json`."""
    from models.oof import OOF
    from models.team import TEAM

    folder = what.parent if what.name in (OOF, TEAM) and what.is_file() else what
    return folder if (folder / OOF).is_file() else None


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


def _out_of_fold(what: Path, against: Path | None, fold: int | None) -> Scored:
    from models.oof import read_oof

    table = read_oof(what)
    cutoffs, checkpoints = _models_of(what) if what.is_dir() else (None, {})
    codes, notes = _with_cutoffs(table, cutoffs)
    told = "out of fold"
    if fold is not None:
        inside = table.folds == fold
        if not inside.any():
            there = ", ".join(map(str, np.unique(table.folds)))
            raise SettingsError(f"{what} has no photo of fold {fold}: its folds are {there}")
        table, codes, told = table.take(inside), codes[inside], f"fold {fold}"
    rows, root = matched(against, table.photo_ids)
    name = (what if what.is_dir() else what.parent).resolve().name
    return Scored(
        said=f"{name}, {told}: each photo by models that have not seen its person",
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


def _models_of(folder: Path) -> tuple[Any, dict[int, tuple[Path, ...]]]:
    """The cut-offs of what lies beside a table, and its models by the fold they haven't seen."""
    from models.team import CHECKPOINT, TEAM, open_run

    if not any((folder / name).is_file() for name in (TEAM, CHECKPOINT)):
        return None, {}
    team = open_run(folder)
    return team.blend.cutoffs, _by_fold(member.checkpoint for member in team.members)


def _by_fold(checkpoints: Iterable[Path]) -> dict[int, tuple[Path, ...]]:
    """The checkpoints in folders named `fold-K`, by K."""
    found: dict[int, tuple[Path, ...]] = {}
    for path in checkpoints:
        name = path.resolve().parent.name.removeprefix("fold-")
        if name.isdecimal():
            found[int(name)] = (*found.get(int(name), ()), path)
    return found


def _with_cutoffs(table: OutOfFold, cutoffs: Any) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Answers with cut-offs as the team has them, but each fold's fitted on the other ones."""
    from models.cutoffs import choose_cutoffs

    if not cutoffs:
        return table.chances.codes(), ()
    chosen = choose_cutoffs(table, ["classes" if "label" in cutoffs else "heads"])
    if chosen.kind is None:
        return chosen.codes, (
            "Answers are without the team's cut-offs: on folds that they were not fitted on such cut-offs are no gain.",
        )
    told = f"macro F1 over all folds {chosen.plain:.4f} without them, {chosen.plain + chosen.gain:.4f} with them"
    return chosen.codes, (f"Answers are with cut-offs, each fold's fitted on the other folds: {told}.",)


def matched(manifest: Path | None, photo_ids: Sequence[str]) -> tuple[pd.DataFrame | None, Path | None]:
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
