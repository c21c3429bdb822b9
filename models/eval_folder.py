"""Folders to predict on, in the competition's form: `info.csv` and `images/`."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Final

import pandas as pd

from datasets.photos import PHOTO_SUFFIXES
from datasets.refusals import Refusal, printable
from models.errors import EvaluationFolderError

INFO: Final = "info.csv"
IMAGES: Final = "images"
COLUMNS: Final = ("ImageID", "ans")


def read_info(eval_dir: Path) -> list[str]:
    """The photo names of an evaluation folder's `info.csv`, in order.

    Raises:
        EvaluationFolderError: there is no such file, or it isn't `ImageID,ans`.
    """
    path = Path(eval_dir) / INFO
    if not path.is_file():
        raise EvaluationFolderError(f"no {INFO} in {eval_dir}: expected {INFO} ({','.join(COLUMNS)}) and {IMAGES}/")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise EvaluationFolderError(f"{path} can't be read as CSV ({str(error).splitlines()[0]})") from error
    if COLUMNS[0] not in frame.columns:
        columns = ", ".join(map(str, frame.columns))
        raise EvaluationFolderError(f"{path} has the columns {columns}; expected {','.join(COLUMNS)}")
    return [str(name) for name in frame[COLUMNS[0]]]


def find_images(names: list[str], eval_dir: Path, stage: str) -> tuple[dict[int, Path], list[Refusal]]:
    """The photo of each row, and a refusal for each row whose name leads out of the folder.

    Args:
        names: of `read_info`.
        eval_dir: the folder.
        stage: what refusals say they come from.

    Returns:
        Paths by row, which need not exist, and refusals.
    """
    images = Path(eval_dir) / IMAGES
    found, refusals = {}, []
    root = images.resolve()
    for row, name in enumerate(names):
        path = images / name
        if not name or "\x00" in name or PurePosixPath(name).is_absolute() or not path.resolve().is_relative_to(root):
            refusals.append(Refusal(photo_id(name, row), stage, "outside_root", f"the name leads out of {IMAGES}/"))
        else:
            found[row] = _with_suffix(path)
    return found, refusals


def photo_id(name: str, row: int) -> str:
    """What a row is called in refusals: its name on one line, or its number where it has none."""
    return printable(name) or f"row {row + 1}"


def _with_suffix(path: Path) -> Path:
    """The photo of that name; some tables leave the suffix out."""
    if path.suffix.lower() in PHOTO_SUFFIXES:
        return path
    candidates = [path.with_name(path.name + suffix) for suffix in sorted(PHOTO_SUFFIXES)]
    return next((each for each in candidates if os.path.isfile(each)), path)  # noqa: PTH113  a name may be too long
