"""A picture and smaller copies of it on one canvas, as dlib lays them out for its face detection network.

The network knows faces of one size; in one of the copies a face has that size. The layout is dlib's
(`compute_tiled_image_pyramid_details`, dlib/image_transforms/image_pyramid.h; Boost licence), so that every copy has
the neighbours that it has there, for the network sees far beyond a copy's edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth.arrays import FloatArray

Float32Array = NDArray[np.float32]

RATE, BACK = 5 / 6, 6 / 5
"""Each copy's sides in those of the one before, and the other way. Boxes end on halves of a pixel, to be rounded as by
dlib, so that neither is made of the other."""

BETWEEN, AROUND = 10, 11
"""Pixels between copies, and around all of them: what dlib takes for files that name none, as this one."""

LOWEST = 5
"""Rows of the smallest copy."""

MOVED = 0.3
"""A point of a copy lies so much further, in pixels, in the one before than its scale says (dlib's `pyramid_down`)."""


@dataclass(frozen=True)
class Layout:
    """Where the copies lie.

    Attributes:
        height: of the canvas, in pixels.
        width: of the canvas, in pixels.
        places: (left, top, width, height) of each copy in pixels, the picture itself first.
    """

    height: int
    width: int
    places: tuple[tuple[int, int, int, int], ...]

    def to_picture(self, boxes: FloatArray) -> FloatArray:
        """(N, 4) boxes on the canvas, left, top, right, bottom, to those of the picture, whole pixels.

        A box is of the copy that its middle is in, or nearest to.
        """
        left, top, width, height = (np.array(each, dtype=np.float64) for each in zip(*self.places, strict=True))
        x, y = (boxes[:, :1] + boxes[:, 2:3]) / 2, (boxes[:, 1:2] + boxes[:, 3:]) / 2
        aside = np.maximum(np.maximum(left - x, x - (left + width - 1)), 0)
        below = np.maximum(np.maximum(top - y, y - (top + height - 1)), 0)
        which = np.argmin(aside**2 + below**2, axis=1)
        corners = boxes.reshape(-1, 2, 2) - np.stack([left, top], axis=1)[which, None]
        for level in range(1, len(self.places)):
            corners = np.where((which >= level)[:, None, None], corners * BACK + MOVED, corners)
        # Halves away from zero.
        return np.trunc(corners.reshape(-1, 4) + np.copysign(0.5, corners.reshape(-1, 4)))


def laid_out(height: int, width: int) -> Layout:
    """The layout for a picture of this size: one column, which turns back up beside itself once that uses the space."""
    sizes = [(width, height)]
    while True:
        smaller = int(np.floor(RATE * sizes[-1][0])), int(np.floor(RATE * sizes[-1][1]))
        if smaller[0] == 0 or smaller[1] < LOWEST:
            break
        sizes.append(smaller)
    down = _first_column(sizes)
    places, y = [], AROUND
    for across, high in sizes:
        if y >= down + AROUND:
            break
        places.append((AROUND, y, across, high))
        y += high + BETWEEN
    y -= BETWEEN
    for across, high in sizes[len(places) :]:
        # Its lowest right pixel is above what lies below it, at the canvas's right.
        left, top = AROUND + width - across, y - high
        if top < AROUND + height:
            break
        places.append((left, top, across, high))
        y -= high + BETWEEN
    return Layout(down + 2 * AROUND, width + 2 * AROUND, tuple(places))


def _first_column(sizes: list[tuple[int, int]]) -> int:
    """Its height: it ends where the next copy fits beside the last and half of all the copies' height is used."""
    width, height = sizes[0]
    total = sum(high + BETWEEN for _, high in sizes) - 2 * BETWEEN
    down = before = 0
    for across, high in sizes:
        if across <= width - before - BETWEEN and (down - height) * 2 >= total - height:
            break
        down += high + BETWEEN
        before = across
    return down - BETWEEN


def drawn(picture: Float32Array, layout: Layout) -> Float32Array:
    """The canvas, (H, W, C), zero between the copies; each is made of the one before.

    Args:
        picture: (h, w, C) float32, the size that the layout is for.
        layout: of the copies.
    """
    canvas = np.zeros((layout.height, layout.width, picture.shape[2]), dtype=np.float32)
    for left, top, width, height in layout.places:
        picture = _resized(picture, height, width)
        canvas[top : top + height, left : left + width] = picture
    return canvas


def _resized(picture: Float32Array, height: int, width: int) -> Float32Array:
    """Linear between the four pixels around, the corners' pixels on the corners (dlib's `resize_image`)."""
    if picture.shape[:2] == (height, width):
        return picture
    for axis, size in enumerate((height, width)):
        where = np.arange(size) * ((picture.shape[axis] - 1) / max(size - 1, 1))
        before = np.minimum(where.astype(np.intp), picture.shape[axis] - 1)
        after = np.minimum(before + 1, picture.shape[axis] - 1)
        share = (where - before).astype(np.float32).reshape((-1, *[1] * (2 - axis)))
        low, high = picture.take(before, axis), picture.take(after, axis)
        picture = low + (high - low) * share
    return picture
