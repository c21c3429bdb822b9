"""Chances as a table that other programs read: CSV or Parquet, by the file's suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from models.chances import Chances
from models.errors import SettingsError

SUFFIXES: Final = (".csv", ".parquet")


def check_suffix(path: Path) -> Path:
    """The path, once it is sure that `write_chances` can write to it.

    Raises:
        SettingsError: its suffix is none of SUFFIXES.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise SettingsError(f"chances go to a file that ends in {' or '.join(SUFFIXES)}, not to {path}")
    return Path(path)


def chance_columns(chances: Chances) -> dict[str, NDArray[np.float64]]:
    """The columns of chances: `label_0` to `label_17` (where classes are answered), `mask_0`, ... and `years`."""
    pieces = ({} if chances.label is None else {"label": chances.label}) | chances.heads
    columns = {f"{name}_{at}": piece[:, at] for name, piece in pieces.items() for at in range(piece.shape[1])}
    return columns if chances.years is None else columns | {"years": chances.years}


def write_chances(first: dict[str, Any], chances: Chances, rows: NDArray[np.int64], path: Path) -> pd.DataFrame:
    """Writes chances, whole or not at all.

    Args:
        first: columns to begin with, one value a row.
        chances: of some of the rows.
        rows: (M,) which; the others' chances are left empty.
        path: the file, of one of SUFFIXES; CSV has six significant digits.

    Returns:
        The table.

    Raises:
        SettingsError: the suffix is another.
        OutputError: the file can't be written.
    """
    frame = pd.DataFrame(first)
    for name, values in chance_columns(chances).items():
        column = np.full(len(frame), np.nan)
        column[rows] = values
        frame[name] = column
    with atomic_write(check_suffix(path)) as temporary:
        if path.suffix.lower() == ".csv":
            frame.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g", encoding="utf-8")
        else:
            frame.to_parquet(temporary, index=False)
    return frame
