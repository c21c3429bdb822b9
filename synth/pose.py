"""Head pose: rotation and place of the mean face that best explain the 68 landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from synth.arrays import FloatArray
from synth.errors import PhotoRefusedError
from synth.shape import MEAN_FACE

CAMERA_DISTANCE = 10.0
"""From the camera to the head, in head units: about 0.9 m, a usual distance for a portrait. The photo's own focal
length is unknown (and a crop loses it); at this distance the perspective of a face is mild either way."""

FARTHEST = 1e6
"""Landmarks further from the photo's corner than this, in pixels, belong to no photo."""

FITTED = np.array([*range(17), *range(17, 48), 48, 51, 54])
"""Landmarks the pose is fitted to: all but the lips' inner and lower points, which follow the mouth, not the head."""

# Faces are fitted many times a photo, and what never changes took a third of that.
_SPREAD = ((MEAN_FACE - MEAN_FACE.mean(0))[:, :2] ** 2).mean()
_FACE = MEAN_FACE[FITTED]
_MIRROR = np.diag([1.0, 1.0, -1.0])
# OpenCV's camera looks along +z; ours has z towards the camera with y down, which is left-handed there: mirror z.
_MODEL = _FACE * [1.0, 1.0, -1.0]


@dataclass(frozen=True, eq=False)
class Pose:
    """A pinhole view of the head.

    Attributes:
        rotation: (3, 3), head coordinates to camera coordinates.
        translation: (3,), the head's origin in camera coordinates, head units; z is negative: the camera looks
            down the negative z axis, so that z keeps pointing towards it.
        focal: pixels.
        centre: (2,), the principal point, x, y in pixels.
        error: root mean square of the landmarks' residuals, in head units.
    """

    rotation: FloatArray
    translation: FloatArray
    focal: float
    centre: FloatArray
    error: float

    @cached_property
    def pixels_per_unit(self) -> float:
        """Size of one head unit at the head's origin, in pixels."""
        return float(self.focal / -self.translation[2])

    @cached_property
    def angles(self) -> tuple[float, float, float]:
        """Yaw (positive: looks to the picture's right), pitch (positive: down), roll (positive: clockwise), degrees."""
        forward, right = self.rotation[:, 2], self.rotation[:, 0]
        yaw = np.degrees(np.arctan2(forward[0], forward[2]))
        pitch = np.degrees(np.arcsin(np.clip(forward[1], -1, 1)))
        roll = np.degrees(np.arctan2(right[1], right[0]))
        return float(yaw), float(pitch), float(roll)

    def moved(self, scale: float, shift: FloatArray) -> Pose:
        """The pose of this head in a photo that was scaled and then shifted by (2,) pixels."""
        return replace(self, focal=self.focal * scale, centre=self.centre * scale + shift)

    def to_camera(self, points: FloatArray) -> FloatArray:
        """(..., 3) head coordinates to camera coordinates."""
        return self.turned(points) + self.translation

    def turned(self, directions: FloatArray) -> FloatArray:
        """(..., 3) directions of the head to those of the camera."""
        # Of a matrix numpy makes the product twice as fast as of a grid; x, y and z each lie together in what it makes.
        return np.asarray((self.rotation @ directions.reshape(-1, 3).T).T.reshape(directions.shape))

    def project(self, points: FloatArray) -> FloatArray:
        """(..., 3) head coordinates to (..., 2) pixels x, y."""
        seen = self.to_camera(points)
        return np.asarray(self.focal * seen[..., :2] / -seen[..., 2:3] + self.centre)


def fit_pose(landmarks: FloatArray) -> Pose:
    """The pose of a face by `cv2.solvePnP` on the mean face.

    Args:
        landmarks: (68, 2), x, y in pixels.

    Raises:
        PhotoRefusedError: the landmarks are no face (`ambiguous_face`): not finite, all in one point, or nothing that
            any pose explains.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    # Before any sum is taken of them: not a number is no place, and squares of huge numbers overflow.
    if not (np.abs(points) < FARTHEST).all():
        raise PhotoRefusedError("ambiguous_face", "the landmarks are not finite, or further out than any photo reaches")
    spread = points - points.mean(0)
    scale = float(np.sqrt((spread**2).mean() / _SPREAD))
    if scale < 1e-3:
        raise PhotoRefusedError("ambiguous_face", "the landmarks are all in one place")
    fitted = points[FITTED]
    focal, centre = CAMERA_DISTANCE * scale, fitted.mean(0)
    rotation, translation = _solve(fitted, focal, centre)
    pose = Pose(rotation, translation, focal, centre, 0.0)
    residuals = (pose.project(_FACE) - fitted) / pose.pixels_per_unit
    error = float(np.sqrt((residuals**2).sum(1).mean()))
    return Pose(rotation, translation, focal, centre, error)


def _solve(points: FloatArray, focal: float, centre: FloatArray) -> tuple[FloatArray, FloatArray]:
    camera = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1.0]])
    start = np.zeros((3, 1)), np.array([[0.0], [0.0], [CAMERA_DISTANCE]])
    try:
        found, turn, shift = cv2.solvePnP(
            _MODEL, points, camera, None, start[0], start[1], True, cv2.SOLVEPNP_ITERATIVE
        )
    except cv2.error as error:
        raise PhotoRefusedError("ambiguous_face", "no pose explains the landmarks") from error
    if not found or not np.isfinite(turn).all() or not np.isfinite(shift).all() or shift[2, 0] <= 1.0:
        raise PhotoRefusedError("ambiguous_face", "no pose explains the landmarks")
    return _MIRROR @ cv2.Rodrigues(turn)[0] @ _MIRROR, _MIRROR @ shift[:, 0]
