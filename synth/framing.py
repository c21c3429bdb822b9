"""Reframing: the face at the size and place it has in the competition's photos.

Their photos are 384 wide and 512 high, the face in the middle: the baseline of that competition crops the central
256 x 320 pixels and keeps every face whole. The figures below put eyes and chin inside that crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from synth.arrays import FloatArray, RgbImage
from synth.errors import SynthUsageError
from synth.face import Face
from synth.shape import CHIN, LEFT_EYE, RIGHT_EYE

EYES_AT = 0.43
"""Height of the eyes' midpoint in the frame, as a share of its height."""

EYES_TO_CHIN = 0.25
"""From the eyes' midpoint to the chin, as a share of the frame's height."""

EXTRA_ZOOM = 1.35
"""A photo cut close around the face is enlarged at most this much more, so that less has to be filled in."""

LARGEST_SIDE = 4096


@dataclass(frozen=True)
class Size:
    """A frame's size in pixels."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Size:
        """Reads `WxH`, such as 384x512.

        Raises:
            SynthUsageError: of another form or out of range.
        """
        width, _, height = text.lower().partition("x")
        if width.isdecimal() and height.isdecimal():
            sides = int(width), int(height)
            if min(sides) >= 32 and max(sides) <= LARGEST_SIDE:
                return cls(*sides)
        raise SynthUsageError(f"expected a size WxH from 32x32 to {LARGEST_SIDE}x{LARGEST_SIDE}, got {text!r}")


def reframe(rgb: RgbImage, face: Face, size: Size) -> tuple[RgbImage, Face, float]:
    """The photo moved and scaled, not turned, so that the face sits as in the competition's photos.

    Pixels beyond the photo are its edge carried on, ever more blurred, like a background out of focus. The others are
    what Pillow's bicubic resize makes of them: a filter of our own would be a fingerprint.

    Args:
        rgb: (H, W, 3) uint8, RGB.
        face: to bring to its place.
        size: of the result.

    Returns:
        The framed photo, the face in its pixels, and how many times it was enlarged.
    """
    matrix = frame_matrix(rgb.shape, face, size)
    near, box = _around(rgb, frame_box(matrix, size), float(matrix[0, 0]))
    framed = Image.fromarray(near).resize((size.width, size.height), Image.Resampling.BICUBIC, box=box)
    inside = _inside(rgb.shape, matrix, size)
    moved = np.asarray(framed, dtype=np.uint8)
    filled = moved.copy() if inside.all() else _soften_beyond(moved, inside)
    return filled, face.moved(matrix), float(matrix[0, 0])


def reframe_all(rgb: RgbImage, faces: Sequence[Face], size: Size) -> tuple[RgbImage, list[Face], float]:
    """As `reframe` for the first of several faces; the others move with the photo and may lie outside of it then."""
    framed, first, zoom = reframe(rgb, faces[0], size)
    matrix = frame_matrix(rgb.shape, faces[0], size)
    return framed, [first, *(face.moved(matrix) for face in faces[1:])], zoom


def frame_matrix(shape: tuple[int, ...], face: Face, size: Size) -> FloatArray:
    """(2, 3): leads from a photo's pixels to those of the frame, by one scale and a shift.

    Args:
        shape: of the photo (H, W, ...).
        face: to bring to its place.
        size: of the frame.
    """
    eyes = (face.landmarks[LEFT_EYE].mean(0) + face.landmarks[RIGHT_EYE].mean(0)) / 2
    reach = float(np.linalg.norm(face.landmarks[CHIN] - eyes))
    scale = EYES_TO_CHIN * size.height / max(reach, 1e-3)
    limit = scale * EXTRA_ZOOM
    anchor = np.array([size.width / 2, EYES_AT * size.height])
    middle = np.array([0.75 * eyes[0] + 0.25 * face.landmarks[CHIN][0], eyes[1]])
    needed = [anchor[0] / middle[0], (size.width - anchor[0]) / max(shape[1] - middle[0], 1e-3)]
    needed += [anchor[1] / middle[1], (size.height - anchor[1]) / max(shape[0] - middle[1], 1e-3)]
    scale = min(max(scale, *needed), limit)
    shift = anchor - scale * middle
    return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])


def frame_box(matrix: FloatArray, size: Size) -> tuple[float, float, float, float]:
    """The part of the photo that a frame shows: x0, y0, x1, y1, in pixels counted from their edges, as Pillow does."""
    scale, x, y = float(matrix[0, 0]), float(matrix[0, 2]), float(matrix[1, 2])
    x0, y0 = (0.5 * scale - 0.5 - x) / scale, (0.5 * scale - 0.5 - y) / scale
    return x0, y0, x0 + size.width / scale, y0 + size.height / scale


def _around(
    rgb: RgbImage, box: tuple[float, float, float, float], scale: float
) -> tuple[RgbImage, tuple[float, float, float, float]]:
    """The photo around the box, its edge carried on where it ends, and the box in that.

    Args:
        rgb: (H, W, 3) uint8, RGB.
        box: may reach beyond the photo.
        scale: of the resampling, whose filter reaches two pixels of the smaller picture to each side.
    """
    x0, y0, x1, y1 = box
    reach = 2 + int(np.ceil(2 / min(scale, 1.0)))
    left, top = int(np.floor(x0)) - reach, int(np.floor(y0)) - reach
    right, bottom = int(np.ceil(x1)) + reach, int(np.ceil(y1)) + reach
    rows, above, below = _within(top, bottom, rgb.shape[0])
    columns, before, behind = _within(left, right, rgb.shape[1])
    near = np.ascontiguousarray(rgb[rows, columns])
    if above or below or before or behind:
        near = np.asarray(cv2.copyMakeBorder(near, above, below, before, behind, cv2.BORDER_REPLICATE), np.uint8)
    return near, (x0 - left, y0 - top, x1 - left, y1 - top)


def _within(start: int, stop: int, length: int) -> tuple[slice, int, int]:
    """The part of a range within 0 to `length`, one pixel at least, and how much is missing on either side."""
    first, last = (min(max(end, 0), length - 1) for end in (start, stop - 1))
    missing = stop - start - (last + 1 - first)
    lower = min(max(-start, 0), missing)
    return slice(first, last + 1), lower, missing - lower


def _inside(shape: tuple[int, ...], matrix: FloatArray, size: Size) -> RgbImage:
    """(H, W) uint8: 255 where the frame shows the photo, 0 beyond it."""
    across = (np.arange(size.width) - matrix[0, 2]) / matrix[0, 0]
    down = (np.arange(size.height) - matrix[1, 2]) / matrix[1, 1]
    columns = (across >= -0.5) & (across <= shape[1] - 0.5)
    rows = (down >= -0.5) & (down <= shape[0] - 0.5)
    inside = np.zeros((size.height, size.width), dtype=np.uint8)
    # Both are one stretch.
    top, left = int(rows.argmax()), int(columns.argmax())
    inside[top : top + np.count_nonzero(rows), left : left + np.count_nonzero(columns)] = 255
    return inside


def _soften_beyond(framed: RgbImage, inside: RgbImage) -> RgbImage:
    """Where the photo ends its edge's streaks fade into a blur, which grows with the distance."""
    height, width = inside.shape
    distance = cv2.distanceTransform(cv2.bitwise_not(inside), cv2.DIST_L2, 3)
    # What is blurred by 4 pixels and more needs half the pixels.
    small = (width + 1) // 2, (height + 1) // 2
    away = cv2.resize(distance, small, interpolation=cv2.INTER_LINEAR)
    soft = cv2.resize(framed, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    soft = cv2.GaussianBlur(soft, (0, 0), 2.0, borderType=cv2.BORDER_REPLICATE)
    for sigma, start in ((12.0, 12.0), (30.0, 40.0)):
        weight = np.clip((away - start) / (start + 8.0), 0, 1)
        change = cv2.subtract(_wide_blur(soft, sigma / 2), soft)
        soft = cv2.add(soft, cv2.multiply(change, cv2.merge([weight] * 3)))
    beyond = cv2.resize(cv2.add(soft, 0.0, dtype=cv2.CV_8U), (width, height), interpolation=cv2.INTER_LINEAR)
    weight = cv2.min(cv2.multiply(distance, 1 / 8), 1.0)
    mixed = cv2.blendLinear(framed, beyond, cv2.subtract(1.0, weight), weight)
    return np.asarray(cv2.copyTo(framed, inside, dst=mixed), dtype=np.uint8)


def _wide_blur(picture: FloatArray, sigma: float) -> FloatArray:
    """A Gaussian blur, computed on a smaller picture where the difference can't be seen."""
    shrink = max(int(sigma // 3), 1)
    height, width = picture.shape[:2]
    size = (max(width // shrink, 1), max(height // shrink, 1))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR))
