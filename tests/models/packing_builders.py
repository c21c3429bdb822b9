"""Photos to pack, and how a pack is looked through."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from models import packed as packed_module
from models.packed import PackedPhotos, Wanted
from models.squares import Box, read_square

SIDE = 40
pack_photos = partial(packed_module.pack_photos, isolated=False)
"""In this process, which costs less and can be watched."""


def photo(path: Path, seed: int, size: tuple[int, int] = (60, 50), box: Box | None = None) -> Wanted:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return Wanted(path, hashlib.sha256(path.read_bytes()).hexdigest(), box, size)


def four_photos(folder: Path) -> list[Wanted]:
    """A PNG, a JPEG, one smaller than what is kept, and one cut about a face."""
    return [
        photo(folder / "a.png", 0),
        photo(folder / "b.jpg", 1, (400, 500)),
        photo(folder / "c.png", 2, (20, 33)),
        photo(folder / "d.jpg", 3, (300, 200), (0.1, 0.2, 0.2, 0.3)),
    ]


def assert_same(packed: PackedPhotos, photos: list[Wanted]) -> None:
    for row, each in enumerate(photos):
        square = packed.square(row)
        assert square is not None
        np.testing.assert_array_equal(square, read_square(each.path, SIDE, each.box).rgb)
