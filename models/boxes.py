"""Where the faces of a manifest's photos lie: the table `faces.csv` beside it, which `palette train` makes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import TrainingDataError

FACES: Final = "faces.csv"
COLUMNS: Final = ("photo_id", "sha256", "x", "y", "width", "height", "found", "unread", "made_from")
"""`sha256` of the photo's file, which tells a row of a photo that has changed since; x and y of the box's left upper
corner, its width and its height as shares of the upright photo's width and height, empty where no face is known;
`found` says how, for people to read; `unread` why the photo could not be looked at, empty where it was; `made_from`
stands for the finder and for what the manifest said of the photo."""

_SHARES: Final = ["x", "y", "width", "height"]


def read_boxes(folder: Path, photo_ids: Sequence[str], sha256: Sequence[str] = ()) -> NDArray[np.float32]:
    """The boxes of photos, in their order.

    Args:
        folder: the manifest's, in which `faces.csv` lies.
        photo_ids: (N,) of the photos.
        sha256: (N,) of their files; a row of the table for other bytes doesn't count. Not compared where empty.

    Returns:
        (N, 4) float32 x, y, width, height, shares; nan where the table has no face.

    Raises:
        TrainingDataError: there is no such table, or it can't be read.
    """
    path = Path(folder) / FACES
    if not path.is_file():
        raise TrainingDataError(
            f"crop is face, and there is no {FACES} in {folder}: `palette train --crop face` makes one, crop middle "
            "needs none"
        )
    try:
        table = pd.read_csv(path, dtype={"photo_id": str, "sha256": str}, usecols=["photo_id", "sha256", *_SHARES])
        shares = table[_SHARES].to_numpy(dtype=np.float32)
    except (ValueError, OSError) as error:
        told = str(error).splitlines()[0]
        raise TrainingDataError(
            f"{path} is no table of {', '.join(COLUMNS)} ({told}): remove it, it is made again"
        ) from error
    usable = np.isfinite(shares).all(axis=1) & (shares[:, 2:] > 0).all(axis=1)
    rows = {name: row for row, name in enumerate(table["photo_id"].tolist()) if usable[row]}
    hashes = table["sha256"].tolist()
    boxes = np.full((len(photo_ids), 4), np.nan, dtype=np.float32)
    for at, name in enumerate(photo_ids):
        row = rows.get(name)
        if row is not None and (not sha256 or hashes[row] == sha256[at]):
            boxes[at] = shares[row]
    return boxes
