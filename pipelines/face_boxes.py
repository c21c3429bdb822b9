"""Where the faces of a manifest's photos lie, found once and kept as `faces.csv` beside it, for squares cut about them.

Worn masks hide faces from finders, or move what they find, and no photo must be told from others by how it was cut. So
a variant with a mask has the box of the photo it was made from, or of a bare variant of that, where they have its size;
a photo whose face isn't found, that of the same person's other photos of its size, or what is usual in its source.

A photo that could not be looked at, as when its disk isn't there, has its box in the same way and is marked: the next
run tries it again, and makes the table anew once it can be read.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from contextlib import closing
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
from datasets.workers import map_files, stream_files
from models.boxes import COLUMNS, FACES
from pipelines.faces import face_finder, find_likely
from pipelines.types import ProgressCallback

if TYPE_CHECKING:
    from synth.face import Face
    from synth.landmark_cache import LandmarkCache

MAX_SIDE: Final = 640
"""Pixels of the longer side that faces are looked for at: a box needs no finer landmarks."""
FEWEST: Final = 5
"""Faces found in a source before what is usual there counts."""

_SHARES: Final = ["x", "y", "width", "height"]
_DIGITS: Final = 5
_RULES: Final = 1  # raised when the same faces in the same photos give other boxes


@dataclass(frozen=True)
class BoxesSummary:
    """What looking for faces gave.

    Attributes:
        table: `faces.csv`.
        found: Photos by how their box is known: `found`, `parent`, `person`, `source`, or `none`.
        unread: Photos that could not be looked at.
        reused: The table was there, knew every photo, and no photo it marks as unread can be read by now.
    """

    table: Path
    found: dict[str, int]
    unread: int
    reused: bool


@dataclass(frozen=True)
class Looked:
    """What looking at one photo gave.

    Attributes:
        box: x, y, width and height of the face that is meant, brows to chin and ear to ear, as shares of the photo;
            None where no face was found.
        unread: Why it could not be looked at: a `PhotoError`'s reason, `changed` of a file that isn't the one meant, or
            `crashed`; empty where it was.
    """

    box: tuple[float, float, float, float] | None = None
    unread: str = ""


def boxes_of_manifest(
    manifest: Path, *, workers: int = 1, progress: ProgressCallback | None = None, isolated: bool = True
) -> BoxesSummary:
    """Write `faces.csv` beside a manifest, unless one is there that knows all of its photos.

    It is made anew where the finder is another, where the manifest says other things of a photo than it did, and where
    a photo that could not be looked at can be read by now. Landmarks are kept by content in `.palette/landmarks` beside
    it, so that no photo has its face looked for twice.

    Args:
        manifest: The file, or its folder.
        workers: Processes.
        progress: Called with (photos done, photos to do).
        isolated: Even a single worker is a process of its own, which a photo may crash.

    Raises:
        DatasetsError: There is no manifest, or the table can't be written.
        SynthError: The finder's models are missing.
    """
    frame = read_manifest(manifest).reset_index(drop=True)
    folder = manifest_file(manifest).parent
    look = _Look(folder, workers, isolated)
    frame["made_from"] = _made_from(frame)
    known = _known(folder / FACES, frame)
    if known is not None:
        unread = known["unread"].ne("").to_numpy()
        if not unread.any() or not look.any_readable(frame[unread]):
            return _summary(folder, known, reused=True)
    table = look.at_all(frame, progress)
    with atomic_write(folder / FACES) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    return _summary(folder, table, reused=False)


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
    shares = _shares(_find_all([("", path) for path in paths], cache, workers, progress)).astype(np.float32)
    known = np.isfinite(shares[:, 0])
    if known.sum() >= FEWEST:
        shares[~known] = np.median(shares[known], axis=0)
    return shares


def _made_from(frame: pd.DataFrame) -> list[str]:
    """Stand for all that a row's box is made from beside the photos: the finder, and what the manifest says of it."""
    said = frame[["parent_id", "person_id", "source", "mask", "width", "height"]].astype("str").fillna("")
    begin = f"{_RULES}|{MAX_SIDE}|{_identity()}|"
    return [hashlib.sha256((begin + "|".join(row)).encode()).hexdigest()[:12] for row in said.to_numpy().tolist()]


def _known(path: Path, frame: pd.DataFrame) -> pd.DataFrame | None:
    """`found` and `unread` of the photos by the table that is there; None without one that knows them all."""
    keys = ["photo_id", "sha256", "made_from"]
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=list(COLUMNS))
    except (OSError, ValueError):
        return None
    known = table.drop_duplicates(keys, keep="last").set_index(keys)[["found", "unread"]]
    wanted = pd.MultiIndex.from_frame(frame[keys])
    return known.loc[wanted] if wanted.isin(known.index).all() else None


def _summary(folder: Path, table: pd.DataFrame, *, reused: bool) -> BoxesSummary:
    counts = table["found"].replace("", "none").value_counts()
    found = {str(name): int(count) for name, count in counts.items()}
    return BoxesSummary(folder / FACES, found, int(table["unread"].ne("").sum()), reused)


@dataclass(frozen=True)
class _Look:
    """How a manifest's photos are looked at.

    Attributes:
        folder: The manifest's.
        workers: Processes.
        isolated: As in `boxes_of_manifest`.
    """

    folder: Path
    workers: int
    isolated: bool

    def at_all(self, frame: pd.DataFrame, progress: ProgressCallback | None) -> pd.DataFrame:
        """The table of all photos."""
        files = self._files(frame)
        looked = _find_all(list(files.items()), self._cache, self.workers, progress, self.isolated)
        by_file = dict(zip(files, looked, strict=True))
        of_rows = [by_file[sha256] for sha256 in frame["sha256"]]
        table = frame[["photo_id", "sha256", "made_from"]].copy()
        table[_SHARES] = _shares(of_rows)
        table["found"] = ["found" if each.box is not None else "" for each in of_rows]
        table["unread"] = [each.unread for each in of_rows]
        return fill_in(table, frame)

    def any_readable(self, frame: pd.DataFrame) -> bool:
        """Whether any of these photos can be looked at by now; the first that can ends the search."""
        work, files = partial(find_box, self._cache), list(self._files(frame).items())
        stream = stream_files(work, files, workers=self.workers, crashed=_crashed, isolated=self.isolated)
        with closing(stream) as batches:
            return any(not each.unread for batch in batches for each in batch)

    @property
    def _cache(self) -> Path:
        from synth.journal import FOLDER
        from synth.landmark_cache import FOLDER as LANDMARKS

        return self.folder / FOLDER / LANDMARKS

    def _files(self, frame: pd.DataFrame) -> dict[str, Path]:
        """Files by content: several rows may be copies of one."""
        return {sha256: self.folder / path for sha256, path in zip(frame["sha256"], frame["path"], strict=True)}


def _find_all(
    items: Sequence[tuple[str, Path]],
    cache: Path,
    workers: int,
    progress: ProgressCallback | None,
    isolated: bool = False,
) -> list[Looked]:
    work = partial(find_box, cache)
    return map_files(work, items, workers=workers, crashed=_crashed, progress=progress, isolated=isolated)


def _shares(looked: Sequence[Looked]) -> NDArray[np.float64]:
    """(N, 4) boxes, nan where there is none."""
    boxes = [(math.nan,) * 4 if each.box is None else each.box for each in looked]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def find_box(cache: Path, item: tuple[str, Path]) -> Looked:
    """Find the face of a photo that its label means.

    Args:
        cache: Folder of landmarks found before.
        item: SHA-256 of the bytes that are meant (empty: whichever they are), and the file.
    """
    from synth.choice import foremost

    sha256, path = item
    try:
        photo = read_photo(path, max_side=MAX_SIDE)
    except PhotoError as error:
        return Looked(unread=error.reason)
    if sha256 not in ("", photo.sha256):
        return Looked(unread="changed")
    face = foremost(_find(photo.rgb, photo.sha256, cache), photo.rgb.shape)
    return Looked(None if face is None else share_of(face, photo.rgb.shape))


def share_of(face: Face, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return a face's box as shares of a photo of that shape (H, W, 3).

    Landmarks that only follow the detector's box say no more than that box.
    """
    from synth.face import STEADY

    corners = face.landmarks if face.spread <= STEADY else face.box.reshape(2, 2)
    (left, top), (right, bottom) = corners.min(0) / shape[1::-1], corners.max(0) / shape[1::-1]
    x, y, width, height = (round(float(each), _DIGITS) for each in (left, top, right - left, bottom - top))
    return x, y, width, height


def _identity() -> str:
    from synth.choice import CHOICE_VERSION

    return f"{face_finder().identity()}, choice {CHOICE_VERSION}"


@lru_cache(maxsize=1)
def _cache(folder: Path) -> LandmarkCache:
    from synth.landmark_cache import LandmarkCache

    return LandmarkCache(folder)


def _find(rgb: Any, sha256: str, folder: Path) -> list[Face]:
    from synth.landmark_cache import cache_key

    key = cache_key(sha256, rgb.shape, _identity())
    faces = _cache(folder).get(key)
    if faces is None:
        faces = find_likely(rgb)
        _cache(folder).put(key, faces)
    return faces


def _crashed(item: tuple[str, Path]) -> Looked:
    return Looked(unread="crashed")


def fill_in(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Give masked variants the box of their bare photo, and photos without a found face the one that is likeliest.

    Args:
        table: `models.boxes.COLUMNS`, with `found` empty where no face was found.
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
