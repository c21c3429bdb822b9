"""Where the head is turned, what its face does, and how the camera sees it.

Head coordinates: x to the right of the picture, y down, z towards the viewer, in pupil distances (about 63 mm), with
the origin midway between the ears at eye height.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]  # float32 unless a docstring says otherwise

PIVOT = np.array([0.0, 1.0, -0.4], np.float32)  # the head turns on the top of the neck
DISTANCE = 13.0  # of the camera, pupil distances: about 80 cm, so that the nose is a little larger than the ears


@dataclass(frozen=True)
class Pose:
    """Turn of the head (degrees), expression, and place in the picture.

    Attributes:
        yaw: positive turns the nose to the right of the picture.
        pitch: positive looks down.
        roll: positive turns clockwise.
        smile: -0.3 (glum) to 1.
        open_eyes: a factor on how open the eyes are.
        raise_brows: -0.5 (frown) to 1.
        gaze: where the eyes look, (right, down), -1 to 1.
        zoom: a factor on the size of the head.
        shift: of the head's place, in pupil distances (right, down).
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    smile: float = 0.1
    open_eyes: float = 1.0
    raise_brows: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


def sample_pose(rng: np.random.Generator, freedom: float = 1.0) -> Pose:
    """Sample the pose of someone who looks at the camera, more or less.

    Args:
        rng: the generator.
        freedom: 0 for a passport photo, 1 for a snapshot.
    """
    turn = np.clip(rng.normal(0, 1, 3), -1.8, 1.8) * np.array([8.0, 4.0, 3.0]) * freedom
    gaze = np.clip(rng.normal(0, 0.2, 2), -0.5, 0.5) - turn[:2] / 60
    return Pose(
        yaw=float(turn[0]),
        pitch=float(turn[1]) + 1.0,
        roll=float(turn[2]),
        smile=float(np.clip(rng.normal(0.35, 0.28), -0.1, 0.9)),
        open_eyes=float(rng.uniform(0.9, 1.08)),
        raise_brows=float(np.clip(rng.normal(0, 0.3), -0.3, 0.7)),
        gaze=(float(gaze[0]), float(gaze[1])),
        zoom=float(1 + 0.06 * freedom * np.clip(rng.normal(), -1.6, 1.6)),
        shift=(float(rng.normal(0, 0.12 * freedom)), float(rng.normal(0, 0.10 * freedom))),
    )


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in front of a turned head.

    Attributes:
        width, height: of the picture, pixels.
        scale: pixels per pupil distance, at the head's middle.
        centre: (x, y) px where the point midway between the eyes falls when the head looks ahead.
        turn: (3, 3) rotation of the head.
        body: (3, 3) rotation of neck and shoulders.
    """

    width: int
    height: int
    scale: float
    centre: tuple[float, float]
    turn: Floats
    body: Floats

    def enlarged(self, factor: int | float) -> Camera:
        """Return the camera of a picture ``factor`` times as large."""
        centre = (self.centre[0] * factor, self.centre[1] * factor)
        size = (round(self.width * factor), round(self.height * factor))
        return replace(self, width=size[0], height=size[1], scale=self.scale * factor, centre=centre)

    def place(self, points: Floats, *, body: bool = False) -> Floats:
        """Turn points of the head (or of the body) as they stand before the camera.

        Args:
            points: (..., 3) float32, head coordinates.
            body: turn them with the shoulders.

        Returns:
            (..., 3) float32, still in pupil distances.
        """
        turn = self.body if body else self.turn
        # cv2.transform and not @: BLAS would start threads of its own in every worker process
        flat = np.ascontiguousarray(points, np.float32).reshape(-1, 1, 3)
        move = np.column_stack([turn, PIVOT - turn @ PIVOT])
        return np.asarray(cv2.transform(flat, move)).reshape(points.shape)

    def project(self, placed: Floats) -> Floats:
        """Project placed points: (..., 3) to pixels (..., 2), x and y."""
        factor = self.scale * DISTANCE / (DISTANCE - placed[..., 2:])
        return (placed[..., :2] * factor + np.asarray(self.centre, np.float32)).astype(np.float32)


def make_camera(size: tuple[int, int], pose: Pose) -> Camera:
    """Return the camera of a portrait.

    Args:
        size: (width, height) of the picture, pixels.
        pose: how the person sits.
    """
    width, height = size
    scale = min(width / 384, height / 512) * 68 * pose.zoom
    centre = (width * 0.5 + pose.shift[0] * scale, height * 0.455 + pose.shift[1] * scale)
    turn = rotation(pose.yaw, pose.pitch, pose.roll)
    return Camera(width, height, scale, centre, turn, rotation(pose.yaw * 0.3, 0.0, pose.roll * 0.25))


def rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """Return the (3, 3) rotation for angles in degrees (see ``Pose``)."""
    (a, b, c), (s, t, u) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    about_y = np.array([[a, 0, s], [0, 1, 0], [-s, 0, a]])
    about_x = np.array([[1, 0, 0], [0, b, t], [0, -t, b]])
    about_z = np.array([[c, -u, 0], [u, c, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y, np.float32)
