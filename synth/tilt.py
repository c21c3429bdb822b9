"""A head raised, lowered or turned: the photo warped as if it had been taken from another height or side.

Photographs of people seldom show such heads, and on a raised one a mask below the nose looks as one over it does on a
level head. The landmarks and some points of the head around them are turned in space, the face staying where it is, and
the picture follows them through a thin-plate spline (Bookstein, "Principal warps", PAMI 1989), which a ring around the
head and the neck hold still. Only what the photo shows can be shown: far turns are refused, where the spline would
fold.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from synth.arrays import BoolArray, FloatArray, RgbImage
from synth.errors import PhotoRefusedError, SynthUsageError
from synth.pose import Pose, fit_pose
from synth.shape import MEAN_FACE
from synth.warp import Region, fit_spline

FARTHEST = 20.0
"""By how many degrees a head may be tilted or turned: further, what would come into view is missing."""

TURNED = 35.0
"""Yaw in degrees from which a head is refused: further, half of the face hides behind the nose already."""

_AROUND: FloatArray = np.array(
    [
        *((0.0, -0.75, 0.12), (-0.45, -0.7, 0.02), (0.45, -0.7, 0.02)),
        *((-0.8, -0.45, -0.45), (0.8, -0.45, -0.45)),
        *((0.0, -1.15, -0.3), (-0.6, -1.05, -0.45), (0.6, -1.05, -0.45)),
        *((-0.95, 0.2, -0.9), (0.95, 0.2, -0.9), (-0.9, -0.5, -0.9), (0.9, -0.5, -0.9)),
    ]
)
"""(12, 3) head coordinates: forehead, temples, crown and ears, by eye on the mean face."""

_RIGHT, _BEHIND = 0.15, 0.15
"""Head units: a point so near another in the picture and so far behind it is hidden; it would pull at what hides it."""

_NECK: FloatArray = np.array([(-0.5, 2.0, -0.9), (0.0, 2.05, -0.8), (0.5, 2.0, -0.9)])
_PIVOT: FloatArray = np.array([0.0, 0.9, -1.1])
"""Head coordinates of what stays, and of where a head turns: at the top of the neck."""

_RINGS, _HELD, _FADES = (2.6, 4.0), 24, 0.8
"""Radii in head units of the circles that stay, points on each, and from which share of the outer one it fades out."""

_GRID = 48
"""Points a side, over what moves, at which the spline is worked out; between them it is all but straight."""

_STIFFNESS = 1e-6
"""Of the spline: where two points all but coincide it may miss them by a little, rather than crease."""

_LEAST = 0.2
"""How near two of the photo's places may come that were a pixel apart, by smearing what lies between them out."""


def check_tilt(degrees: float, name: str = "tilt") -> None:
    """Makes sure that heads may be tilted or turned by up to so many degrees.

    Args:
        degrees: asked for.
        name: of the setting, `tilt` or `turn`.

    Raises:
        SynthUsageError: it is below 0 or above `FARTHEST`.
    """
    if not 0 <= degrees <= FARTHEST:
        raise SynthUsageError(f"expected a {name} of heads of 0 to {FARTHEST:.0f} degrees, got {degrees:g}")


def tilt_head(rgb: RgbImage, landmarks: FloatArray, pitch: float, yaw: float = 0.0) -> tuple[RgbImage, FloatArray]:
    """The photo with its head tilted or turned, and the landmarks there.

    Args:
        rgb: (H, W, 3) uint8, RGB.
        landmarks: (68, 2), x, y in pixels.
        pitch: by how many degrees more, as `Pose.angles` counts: positive lowers the chin; up to `FARTHEST` either way.
        yaw: positive turns the face to the picture's right; likewise.

    Returns:
        (H, W, 3) uint8, RGB, and (68, 2) float64.

    Raises:
        PhotoRefusedError: the head looks too far to the side, or is to be tilted or turned too far (`extreme_pose`);
            the picture would fold (`folded`); the landmarks are no face (`ambiguous_face`) or none of this photo
            (`cut_off`).
    """
    points = np.asarray(landmarks, dtype=np.float64)
    pose = fit_pose(points)
    if not (abs(pitch) <= FARTHEST and abs(yaw) <= FARTHEST) or abs(pose.angles[0]) > TURNED:
        raise PhotoRefusedError(
            "extreme_pose",
            f"a head is tilted and turned by up to {FARTHEST:.0f} degrees and with a yaw up to {TURNED:.0f}, not by "
            f"{pitch:.0f} and {yaw:.0f} with a yaw of {pose.angles[0]:.0f}",
        )
    bent = _Bent.of(pose, points, _rotation(pitch, yaw), rgb.shape)
    if not bent.least_room() >= _LEAST:
        raise PhotoRefusedError("folded", f"tilted by {pitch:.0f} and turned by {yaw:.0f} degrees the picture folds")
    tilted = rgb.copy()
    # All of the photo is read from: what comes into view may lie outside of the part that moves.
    columns, rows = bent.sources()
    tilted[bent.region.slices] = cv2.remap(rgb, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return tilted, bent.landmarks


@dataclass(frozen=True, eq=False)
class _Bent:
    """How a photo bends.

    Attributes:
        region: the part of it that moves.
        moves: (_GRID, _GRID, 2) float32, from places spread over the region of the tilted picture to where the photo
            shows what is there, pixels.
        landmarks: (68, 2), where they lie in the tilted picture.
    """

    region: Region
    moves: NDArray[np.float32]
    landmarks: FloatArray

    @classmethod
    def of(cls, pose: Pose, points: FloatArray, rotation: FloatArray, shape: tuple[int, ...]) -> _Bent:
        before, after, landmarks = _moved(pose, points, rotation)
        middle, reach = pose.project(MEAN_FACE).mean(0), _RINGS[1] * pose.pixels_per_unit
        region = Region.around(middle[None], reach, shape)
        if region.width < 1 or region.height < 1:
            raise PhotoRefusedError("cut_off", "the head lies outside of the photo")
        spline = fit_spline(after, before - after, _STIFFNESS)
        xs, ys = np.linspace(region.x0, region.x1 - 1, _GRID), np.linspace(region.y0, region.y1 - 1, _GRID)
        # The spline all but stays at the outer ring; from there on nothing moves at all.
        far = np.hypot(xs - middle[0], ys[:, None] - middle[1])[..., None] / reach
        moves = spline.on_lattice(xs, ys) * np.clip((1 - far) / (1 - _FADES), 0, 1)
        return cls(region, moves.astype(np.float32), landmarks)

    def sources(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Columns and rows of the photo for each pixel of the region."""
        region = self.region
        xs, ys = np.arange(region.x0, region.x1), np.arange(region.y0, region.y1)
        at = (np.linspace(0, _GRID - 1, len(each), dtype=np.float32) for each in (xs, ys))
        across, down = np.meshgrid(*at)
        columns, rows = cv2.split(cv2.remap(self.moves, across, down, cv2.INTER_LINEAR))
        return (columns + xs).astype(np.float32), (rows + ys[:, None]).astype(np.float32)

    def least_room(self) -> float:
        """How near two of the photo's places come, by the distance of those that show them; 0 and below in a fold."""
        region = self.region
        width, height = (max(side - 1, 1) / (_GRID - 1) for side in (region.width, region.height))
        along_x = np.diff(self.moves, axis=1)[:-1] / width + [1.0, 0.0]
        along_y = np.diff(self.moves, axis=0)[:, :-1] / height + [0.0, 1.0]
        size = (along_x**2).sum(-1) + (along_y**2).sum(-1)
        area = along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]
        # The smaller singular value of the two by two derivatives, with the area's sign.
        least = np.sqrt(np.maximum(size - np.sqrt(np.maximum(size**2 - 4 * area**2, 0)), 0) / 2)
        return float((least * np.sign(area)).min())


def _rotation(pitch: float, yaw: float) -> FloatArray:
    """(3, 3): turns a head about the axis from ear to ear, and then about its neck, so that it doesn't roll."""
    cos, sin = np.cos(np.radians(pitch)), np.sin(np.radians(pitch))
    nod = np.array([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return np.asarray(np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]]) @ nod)


def _moved(pose: Pose, points: FloatArray, rotation: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(N, 2) pixels of what is seen of the head and of what stays, and where that lies when tilted; landmarks then."""
    head = np.concatenate([MEAN_FACE, _AROUND])
    turned = (head - _PIVOT) @ rotation.T + _PIVOT
    level, tilted = pose.project(head), pose.project(turned)
    # The face stays in its place: a box found in the level photo, or in another tilted one, is this one's too.
    tilted += (level - tilted)[: len(points)].mean(0)
    # A person's own face keeps its distances to the mean face.
    own = np.concatenate([points - level[: len(points)], np.zeros((len(_AROUND), 2))])
    before, after = level + own, tilted + own
    seen = _seen(before, after, pose.to_camera(head)[:, 2], pose.pixels_per_unit)
    angles = np.linspace(0, 2 * np.pi, _HELD, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1) * pose.pixels_per_unit
    middle = level[: len(points)].mean(0)
    held = np.concatenate([*(middle + radius * circle for radius in _RINGS), pose.project(_NECK)])
    return np.concatenate([before[seen], held]), np.concatenate([after[seen], held]), after[: len(points)]


def _seen(level: FloatArray, tilted: FloatArray, depths: FloatArray, unit: float) -> BoolArray:
    """(N,) which of these points are seen: not those right behind another, in the photo or when tilted.

    Args:
        level, tilted: (N, 2), pixels.
        depths: (N,) towards the camera, head units.
        unit: pixels of a head unit.
    """
    near = [np.linalg.norm(places[:, None] - places, axis=-1) < _RIGHT * unit for places in (level, tilted)]
    behind = depths - depths[:, None] > _BEHIND
    return np.asarray(~((near[0] | near[1]) & behind).any(1))
