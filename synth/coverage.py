"""What a mask covers, measured from its final opacity over the landmarks; the label follows from this alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from synth.arrays import FloatArray
from synth.face import Face
from synth.shape import CHIN, NOSE_TIP
from synth.warp import Region
from synth.wear import NOT_WEAR

HANGING_AREA = 0.08
"""Least share of a face's area that a mask hanging from one ear, or from both below the chin, shows."""


@dataclass(frozen=True)
class Coverage:
    """Shares in 0..1 of each part that the mask hides.

    Attributes:
        nose: its tip and nostrils (landmarks 30 to 35).
        mouth: the lips' outline (48 to 59).
        chin: from midway between lip and chin down to the jaw (6 to 10).
        eyes: the eyes' openings, of the one hidden more; a fault of every style but one.
        area: of the whole sheet, as a share of the face from brows to chin.
    """

    nose: float
    mouth: float
    chin: float
    eyes: float
    area: float = 0.0


def _parts(points: FloatArray) -> list[FloatArray]:
    """Outlines of nose, mouth, chin and eyes, (N, 2) each."""
    lip = points[55:60].mean(0)
    upper_chin = 0.5 * (lip + points[CHIN])
    inset = 0.92
    jaw = points[CHIN] + (points[6:11] - points[CHIN]) * inset
    jaw = upper_chin + (jaw - upper_chin) * inset
    nose = np.concatenate([points[NOSE_TIP : NOSE_TIP + 1], points[31:36]])
    return [nose, points[48:60], np.concatenate([jaw, [upper_chin]]), points[36:42], points[42:48]]


def measure(alpha: FloatArray, region: Region, face: Face, shape: tuple[int, ...]) -> Coverage:
    """Measures what a mask hides of a face.

    Args:
        alpha: (height, width) of the region, opacity in 0..1.
        region: where it lies in the photo.
        face: in pixels of the photo.
        shape: of the photo (H, W, ...).

    Parts that lie outside the photo count by what is inside; a part wholly outside counts as uncovered.
    """
    parts = _measured(face, shape[:2])
    nose, mouth, chin, left, right = (
        round(cv2.mean(_cut(alpha, region, box), mask)[0], 4) if mask.size else 0.0 for box, mask in parts.masks
    )
    area = round(cv2.sumElems(alpha)[0] / max(parts.face_area, 1.0), 4)
    return Coverage(nose, mouth, chin, max(left, right), area)


class Parts(NamedTuple):
    """What is measured of a face.

    Attributes:
        masks: of nose, mouth, chin, the eye at the picture's left and the other one, where in the photo it lies and
            (h, w) uint8, 1 within it.
        face_area: from brows to chin, square pixels.
    """

    masks: list[tuple[Region, NDArray[np.uint8]]]
    face_area: float


@lru_cache(maxsize=8)
def _measured(face: Face, shape: tuple[int, int]) -> Parts:
    """Once for all variants of a photo; not to be written to."""
    masks = []
    for outline in _parts(face.landmarks):
        box = Region.around(outline, 1, shape)
        mask = np.zeros((box.height, box.width), dtype=np.uint8)
        if mask.size:
            corners = np.round((outline - [box.x0, box.y0]) * 16).astype(np.int32)
            cv2.fillConvexPoly(mask, cv2.convexHull(corners), 1, shift=4)
        masks.append((box, mask))
    return Parts(masks, float(cv2.contourArea(cv2.convexHull(face.landmarks.astype(np.float32)))))


def _cut(alpha: FloatArray, region: Region, box: Region) -> FloatArray:
    """The (height, width) opacity of a region in another one; outside of the first nothing is hidden."""
    both = box.cut(region)
    if both == box:
        return alpha[box.within(region)]
    hidden = np.zeros((box.height, box.width), dtype=np.float32)
    if both.width > 0 and both.height > 0:
        hidden[both.within(box)] = alpha[both.within(region)]
    return hidden


def worn_style(covered: Coverage) -> str | None:
    """The wear style that a measured coverage shows, or None where it is none of the known ones."""
    if covered.eyes > 0.02:
        blindfolded = covered.eyes >= 0.9 and covered.mouth <= 0.02 and covered.chin <= 0.02
        return "over_eyes" if blindfolded else None
    if max(covered.nose, covered.mouth, covered.chin, covered.area) <= 0.02:
        return NOT_WEAR
    if covered.mouth >= 0.95:
        return _over_mouth(covered)
    if covered.nose > 0.02 or covered.mouth > 0.12:
        return None
    if covered.chin >= 0.55:
        return "chin"
    return "hanging" if covered.chin <= 0.25 and covered.area >= HANGING_AREA else None


def _over_mouth(covered: Coverage) -> str | None:
    if covered.nose >= 0.95 and covered.mouth >= 0.98 and covered.chin >= 0.75:
        return "correct"
    if covered.nose >= 0.95 and covered.mouth >= 0.98 and covered.chin <= 0.30:
        return "chin_out"
    if covered.nose <= 0.35 and covered.chin >= 0.75:
        return "nose_out"
    return None
