"""Contact sheets of photos: opened as datasets open them, laid out as synth lays them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synth.sheet import Tile


def photo_tile(path: Path, title: str, detail: str) -> Tile:
    """Return a photo as a tile, decoded no larger than it is shown; one that has gone since stays empty.

    Args:
        path: Of the photo, of any format that ingest reads.
        title: The first line under it.
        detail: The second.
    """
    from PIL import Image

    from datasets.errors import PhotoError
    from datasets.photos import read_photo
    from synth.sheet import TILE, Tile

    try:
        return Tile(Image.fromarray(read_photo(path, max_side=2 * max(TILE)).rgb), title, detail)
    except (PhotoError, ValueError):  # such as a path that no file can have
        return Tile(Image.new("RGB", TILE, "white"), title, detail)


def in_rows(tiles: Sequence[Tile], columns: int) -> list[list[Tile]]:
    """Return tiles in rows of so many."""
    return [list(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]


def save_sheet(rows: Sequence[Sequence[Tile]], file: Path, size: tuple[int, int] | None = None) -> Path:
    """Write a sheet, whole or not at all: a PNG where the file's name ends so, else a JPEG.

    Args:
        rows: Of tiles.
        file: To write.
        size: Width and height of a tile's picture, pixels; the sheet's own where not given.

    Raises:
        OutputError: It can't be written.
    """
    from datasets.atomic import atomic_write
    from synth.sheet import TILE, contact_sheet

    kind, options = ("PNG", {}) if file.suffix.lower() == ".png" else ("JPEG", {"quality": 88})
    with atomic_write(file) as temporary:
        contact_sheet(rows, size or TILE).save(temporary, format=kind, **options)
    return file
