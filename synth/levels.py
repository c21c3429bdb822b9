"""The attempts at finding a face, in their order, and what each costs in nominal milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import FloatArray, RgbImage

HOG_MS, NETWORK_MS = 45.0, 480.0
"""Nominal milliseconds for a million pixels: what an idle core takes, about, of the detector; of the network what it
takes beside that on one and the same core, 10.6 times as long. They stand for time in a budget, so that it is spent
alike on every machine and under every load: same photo, same faces."""

ENLARGED = 4.0
"""A small picture is enlarged at most so many times: beyond, no detector finds more faces in it."""


@dataclass(frozen=True)
class Level:
    """One attempt.

    Attributes:
        detector: `hog` or `cnn`.
        side: longest side in pixels that the photo is brought to.
        rolls: of the heads that are looked for, degrees clockwise: the picture is turned back by each in turn.
        margin: added on every side, as a share of `side`, so that a face cut by the photo's edge is found.
        least: detector's score from which it is believed; below 0 most findings are true faces all the same, turned
            or shaded, and the landmarks tell which (`FaceFinder`).
        smallest: longest side in pixels of the photos it is for: in smaller ones it would see nothing new.
    """

    detector: str
    side: int
    rolls: tuple[int, ...] = (0,)
    margin: float = 0.0
    least: float = 0.0
    smallest: int = 0

    def cost(self, shape: tuple[int, ...]) -> float:
        """Nominal milliseconds for a photo of `shape` (H, W, ...)."""
        scale = _scale(shape, self.side)
        edge = 2 * self.margin * self.side
        sizes = [_turned_size(shape[1] * scale + edge, shape[0] * scale + edge, roll) for roll in self.rolls]
        pixels = sum(width * height for width, height in sizes)
        return pixels * 1e-6 * (HOG_MS if self.detector == "hog" else NETWORK_MS)

    def pictures(self, rgb: RgbImage) -> Iterator[tuple[RgbImage, FloatArray, int]]:
        """The photo as each try sees it, the (2, 3) matrix that leads back to the photo's pixels, and the roll."""
        small, back = scaled(rgb, _scale(rgb.shape, self.side))
        if self.margin:
            edge = round(self.margin * self.side)
            small = np.asarray(cv2.copyMakeBorder(small, edge, edge, edge, edge, cv2.BORDER_REPLICATE), dtype=np.uint8)
            back = chained(np.array([[1.0, 0.0, -edge], [0.0, 1.0, -edge]]), back)
        for roll in self.rolls:
            picture, unturned = _unrolled(small, roll)
            yield picture, chained(unturned, back), roll


LEVELS = (
    Level("hog", 240, least=-0.1),
    Level("hog", 320, margin=0.2, least=-0.3),
    Level("hog", 320, rolls=(-50, 50, -90, 90), least=0.0),
    Level("hog", 640, least=-0.3, smallest=400),
    Level("hog", 1200, least=-0.1, smallest=800),
    Level("cnn", 220),
    Level("cnn", 300),
)
"""On 540 web faces the first finds some 76 % and the second brings that to 84 %, at 0.4 of the time that 320, 480 and
900 pixels without a margin and with scores from 0 take for 80 %. The network finds the others: mostly profiles, which
no mask is drawn on."""


def scaled(rgb: RgbImage, scale: float) -> tuple[RgbImage, FloatArray]:
    """The picture so many times as large, and the (2, 3) matrix that leads from its pixels back."""
    if scale == 1:
        return rgb, np.eye(2, 3)
    height, width = rgb.shape[:2]
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(rgb, size, interpolation=how), dtype=np.uint8)
    x, y = width / size[0], height / size[1]
    # A pixel's place is its centre's.
    return small, np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]])


def chained(first: FloatArray, second: FloatArray) -> FloatArray:
    """The (2, 3) matrix that does what the first does and then what the second does."""
    return np.asarray(np.hstack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2:] + second[:, 2:]]))


def moved(points: FloatArray, matrix: FloatArray) -> FloatArray:
    """(..., 2) points through a (2, 3) matrix."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def _scale(shape: tuple[int, ...], side: int) -> float:
    return min(side / max(shape[:2]), ENLARGED)


def _turned_size(width: float, height: float, roll: float) -> tuple[float, float]:
    along, across = abs(np.cos(np.radians(roll))), abs(np.sin(np.radians(roll)))
    return float(width * along + height * across), float(width * across + height * along)


def _unrolled(picture: RgbImage, roll: float) -> tuple[RgbImage, FloatArray]:
    """The picture turned back on a canvas that holds all of it, and the (2, 3) matrix that turns points again."""
    if roll == 0:
        return picture, np.eye(2, 3)
    height, width = picture.shape[:2]
    across, down = (max(round(side), 1) for side in _turned_size(width, height, roll))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), roll, 1.0)
    matrix[:, 2] += [(across - width) / 2, (down - height) / 2]
    canvas = cv2.warpAffine(picture, matrix, (across, down), flags=cv2.INTER_LINEAR, borderValue=(128, 128, 128))
    return np.asarray(canvas, dtype=np.uint8), np.asarray(cv2.invertAffineTransform(matrix))
