"""Answers for an evaluation folder, in the competition's form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from datasets.labels import N_LABELS
from datasets.manifest import make_refusals, write_refusals
from models.answering import TeamAnswers
from models.chance_table import check_suffix, write_chances
from models.data import Examples
from models.errors import EvaluationFolderError, TeamError
from models.eval_folder import COLUMNS, INFO, find_images, photo_id, read_info
from models.heads import HEADS, to_labels
from models.inference import Progress
from models.onnx_model import Faces, Model, open_model, with_faces
from models.settings import Device, Tta

_STAGE = "predict"
_BATCH = 64


def refusals_path(out: Path) -> Path:
    """Where `predict` reports the photos it could not read: `submission.refusals.csv` beside `submission.csv`."""
    return out.with_name(f"{out.stem}.refusals.csv")


def predict(
    run: Path,
    eval_dir: Path,
    out: Path,
    device: Device = "auto",
    progress: Progress | None = None,
    *,
    tta: Tta = "none",
    chances: Path | None = None,
    faces: Faces | None = None,
    batch_size: int = _BATCH,
    workers: int = -1,
) -> pd.DataFrame:
    """Answers every row of an evaluation folder and writes the submission.

    A photo that is missing, broken, or named so that it would lie outside the folder is answered with the commonest
    label of training, and reported in `submission.refusals.csv` beside the submission (written even when empty). A
    name that `info.csv` has twice is answered twice, alike. What was written is read back and compared with `info.csv`
    before it takes its place.

    Args:
        run: a `model.safetensors`, a `team.json`, the folder that holds either, or a file of `models.export_onnx`.
        eval_dir: folder with `info.csv` (`ImageID,ans`) and `images/`.
        out: the CSV to write, atomically.
        device: `auto` takes a GPU when there is one.
        progress: called as progress(photos done, photos), of all passes over the photos.
        tta: views of a photo whose chances are averaged.
        chances: where to write the chances to as well: CSV or Parquet, the columns `ImageID`, `ans`, `label_0` to
            `label_17`, `mask_0`, ... and `years` where a model gives them; empty where no photo could be read.
        faces: finds faces, for a run that was trained on squares about them.
        batch_size: photos at once.
        workers: processes that read photos; -1 chooses.

    Returns:
        The submission: `ImageID` and `ans` (0..17), in the order of `info.csv`.

    Raises:
        EvaluationFolderError: the folder or its `info.csv` is not in that form.
        TeamError: there is no run, or it doesn't answer mask, gender and age group.
        CheckpointError: a checkpoint can't be used.
        SettingsError: the chances' file has another suffix.
    """
    eval_dir, out = Path(eval_dir), Path(out)
    if chances is not None:
        check_suffix(chances)
    names = read_info(eval_dir)
    team = open_model(run)
    _check_whole(team, run)
    found, refusals = find_images(names, eval_dir, _STAGE)
    rows = np.array(sorted(found), dtype=np.int64)
    examples = Examples.unlabelled([found[row] for row in rows], [photo_id(names[row], row) for row in rows])
    said = team.answer(
        with_faces(team, examples, faces),
        device=device,
        workers=workers,
        batch_size=batch_size,
        tta=tta,
        stage=_STAGE,
        progress=progress,
    )
    read = rows[said.index]
    submission = pd.DataFrame({COLUMNS[0]: names, COLUMNS[1]: _answers(team, said, read, len(names))})
    _write_checked(submission, out, eval_dir)
    write_refusals(make_refusals([*refusals, *said.refusals]), refusals_path(out))
    if chances is not None:
        write_chances({name: submission[name] for name in COLUMNS}, said.chances, read, Path(chances))
    return submission


def _check_whole(team: Model, run: Path) -> None:
    if team.heads != HEADS:
        missing = ", ".join(name for name in HEADS if name not in team.heads)
        raise TeamError(
            f"{run} answers {', '.join(team.heads)} alone, and a submission needs {missing} as well: "
            "put it into a team with a run that does (palette ensemble)"
        )


def _answers(team: Model, said: TeamAnswers, read: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(count,) labels of all rows; those without a photo get the label that is commonest in training."""
    answers = np.full(count, team.most_frequent, dtype=np.int64)
    answers[read] = to_labels(said.codes)
    return answers


def _write_checked(submission: pd.DataFrame, out: Path, eval_dir: Path) -> None:
    """Writes the submission, and lets it take its place only if it reads back as an answer to each row in order."""
    with atomic_write(out) as temporary:
        submission.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
        again = pd.read_csv(temporary, dtype=str, keep_default_na=False, encoding="utf-8")
        labels = {str(label) for label in range(N_LABELS)}
        if tuple(again.columns) != COLUMNS or not again[COLUMNS[1]].isin(labels).all():
            raise EvaluationFolderError(
                f"{out} would not hold a label 0..{N_LABELS - 1} for each row; nothing is written"
            )
        names = list(submission[COLUMNS[0]])
        if list(again[COLUMNS[0]]) != names:
            pairs = zip(names, [*again[COLUMNS[0]], *names], strict=False)
            row = next((at for at, (mine, read) in enumerate(pairs) if mine != read), len(names))
            raise EvaluationFolderError(
                f"row {row + 1} of {eval_dir / INFO} has a name that no CSV keeps as it is; nothing is written"
            )
