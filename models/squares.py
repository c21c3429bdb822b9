"""From a photo's file to the square that training keeps of it: the one way there, whether it is packed or read anew.

Knows neither torch nor albumentations, so that processes that pack photos start at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray

from datasets.photos import read_photo

Pixels = NDArray[np.uint8]

Box = tuple[float, float, float, float]
"""A face: x and y of its left upper corner, width and height, as shares of the upright photo's width and height."""

MARGIN: Final = 1.25
"""A square is kept so many times as long as the model sees it: augmentation zooms in by up to 1.22 (`strong`), and what
it shows should then still have a pixel for each of the model's."""

FACE_ROOM: Final = 2.0
"""Side of the square about a face, by the longer side of its box (brows to chin, ear to ear): hair above, a mask pulled
down below, ears and loops beside it."""

# A JPEG is decoded at a part of its size that leaves twice the kept side on its longer one, so that the square cut from
# a photo twice as long as wide still has as many pixels as are kept.
_DECODE_FACTOR: Final = 2
_VERSION: Final = 1


@dataclass(frozen=True, eq=False)
class Square:
    """What is kept of a photo.

    Attributes:
        rgb: (S, S, 3) uint8 RGB; S is the side asked for, or fewer where the photo has fewer pixels.
        sha256: of the file it was read from, 64 hex digits.
    """

    rgb: Pixels
    sha256: str


def stored_side(image_size: int) -> int:
    """Side in pixels of the squares kept for a model that sees squares of `image_size`."""
    return math.ceil(MARGIN * image_size)


def reading_version() -> str:
    """What decides a square's pixels beside the file, its box and the side: our own rules and the two libraries'."""
    return f"{_VERSION}, room {FACE_ROOM}, Pillow {PIL.__version__}, OpenCV {cv2.__version__}"


def read_square(path: Path, side: int, box: Box | None = None) -> Square:
    """Reads a photo, cuts a square out of it and makes that no larger than `side`.

    The square keeps a face's proportions whatever the photo's shape, so that a model can't tell sources apart by how
    much they were squeezed.

    Args:
        path: of the photo.
        side: longest that the result may be, pixels. Smaller squares aren't enlarged.
        box: the face to cut about; the photo's middle where None.

    Raises:
        PhotoError: the file is no usable photo.
    """
    photo = read_photo(path, max_side=_decoded_side(side, box))
    height, width = photo.rgb.shape[:2]
    left, top, cut = square_of(width, height, box)
    rgb = np.ascontiguousarray(photo.rgb[top : top + cut, left : left + cut])
    if cut > side:
        rgb = np.asarray(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return Square(rgb, photo.sha256)


def square_of(width: int, height: int, box: Box | None = None) -> tuple[int, int, int]:
    """Left, top and side, in pixels, of the square cut out of a photo of that size.

    Without a box the largest in the middle; with one, about the face, moved as far as it takes to lie in the photo.
    """
    most = min(width, height)
    if box is None:
        return (width - most) // 2, (height - most) // 2, most
    x, y, across, down = box
    side = min(max(round(FACE_ROOM * max(across * width, down * height)), 1), most)
    left, top = ((x + across / 2) * width - side / 2, (y + down / 2) * height - side / 2)
    return min(max(round(left), 0), width - side), min(max(round(top), 0), height - side), side


def central_square(rgb: Pixels) -> Pixels:
    """The largest square in the middle of a picture (H, W, 3)."""
    left, top, side = square_of(rgb.shape[1], rgb.shape[0])
    return rgb[top : top + side, left : left + side]


def _decoded_side(side: int, box: Box | None) -> int:
    """The longer side of a photo at which its square has at least `side` pixels."""
    if box is None:
        return _DECODE_FACTOR * side
    # The square's share of the longer side is at least that, whichever of the two sides is the longer one.
    share = min(FACE_ROOM * min(box[2], box[3]), 1.0 / _DECODE_FACTOR)
    return math.ceil(side / max(share, 1e-3))
