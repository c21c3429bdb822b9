"""Whether landmarks are in places of their own, and better ones where they were not.

The predictor always gives something that looks like a face. What it doesn't see, as in a profile, it takes from the
detector's box, and from a box that is off it starts too far away from a face that it would know. So a doubtful face's
landmarks are placed from several boxes, each time once more from where that led, and the detector is shown the face
again as these landmarks make it: upright, at its favourite size.

All limits here were set by looking at the 184 doubtful ones of 500 faces: 200 of FairFace's training part, 200 of other
FairFace photos with wide margins, 100 All-Age-Faces.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from synth.arrays import FloatArray, RgbImage
from synth.errors import PhotoRefusedError
from synth.face import STEADY
from synth.levels import moved
from synth.pose import Pose, fit_pose
from synth.predictor import BROWS_TO_CHIN, STEPS, place_landmarks, replace_landmarks, upright_box

INNER = slice(17, 68)
"""Brows, eyes, nose, mouth: the jaw's points err along the jaw, which moves no mask."""

CALM = 0.05
"""Landmarks that a moved box moves by less, in head units, are believed without more ado."""

MOVED_BOX = (np.array([0.08, 0.04]), 1.08)
"""By which share of its side the box is moved (x, y) to see that, and how many times as large it is made."""

STARTS = (
    (np.array([0.0, 0.0]), 1.0),
    (np.array([0.12, 0.06]), 1.1),
    (np.array([-0.12, -0.06]), 0.9),
    (np.array([0.06, -0.12]), 1.0),
    (np.array([-0.06, 0.12]), 1.0),
)
"""The boxes that landmarks are placed from where it isn't so: as in `MOVED_BOX`."""

WINDOW, CANVAS = 96, 192
"""Side of the face's box and of the picture of it that the detector is shown again, pixels. It knows faces from 80."""

GLIMPSED, SEEN = -1.0, 0.0
"""The detector's score of the face shown again: below the first it is none, from the second it is one."""

LEAST = -1.5
"""From which score findings are asked for."""

OFF, LARGER = 0.3, 1.4
"""A finding further from the middle, in sides, or of another size by more is no finding of this face."""

LESS_SEEN = 2.0
"""So many times as much counts the spread of a face that the detector barely sees or sees turned to the side, most of
which are profiles; and that times as much again if it doesn't see it at all."""

SQUEEZED, PER_DEGREE = 0.1, 0.0014
"""A profile that is taken for a face turned less misses the mean face, in head units, by more than the first less the
second times its yaw."""


def steady_landmarks(
    hog: Any, predictor: Any, rgb: RgbImage, points: FloatArray, box: tuple[FloatArray, float, float], sound: bool
) -> tuple[FloatArray, float]:
    """The landmarks of a doubtful face, and how far they depend on the detector's box.

    Args:
        hog: dlib's fast detector.
        predictor: dlib's.
        rgb: (H, W, 3) uint8, RGB.
        points: (68, 2), as placed from the box, pixels.
        box: its middle (2,) and side in pixels, and the head's roll as far as it is known, degrees clockwise.
        sound: whether the box is of the kind that the predictor was trained with.

    Returns:
        (68, 2) float64, x, y in pixels, and `Face.spread`.
    """
    squeezed = sound and _squeezed(_pose(points))
    if sound and not squeezed:
        move = float(_apart(_from_box(predictor, rgb, box, MOVED_BOX), points)[INNER].mean())
        if move < CALM:
            return points, round(move, 4)
    starts = [points, *(_from_box(predictor, rgb, box, start) for start in STARTS[1:])]
    ends = np.stack([replace_landmarks(predictor, rgb, start) for start in starts])
    middle = np.round(np.median(ends, axis=0) * STEPS) / STEPS
    spread = float(np.median([_apart(end, middle)[INNER].mean() for end in ends]))
    pose = _pose(middle)
    least = 2 * STEADY if squeezed or _squeezed(pose) else 0.0
    if spread * LESS_SEEN**2 > least:  # otherwise it is that, whatever the detector says
        score, turned = (-np.inf, False) if pose is None else _shown_again(hog, rgb, middle, pose.angles[2])
        spread *= LESS_SEEN * (LESS_SEEN if score < GLIMPSED else 1.0) if score < SEEN or turned else 1.0
    return middle, round(max(spread, least), 4)


def _pose(points: FloatArray) -> Pose | None:
    try:
        return fit_pose(points)
    except PhotoRefusedError:
        return None


def _squeezed(pose: Pose | None) -> bool:
    return pose is None or pose.error > SQUEEZED - PER_DEGREE * abs(pose.angles[0])


def _from_box(
    predictor: Any, rgb: RgbImage, box: tuple[FloatArray, float, float], start: tuple[FloatArray, float]
) -> FloatArray:
    (middle, side, roll), (shift, grown) = box, start
    return place_landmarks(predictor, rgb, middle + shift * side, side * grown, roll)


def _apart(points: FloatArray, others: FloatArray) -> FloatArray:
    """(68,) distances in head units."""
    height = float(np.linalg.norm(others[17:27].mean(0) - others[8]))
    return np.asarray(np.linalg.norm(points - others, axis=1) * BROWS_TO_CHIN / max(height, 1e-3))


def _shown_again(hog: Any, rgb: RgbImage, points: FloatArray, roll: float) -> tuple[float, bool]:
    """The detector's score of the face that these landmarks mean, and whether it sees it turned to the side."""
    middle, side = upright_box(points, roll)
    scale, turn = WINDOW / side, np.radians(roll)
    matrix = np.zeros((2, 3))
    matrix[:, :2] = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix[:, 2] = CANVAS / 2 - moved(middle, matrix)
    source, there = _smoothed(rgb, matrix, int(1 / scale))
    shown = cv2.warpAffine(source, there, (CANVAS, CANVAS), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    best, turned = -np.inf, False
    for found, score, which in zip(*hog.run(cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY), 0, LEAST), strict=True):
        width = (found.right() - found.left()) / WINDOW
        off = np.abs(np.array([found.left() + found.right(), found.top() + found.bottom()]) - CANVAS).max() / 2 / WINDOW
        if score > best and off < OFF and 1 / LARGER < width < LARGER:
            best, turned = float(score), which != 0
    return best, turned


def _smoothed(rgb: RgbImage, matrix: FloatArray, coarse: int) -> tuple[RgbImage, FloatArray]:
    """What the canvas shows of a photo, each pixel the mean of so many a side, as many to one would alias.

    Args:
        rgb: the photo.
        matrix: (2, 3), from the photo to the canvas.
        coarse: pixels.

    Returns:
        The part of the photo, and the matrix for it.
    """
    if coarse < 2:
        return rgb, matrix
    corners = np.array([[0, 0], [CANVAS, 0], [0, CANVAS], [CANVAS, CANVAS]], dtype=np.float64)
    seen = moved(corners, np.asarray(cv2.invertAffineTransform(matrix)))
    # The means along the part's own edge are not the photo's, so they lie out of sight.
    around, limit = 2 * coarse, np.array([rgb.shape[1], rgb.shape[0]])
    x0, y0 = np.clip(np.floor(seen.min(0)) - around, 0, np.maximum(limit - around, 0)).astype(int)
    x1, y1 = np.clip(np.ceil(seen.max(0)) + around, np.minimum(around, limit), limit).astype(int)
    part = np.asarray(cv2.blur(rgb[y0:y1, x0:x1], (coarse, coarse)), dtype=np.uint8)
    return part, np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ [x0, y0]])
