"""Where the faces of a manifest's photos lie, found once and kept as `faces.csv` beside it, for squares cut about them.

Worn masks hide faces from finders, or move what they find, and no photo must be told from others by how it was cut. So
a variant with a mask has the box of the photo it was made from, or of a bare variant of that, where they have its size;
a photo whose face isn't found, that of the same person's other photos of its size, or what is usual in its source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from datasets.errors import PhotoError
from datasets.manifest import manifest_file, read_manifest
from datasets.photos import read_photo
from datasets.workers import map_files
from models.boxes import COLUMNS, FACES
from pipelines.types import ProgressCallback

if TYPE_CHECKING:
    from synth import FaceFinder
    from synth.face import Face
    from synth.landmark_cache import LandmarkCache

MAX_SIDE: Final = 640
"""Pixels of the longer side that faces are looked for at: a box needs no finer landmarks."""
FEWEST: Final = 5
"""Faces found in a source before what is usual there counts."""

_SHARES: Final = ["x", "y", "width", "height"]
_DIGITS: Final = 5


@dataclass(frozen=True)
class BoxesSummary:
    """What looking for faces gave.

    Attributes:
        table: `faces.csv`.
        found: Photos by how their box is known: `found`, `parent`, `person`, `source`, or `none`.
        reused: The table was there and knew every photo.
    """

    table: Path
    found: dict[str, int]
    reused: bool


def boxes_of_manifest(manifest: Path, *, workers: int = 1, progress: ProgressCallback | None = None) -> BoxesSummary:
    """Write `faces.csv` beside a manifest, unless one is there that knows all of its photos.

    Landmarks are kept by content in `.palette/landmarks` beside it, so that a manifest that grew has only its new
    photos looked at.

    Args:
        manifest: The file, or its folder.
        workers: Processes.
        progress: Called with (photos done, photos to do).

    Raises:
        DatasetsError: There is no manifest, or the table can't be written.
        SynthError: The finder's models are missing.
    """
    frame = read_manifest(manifest)
    folder = manifest_file(manifest).parent
    known = _known(folder / FACES)
    keys = list(zip(frame["photo_id"].tolist(), frame["sha256"].tolist(), strict=True))
    if known is not None and all(key in known for key in keys):
        return BoxesSummary(folder / FACES, _counts([known[key] for key in keys]), True)
    table = _look(frame, folder, workers, progress)
    with atomic_write(folder / FACES) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    return BoxesSummary(folder / FACES, _counts(table["found"].tolist()), False)


def boxes_of_files(
    paths: Sequence[Path], cache: Path, *, workers: int = 1, progress: ProgressCallback | None = None
) -> NDArray[np.float32]:
    """Find the faces of photos that no manifest lists, such as an evaluation folder's.

    Args:
        paths: Of the photos.
        cache: Folder that keeps landmarks by content; made.
        workers: Processes.
        progress: Called with (photos done, photos to do).

    Returns:
        (N, 4) float32 x, y, width, height as shares of each photo; what is usual among them where no face is found, and
        nan where that is not known.

    Raises:
        SynthError: The finder's models are missing, or the cache can't be written.
    """
    found = _find_all([("", path) for path in paths], cache, workers, progress)
    shares = np.array(found, dtype=np.float32).reshape(-1, 4)
    known = np.isfinite(shares[:, 0])
    if known.sum() >= FEWEST:
        shares[~known] = np.median(shares[known], axis=0)
    return shares


def _known(path: Path) -> dict[tuple[str, str], str] | None:
    """How each photo's box is known by the table that is there; None without one that can be read."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=list(COLUMNS))
    except (OSError, ValueError):
        return None
    keys = zip(table["photo_id"].tolist(), table["sha256"].tolist(), strict=True)
    return dict(zip(keys, table["found"].tolist(), strict=True))


def _counts(found: Sequence[str]) -> dict[str, int]:
    counts = pd.Series([each or "none" for each in found], dtype=str).value_counts()
    return {str(name): int(count) for name, count in counts.items()}


def _look(frame: pd.DataFrame, folder: Path, workers: int, progress: ProgressCallback | None) -> pd.DataFrame:
    from synth.journal import FOLDER
    from synth.landmark_cache import FOLDER as LANDMARKS

    # Several rows may be copies of one file.
    files = {sha256: folder / path for sha256, path in zip(frame["sha256"], frame["path"], strict=True)}
    boxes = _find_all(list(files.items()), folder / FOLDER / LANDMARKS, workers, progress)
    by_file = dict(zip(files, boxes, strict=True))
    table = frame[["photo_id", "sha256"]].reset_index(drop=True)
    shares = np.array([by_file[sha256] for sha256 in table["sha256"]], dtype=np.float64).reshape(-1, 4)
    table[_SHARES] = shares
    table["found"] = np.where(np.isnan(shares[:, 0]), "", "found")
    return fill_in(table, frame.reset_index(drop=True))


def _find_all(
    items: Sequence[tuple[str, Path]], cache: Path, workers: int, progress: ProgressCallback | None
) -> list[tuple[float, float, float, float]]:
    """The box of each photo, nan where there is none."""
    work, several = partial(find_box, cache), min(workers, max(len(items), 1))
    boxes = map_files(work, items, workers=several, crashed=_crashed, progress=progress)
    return [(math.nan,) * 4 if box is None else box for box in boxes]


def find_box(cache: Path, item: tuple[str, Path]) -> tuple[float, float, float, float] | None:
    """Find the largest face of a photo.

    Args:
        cache: Folder of landmarks found before.
        item: SHA-256 of the bytes that are meant (empty: whichever they are), and the file.

    Returns:
        x, y, width and height of its box, brows to chin and ear to ear, as shares of the photo; None where no face is
        found, and where the photo can't be read or isn't the one that is meant: training says so in its own words.
    """
    sha256, path = item
    try:
        photo = read_photo(path, max_side=MAX_SIDE)
    except PhotoError:
        return None
    if sha256 not in ("", photo.sha256):
        return None
    faces = _find(photo.rgb, photo.sha256, cache)
    return share_of(faces[0], photo.rgb.shape) if faces else None


def share_of(face: Face, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return a face's box as shares of a photo of that shape (H, W, 3).

    Landmarks that only follow the detector's box say no more than that box.
    """
    from synth.face import STEADY

    corners = face.landmarks if face.spread <= STEADY else face.box.reshape(2, 2)
    (left, top), (right, bottom) = corners.min(0) / shape[1::-1], corners.max(0) / shape[1::-1]
    x, y, width, height = (round(float(each), _DIGITS) for each in (left, top, right - left, bottom - top))
    return x, y, width, height


@lru_cache(maxsize=1)
def _finder() -> FaceFinder:
    from synth import FaceFinder

    return FaceFinder()


@lru_cache(maxsize=1)
def _cache(folder: Path) -> LandmarkCache:
    from synth.landmark_cache import LandmarkCache

    return LandmarkCache(folder)


def _find(rgb: Any, sha256: str, folder: Path) -> list[Face]:
    from synth.landmark_cache import cache_key

    key = cache_key(sha256, rgb.shape, f"{_finder().identity()}, the largest")
    faces = _cache(folder).get(key)
    if faces is None:
        faces = _finder().find(rgb, rivals=1.0)
        _cache(folder).put(key, faces)
    return faces


def _crashed(item: tuple[str, Path]) -> None:
    return None


def fill_in(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Give masked variants the box of their bare photo, and photos without a found face the one that is likeliest.

    Args:
        table: photo_id, sha256, x, y, width, height, and `found`, which is empty where no face was found.
        frame: The manifest's rows, in the same order.

    Returns:
        The table with boxes of `parent`, `person` or `source` filled in; where none of them has one, none.
    """
    table = table.copy()
    found = table["found"].eq("found")
    size = frame["width"].astype(str) + "x" + frame["height"].astype(str)
    # A variant that was reframed shows its face elsewhere: only pictures of one size have it in one place.
    variant = frame["parent_id"].notna()
    place = frame["parent_id"].where(variant, frame["photo_id"]).astype(str) + "\n" + size
    bare = found & (~variant | frame["mask"].eq("not_wear").fillna(False))
    # The photo itself comes before bare variants of it.
    order = variant[bare].sort_values(kind="stable").index
    first = table.loc[order, _SHARES].groupby(place[order], sort=False).first()
    parents = first.reindex(place).reset_index(drop=True)
    better = variant & ~bare & parents.notna().all(axis=1)
    table.loc[better, _SHARES] = parents[better]
    table.loc[better, "found"] = "parent"
    found = table["found"].eq("found")
    persons = _usual(table, found, frame["person_id"] + "\n" + size, fewest=1)
    sources = _usual(table, found, frame["source"].astype(str), fewest=FEWEST)
    for name, boxes in (("person", persons), ("source", sources)):
        chosen = table["found"].eq("") & boxes.notna().all(axis=1)
        table.loc[chosen, _SHARES] = boxes.loc[chosen].round(_DIGITS)
        table.loc[chosen, "found"] = name
    return table[list(COLUMNS)]


def _usual(table: pd.DataFrame, found: pd.Series[bool], group: pd.Series[str], fewest: int) -> pd.DataFrame:
    """(N, 4) medians over the found boxes of each row's group; nan where fewer were found."""
    of_group = table.loc[found, _SHARES].groupby(group[found])
    medians = of_group.median()[of_group.size() >= fewest]
    return medians.reindex(group).reset_index(drop=True)
