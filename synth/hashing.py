"""The perceptual hash of a variant, as `imagehash.phash` gives it, at half its cost.

Most of that cost is Pillow's resize of a whole picture to 32 pixels. It is linear but for two roundings, and its
weights are whole numbers, so that matrix products in double precision give the same bytes (Pillow's `Resample.c`, 8
bits a channel: across first, then down, each cut off to a byte).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synth.arrays import FloatArray

SIDE, LOW = 32, 8
"""Of the picture that is hashed, and of its lowest frequencies that are kept, as imagehash has them."""

LOBES = 3.0
"""Of Lanczos' filter, to each side."""

ONE = float(1 << 22)
"""What Pillow's whole-numbered weights add up to."""

BLOCKS = 4
"""Columns of the small picture are made in so many groups: each looks at its part of the large one."""


def phash(image: Image.Image) -> str:
    """16 hex digits, those of `str(imagehash.phash(image))`.

    Args:
        image: of any size and mode.
    """
    from scipy.fftpack import dct  # 0.3 s, which `from synth import MaskEngine` shouldn't cost

    small = shrunk(np.asarray(image.convert("L")))
    low = dct(dct(small, axis=0), axis=1)[:LOW, :LOW]
    return np.packbits(low > np.median(low)).tobytes().hex()


def shrunk(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(32, 32) uint8 of an (h, w) uint8 picture: the bytes of Pillow's resize by Lanczos' filter."""
    height, width = gray.shape
    pixels, across = gray.astype(np.float64), np.empty((height, SIDE))
    step = SIDE // BLOCKS
    for first in range(0, SIDE, step):
        low, high, weights = _block(width, first, first + step)
        np.matmul(pixels[:, low:high], weights, out=across[:, first : first + step])
    return _cut_off(_weights(height) @ _cut_off(across)).astype(np.uint8)


def _cut_off(sums: FloatArray) -> FloatArray:
    """Rounded to whole numbers in 0..255, in place."""
    sums += ONE / 2
    sums /= ONE
    np.floor(sums, out=sums)
    return sums.clip(0, 255, out=sums)


@lru_cache(maxsize=64)
def _block(length: int, first: int, last: int) -> tuple[int, int, FloatArray]:
    """What some of the 32 pixels look at of a line, low to high, and its (high - low, last - first) weights."""
    rows = _weights(length)[first:last]
    used = np.flatnonzero(rows.any(axis=0))
    low, high = int(used[0]), int(used[-1]) + 1
    return low, high, np.ascontiguousarray(rows[:, low:high].T)


@lru_cache(maxsize=16)
def _weights(length: int) -> FloatArray:
    """(32, length) whole numbers: of a line's pixels in each of the 32."""
    scale = length / SIDE
    wide = max(scale, 1.0)
    weights = np.zeros((SIDE, length))
    for row in range(SIDE):
        centre = (row + 0.5) * scale
        low, high = max(int(centre - LOBES * wide + 0.5), 0), min(int(centre + LOBES * wide + 0.5), length)
        at = (np.arange(low, high) - centre + 0.5) / wide
        share = np.where(np.abs(at) < LOBES, np.sinc(at) * np.sinc(at / LOBES), 0.0)
        share /= sum(share.tolist())
        weights[row, low:high] = np.trunc(share * ONE + np.copysign(0.5, share))
    return weights
