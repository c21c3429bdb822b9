"""A photo's local fingerprint: what re-encoded, cropped and mirrored copies of it still share.

A perceptual hash looks at a whole picture, and a crop is another picture. So here a photo is some dozens of small
patches around its corners and blobs (SIFT keypoints), each turned into a few short codes, its words. A copy keeps many
of the patches, whatever was cut away around them, and so many of the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE: Final = 256
"""Pixels of the longer side at which keypoints are looked for."""
POINTS: Final = 64
"""Most patches of a photo; the median face photograph of 224 to 448 pixels has about 60."""
TABLES: Final = 4
"""Words a patch: it is found again if any of them comes out the same."""
BITS: Final = 28
"""Of a word. Fewer find more copies and more strangers; four of 28 found 99 % of planted copies by three words."""

_KEYPOINTS: Final = 150
_CONTRAST: Final = 0.02  # half of OpenCV's default: faces are smooth
_LEAST_SIZE: Final = 4.0  # pixels; finer patches don't survive JPEG
_CELLS: Final = 4  # SIFT's 4 x 4 cells of 8 directions each
_DIRECTIONS: Final = 8
_HALF: Final = _CELLS * _CELLS // 2 * _DIRECTIONS
_MIRRORED: Final = (4 - np.arange(_DIRECTIONS)) % _DIRECTIONS
"""Where each direction (45 degrees a step) goes when the picture is mirrored left to right."""


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """The patches of one photo.

    Attributes:
        words: (N, TABLES) uint32, N at most POINTS.
        places: (N, 3) float32: x and y from the picture's centre, and the patch's size, in pixels of the picture
            scaled to SIDE.
    """

    words: NDArray[np.uint32]
    places: NDArray[np.float32]


def fingerprint(rgb: NDArray[np.uint8]) -> Fingerprint:
    """Takes a photo's fingerprint: 20 to 35 ms.

    Patches are compared upright, as copies of photos are. Each descriptor is added to its own mirror image before it is
    coded, so that a mirrored copy has the same words.

    Args:
        rgb: (H, W, 3) uint8, upright; no more than SIDE pixels of its longer side are used.

    Returns:
        The fingerprint; a picture without any structure has one of no patches.
    """
    gray = small_gray(rgb, SIDE)
    points, descriptors = upright_descriptors(gray, _KEYPOINTS, POINTS)
    if not len(points):
        return Fingerprint(np.zeros((0, TABLES), np.uint32), np.zeros((0, 3), np.float32))
    height, width = gray.shape
    places = points - np.array([(width - 1) / 2, (height - 1) / 2, 0], np.float32)
    return Fingerprint(_words(descriptors), places.astype(np.float32))


def small_gray(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Returns the picture in gray, its longer side `side` pixels."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    height, width = gray.shape
    scale = side / max(height, width)
    size = (max(round(width * scale), 8), max(round(height * scale), 8))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(gray, size, interpolation=how), dtype=np.uint8)


def upright_descriptors(
    gray: NDArray[np.uint8], keypoints: int, most: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Finds keypoints and describes them without turning them upright by their own gradients.

    Returns:
        (N, 3) x, y and size in pixels, the strongest first, and (N, 128) SIFT descriptors.
    """
    sift = _sift(keypoints)
    found: dict[tuple[float, float, float], Any] = {}
    for point in sorted(sift.detect(gray, None), key=lambda each: (-each.response, each.pt, each.size)):
        if point.size > _LEAST_SIZE:
            point.angle = 0.0  # one patch for all directions that SIFT saw in it
            found.setdefault((round(point.pt[0], 1), round(point.pt[1], 1), round(point.size, 1)), point)
    chosen = list(found.values())[:most]
    if not chosen:
        return np.zeros((0, 3), np.float32), np.zeros((0, 128), np.float32)
    described, descriptors = sift.compute(gray, chosen)
    points = np.array([(*point.pt, point.size) for point in described], dtype=np.float32).reshape(-1, 3)
    return points, np.asarray(descriptors, dtype=np.float32)


def mirrored_descriptors(descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns what the same patches, (N, 128), look like in the mirrored picture."""
    cells = descriptors.reshape(-1, _CELLS, _CELLS, _DIRECTIONS)
    return np.ascontiguousarray(cells[:, :, ::-1][..., _MIRRORED]).reshape(-1, 128)


@cache
def _sift(keypoints: int) -> Any:
    return cv2.SIFT.create(nfeatures=keypoints, contrastThreshold=_CONTRAST)


@cache
def _planes() -> NDArray[np.float32]:
    """(_HALF, TABLES * BITS) directions that descriptors are told apart by.

    Each weighs the cells of one direction against each other and sums to nothing over them, so that it splits
    descriptors about evenly without having seen any. RandomState, since NumPy promises that its numbers never change.
    """
    drawn = np.random.RandomState(64).normal(size=(_HALF // _DIRECTIONS, _DIRECTIONS, TABLES * BITS))
    return np.asarray((drawn - drawn.mean(axis=0)).reshape(_HALF, -1), dtype=np.float32)


def _words(descriptors: NDArray[np.float32]) -> NDArray[np.uint32]:
    rooted = np.sqrt(descriptors)
    both = (rooted + mirrored_descriptors(rooted)).reshape(-1, _CELLS, _CELLS, _DIRECTIONS)
    half = both[:, :, : _CELLS // 2].reshape(-1, _HALF)  # the other half mirrors it
    bits = (half @ _planes() > 0).reshape(-1, TABLES, BITS)
    return np.asarray(bits @ (np.uint32(1) << np.arange(BITS, dtype=np.uint32)), dtype=np.uint32)
