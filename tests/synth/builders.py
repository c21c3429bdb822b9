"""Faces of known landmarks: the mean head seen from a chosen side, painted flat, so that no detector is needed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import FloatArray, RgbImage
from synth.pose import CAMERA_DISTANCE, Pose
from synth.shape import MEAN_FACE

SKIN = (205, 160, 135)
LIPS = (170, 95, 95)
WALL = (120, 135, 150)
SHIRT = (60, 70, 110)


@dataclass(frozen=True, eq=False)
class Painted:
    """A painted face.

    Attributes:
        rgb: (H, W, 3) uint8, RGB.
        landmarks: (68, 2) float64, x, y in pixels, exact.
        pose: the view they were projected by.
    """

    rgb: RgbImage
    landmarks: FloatArray
    pose: Pose


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> FloatArray:
    """(3, 3) rotation, degrees: yaw to the picture's right, pitch down, roll clockwise."""
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)


def head_shape(seed: int) -> FloatArray:
    """(68, 3): the mean face made broader or longer, as people's faces are; seed 0 is the mean face itself."""
    if seed == 0:
        return MEAN_FACE
    rng = np.random.default_rng(seed)
    return np.asarray(MEAN_FACE * rng.uniform([0.95, 0.95, 0.95], [1.05, 1.06, 1.05]))


def view(
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    *,
    unit: float = 90.0,
    centre: tuple[float, float] = (150.0, 130.0),
) -> Pose:
    """A view of a head whose outer eye corners are `unit` pixels apart when it looks ahead."""
    place = np.array([0.0, 0.0, -CAMERA_DISTANCE])
    return Pose(turned(yaw, pitch, roll), place, CAMERA_DISTANCE * unit, np.array(centre), 0.0)


def paint(
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    *,
    size: tuple[int, int] = (300, 340),
    unit: float = 90.0,
    centre: tuple[float, float] | None = None,
    person: int = 0,
    seed: int = 0,
) -> Painted:
    """Paints a face: skin, eyes, lips and a shirt before a wall, lit from one side, with a little grain.

    Args:
        yaw, pitch, roll: degrees.
        size: (width, height), pixels.
        unit: between the outer eye corners, pixels.
        centre: where the point between the eyes lies, pixels.
        person: shape of the head.
        seed: of the grain.
    """
    width, height = size
    where = centre or (width / 2, 0.36 * height)
    pose = view(yaw, pitch, roll, unit=unit, centre=where)
    points = pose.project(head_shape(person))
    rgb = np.full((height, width, 3), WALL, dtype=np.uint8)
    rgb[int(0.88 * height) :] = SHIRT
    crown = pose.project(np.array([[-0.6, -0.75, -0.5], [0.0, -1.0, -0.4], [0.6, -0.75, -0.5]]))
    _fill(rgb, np.concatenate([points[:27], crown]), SKIN)
    _rouge(rgb, pose)
    for part, colour in ((points[48:60], LIPS), (points[36:42], (240, 238, 235)), (points[42:48], (240, 238, 235))):
        _fill(rgb, part, colour)
    light = np.linspace(1.1, 0.75, width)[None, :, None]
    grain = np.random.default_rng(seed).normal(0, 1.5, (height, width, 1))
    shaded = cv2.GaussianBlur(rgb, (0, 0), 0.7) * light + grain
    return Painted(np.clip(np.round(shaded), 0, 255).astype(np.uint8), points, pose)


def _rouge(rgb: RgbImage, pose: Pose) -> None:
    """Reddens the cheeks: a face of one colour all over is taken for a photo without colours."""
    for side in (-1.0, 1.0):
        x, y = pose.project(np.array([side * 0.5, 0.4, 0.05]))
        reach = 0.28 * pose.pixels_per_unit
        rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
        near = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / reach**2)[..., None]
        rgb[...] = np.round(rgb + near * (np.array([190, 110, 100]) - rgb.astype(np.float64)) * 0.7).astype(np.uint8)


def _fill(rgb: RgbImage, outline: FloatArray, colour: tuple[int, int, int]) -> None:
    hull = cv2.convexHull(np.round(outline * 16).astype(np.int32))
    cv2.fillConvexPoly(rgb, hull, colour, cv2.LINE_AA, shift=4)
