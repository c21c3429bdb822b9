"""Contact sheets: which photos stand for a class, and their thumbnails as data URIs."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from datasets.errors import PhotoError
from datasets.labels import N_LABELS, label_name
from datasets.photos import read_photo
from datasets.wording import counted
from pipelines.report.counts import is_base, is_variant
from pipelines.report.text import visible

TILES = 12
BOX = (150, 200)  # pixels, the competition's 3:4; sharp enough at the page's 110 on a dense screen
SMALL_BOX = (130, 160)
QUALITY = 76  # a face is about 5 kB; pure noise, the worst there is, 21 kB
_KEY = re.compile(r"#[^#/.]*$")
TRIES = 3  # candidates looked at for each tile, so that missing files don't keep a build going


@dataclass(frozen=True)
class Picture:
    """A thumbnail: a JPEG data URI and its size in pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Tile:
    """A thumbnail with its caption; `made` for variants."""

    picture: Picture
    photo_id: str
    source: str
    what: str
    made: bool

    @property
    def alt(self) -> str:
        """What a screen reader says instead of the picture."""
        return f"{'variant' if self.made else 'photo'} from {self.source}, {self.what}"


@dataclass(frozen=True)
class Sheet:
    """The photos that stand for one class; `note` says how many there are in all, and if any can't be read."""

    label: int
    name: str
    note: str
    tiles: tuple[Tile, ...]


def contact_sheets(frame: pd.DataFrame, root: Path, base_source: str, tiles: int = TILES) -> list[Sheet]:
    """One sheet for each of the 18 classes: base photos first, up to half of it, then the others.

    Args:
        frame: a manifest.
        root: the folder its paths are relative to.
        base_source: whose photos come first.
        tiles: the most photos on a sheet.
    """
    groups = dict(iter(frame[frame["label"].notna()].groupby("label")))
    return [_sheet(label, groups.get(label, frame.iloc[:0]), root, base_source, tiles) for label in range(N_LABELS)]


def _sheet(label: int, part: pd.DataFrame, root: Path, base_source: str, size: int) -> Sheet:
    first = is_base(part, base_source)
    own = spread(part[first], ["person_id"])
    others = spread(part[~first], ["source", "wear_style", "mask_type"])
    picker = _Picker(root)
    chosen = picker.tiles(own, size - min(len(others), size // 2))
    chosen += picker.tiles(others, size - len(chosen))
    return Sheet(label, label_name(label), _note(len(part), int(is_variant(part).sum()), picker.unread), tuple(chosen))


def _note(rows: int, variants: int, unread: int) -> str:
    if not rows:
        return "no photos"
    missing = f" · {unread:,} of the files picked can't be read" if unread else ""
    return f"{counted(rows - variants, 'photo')}, {counted(variants, 'variant')}{missing}"


def spread(part: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The rows in an order that shows variety early: one of each group `by`, then a second of each, and so on.

    Within a group the order is that of a hash of the photo id: as good as random, and the same in every run.
    """
    keys = part[by].astype(object).where(part[by].notna(), "")
    order = pd.util.hash_pandas_object(part["photo_id"].astype(object), index=False)
    ordered = keys.assign(order=order.to_numpy()).sort_values("order", kind="stable")
    turn = ordered.assign(turn=ordered.groupby(by).cumcount()).sort_values(["turn", "order"], kind="stable")
    return part.loc[turn.index]


class _Picker:
    """Turns rows into tiles, and counts the files that could not be read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.unread = 0

    def tiles(self, rows: pd.DataFrame, size: int) -> list[Tile]:
        """The first `size` rows whose file can be read, out of the first `size * TRIES`."""
        return list(islice(self._readable(rows.head(size * TRIES)), size))

    def _readable(self, rows: pd.DataFrame) -> Iterator[Tile]:
        for row in rows.to_dict("records"):
            picture = thumbnail(self._root, str(row["path"]))
            if picture is None:
                self.unread += 1
            else:
                yield _tile(row, picture)


def _tile(row: dict[Any, Any], picture: Picture) -> Tile:
    made = pd.notna(row["parent_id"])
    style = [visible(row[name]) for name in ("wear_style", "mask_type") if pd.notna(row[name])]
    what = " · ".join(style) or ("no mask" if made else "photo")
    return Tile(picture, visible(row["photo_id"]), visible(row["source"]), what, bool(made))


def thumbnail(root: Path, relative: str, box: tuple[int, int] = BOX) -> Picture | None:
    """A small copy of a photo, without its metadata; None where it can't be read or lies outside `root`.

    Args:
        root: the folder that `relative` begins at.
        relative: the photo's path.
        box: the largest width and height, in pixels; smaller photos stay as they are.
    """
    try:
        path = (root / relative).resolve()
        return shrink(path, box) if path.is_relative_to(root.resolve()) else None
    except (OSError, ValueError):  # ValueError: a name no file can have, such as one with a NUL
        return None


def shrink(path: Path, box: tuple[int, int]) -> Picture | None:
    """A photo's file within `box` (width, height, pixels) as a JPEG without metadata; None where it can't be read."""
    try:
        photo = read_photo(path, max_side=max(box) * 2)
    except (PhotoError, ValueError):
        return None
    image = Image.fromarray(photo.rgb)
    image.thumbnail(box, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return Picture(f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}", *image.size)


def refused_pictures(root: Path, photo_ids: Iterable[str], places: Mapping[str, Path]) -> list[tuple[str, Picture]]:
    """Thumbnails of refused photos, with their ids; those whose file isn't found or can't be read are left out.

    Args:
        root: the merged manifest's folder.
        photo_ids: `source:path` of a photo; a variant's goes on with `#variant`, and its photo is shown.
        places: where photos lie, by photo id; one that isn't named is looked for where a merge puts it under `root`.
    """
    found = ((photo_id, find_picture(root, photo_id, places)) for photo_id in photo_ids)
    return [(visible(photo_id), picture) for photo_id, picture in found if picture is not None]


def photo_of(photo_id: str) -> str:
    """The id of the photo that a variant was made of; of a photo, whose name may hold a number sign as well, its own.

    A variant's id is its photo's with `#` and a key, which has neither dots nor slashes; a photo's ends in its suffix.
    """
    return _KEY.sub("", photo_id)


def find_picture(root: Path, photo_id: str, places: Mapping[str, Path]) -> Picture | None:
    """A small thumbnail of one photo; see `refused_pictures`."""
    photo = photo_of(photo_id)
    for known in (photo_id, photo):
        if known in places:
            return shrink(places[known], SMALL_BOX)
    source, _, path = photo.partition(":")
    folders = (f"photos/{source}/", "") if path else ()
    return next(filter(None, (thumbnail(root, f"{folder}{path}", SMALL_BOX) for folder in folders)), None)
