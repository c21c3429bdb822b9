"""Answers for an evaluation folder, in the competition's form."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from datasets.atomic import atomic_write
from datasets.manifest import make_refusals, write_refusals
from datasets.photos import PHOTO_SUFFIXES
from datasets.refusals import Refusal, printable
from models.checkpoint import load_checkpoint
from models.data import Examples
from models.devices import choose_device, choose_workers
from models.errors import EvaluationFolderError
from models.heads import to_labels
from models.inference import Progress, Reading, answer
from models.settings import Device

INFO = "info.csv"
COLUMNS = ("ImageID", "ans")

_STAGE = "predict"
_BATCH = 64


def refusals_path(out: Path) -> Path:
    """Where `predict` reports the photos it could not read: `submission.refusals.csv` beside `submission.csv`."""
    return out.with_name(f"{out.stem}.refusals.csv")


def predict(
    checkpoint: Path,
    eval_dir: Path,
    out: Path,
    device: Device = "auto",
    progress: Progress | None = None,
    *,
    batch_size: int = _BATCH,
    workers: int = -1,
) -> pd.DataFrame:
    """Answers every row of an evaluation folder and writes the submission.

    A photo that is missing, broken, or named so that it would lie outside the folder is answered with the commonest
    label of training, and reported in `submission.refusals.csv` beside the submission (written even when empty).

    Args:
        checkpoint: the `model.safetensors` of a training run.
        eval_dir: folder with `info.csv` (`ImageID,ans`) and `images/`.
        out: the CSV to write, atomically.
        device: `auto` takes a GPU when there is one.
        progress: called as progress(photos done, photos).
        batch_size: photos at once.
        workers: processes that read photos; -1 chooses.

    Returns:
        The submission: `ImageID` and `ans` (0..17), in the order of `info.csv`.

    Raises:
        EvaluationFolderError: the folder or its `info.csv` is not in that form.
        CheckpointError: the checkpoint can't be used.
    """
    where = choose_device(device)
    eval_dir, out = Path(eval_dir), Path(out)
    names = read_info(eval_dir)
    network, config = load_checkpoint(Path(checkpoint))
    found, refusals = _find(names, eval_dir / "images")
    reading = Reading(config.image_size, config.mean, config.std, batch_size, choose_workers(workers, where))
    examples = _examples(names, found)
    said = answer(network.to(where), examples, reading, config.layout, where, stage=_STAGE, progress=progress)

    answers = np.full(len(names), config.most_frequent, dtype=np.int64)
    rows = np.array(sorted(found), dtype=np.int64)
    answers[rows[said.index]] = to_labels(said.chances.codes())
    submission = pd.DataFrame({COLUMNS[0]: names, COLUMNS[1]: answers})
    with atomic_write(out) as temporary:
        submission.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    write_refusals(make_refusals([*refusals, *said.refusals]), refusals_path(out))
    return submission


def read_info(eval_dir: Path) -> list[str]:
    """The photo names of an evaluation folder's `info.csv`, in order.

    Raises:
        EvaluationFolderError: there is no such file, or it isn't `ImageID,ans`.
    """
    path = Path(eval_dir) / INFO
    if not path.is_file():
        raise EvaluationFolderError(f"no {INFO} in {eval_dir}: expected {INFO} ({','.join(COLUMNS)}) and images/")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise EvaluationFolderError(f"{path} can't be read as CSV ({str(error).splitlines()[0]})") from error
    if COLUMNS[0] not in frame.columns:
        columns = ", ".join(map(str, frame.columns))
        raise EvaluationFolderError(f"{path} has the columns {columns}; expected {','.join(COLUMNS)}")
    return [str(name) for name in frame[COLUMNS[0]]]


def _find(names: list[str], images: Path) -> tuple[dict[int, Path], list[Refusal]]:
    """The photo of each row, and a refusal for each row whose name leads out of the folder."""
    found, refusals = {}, []
    root = images.resolve()
    for row, name in enumerate(names):
        path = images / name
        if not name or "\x00" in name or PurePosixPath(name).is_absolute() or not path.resolve().is_relative_to(root):
            refusals.append(Refusal(_photo_id(name, row), _STAGE, "outside_root", "the name leads out of images/"))
        else:
            found[row] = _with_suffix(path)
    return found, refusals


def _with_suffix(path: Path) -> Path:
    """The photo of that name; some tables leave the suffix out."""
    if path.suffix.lower() in PHOTO_SUFFIXES:
        return path
    candidates = [path.with_name(path.name + suffix) for suffix in sorted(PHOTO_SUFFIXES)]
    return next((each for each in candidates if os.path.isfile(each)), path)  # noqa: PTH113  a name may be too long


def _examples(names: list[str], found: dict[int, Path]) -> Examples:
    rows = sorted(found)
    return Examples.unlabelled([found[row] for row in rows], [_photo_id(names[row], row) for row in rows])


def _photo_id(name: str, row: int) -> str:
    return printable(name) or f"row {row + 1}"
