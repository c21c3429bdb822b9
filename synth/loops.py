"""What holds a mask: loops to the ears or straps behind the head, hidden by the head's own side as it turns away."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import FloatArray
from synth.errors import SynthUsageError
from synth.surface import Sheet
from synth.warp import HeadToPicture, Region, within_head

EAR = np.array([0.85, 0.10, -0.70])
"""Where a loop goes behind the root of an ear, head units; the right ear of the picture. Just behind landmark 16."""

EAR_LOBE = np.array([0.835, 0.40, -0.68])

ABOVE_EAR = np.array([0.84, -0.12, -0.84])
"""Where the upper strap of a mask without ear loops goes into the hair."""

NAPE = np.array([0.80, 0.62, -0.80])
"""Where the lower one goes round to the nape."""

ENDS: dict[str, tuple[FloatArray, FloatArray] | None] = {
    "ears": (EAR, EAR_LOBE),
    "head": (ABOVE_EAR, NAPE),
    "none": None,
}
"""What a mask can be attached to, and where its upper and its lower cords end."""

STARTS = {"ears": (0.07, 0.93), "head": (0.36, 0.66), "none": (0.0, 1.0)}
"""v on the mask's side edge where they start: at the corners, or on the shoulders of a cup."""

SAG = 0.02
"""How far a cord hangs below the straight line between its ends, head units."""

BEHIND = 0.35
"""Cosine to the camera under which the side of the head begins to hide a cord; at 0 it is hidden. The cheek before an
ear is rounded, so that a cord goes out of sight little by little."""

OFF_CHEEK = 0.05
"""How far past the far cheek's outline a cord may lie, head units: it runs over the cheek's roundness."""

AXIS_DEPTH = -0.75
"""Depth z of the upright line that the cheeks are round about, head units: between the ears."""

SUPERSAMPLED = 4
STEPS = 13


@dataclass(frozen=True)
class Strap:
    """What holds a mask.

    Attributes:
        attach: `ears`, `head` (two straps behind the head) or `none`.
        width: of a cord, head units; a loop wider than 0.045 is cut from the mask's own sheet and narrows to the ear.
        seen: share of each cord's length that no hair hides.
    """

    attach: str = "ears"
    width: float = 0.03
    seen: float = 1.0

    def __post_init__(self) -> None:
        if self.attach not in ENDS:
            raise SynthUsageError(f"unknown way to attach a mask {self.attach!r}: expected one of {', '.join(ENDS)}")


@dataclass(frozen=True, eq=False)
class Loops:
    """The cords in a region of the photo.

    Attributes:
        alpha: (height, width) float32 in 0..1.
        brightness: (height, width) float32: the round cord is lighter on its upper side.
    """

    alpha: FloatArray
    brightness: FloatArray


def cords(worn: Sheet, attach: str = "ears", hangs: float = 0.0) -> list[tuple[float, FloatArray]]:
    """The cords as (side, (N, 3) head coordinates); side is -1 at the picture's left, 1 at its right.

    Four of them, from the mask's edge to where they go out of sight; none where nothing holds the mask.

    Args:
        worn: the mask's sheet.
        attach: see `Strap`.
        hangs: -1 or 1 where the mask hangs from the ear of that side by the loop of its upper end; else 0.
    """
    ends, rows = ENDS[attach], len(worn.points)
    if hangs:
        end = worn.points[:, 0 if hangs > 0 else -1]
        return [(hangs, _cord(end[row], EAR * [hangs, 1.0, 1.0])) for row in (1, rows - 2)]
    if ends is None:
        return []
    starts = [round(v * (rows - 1)) for v in STARTS[attach]]
    found = []
    for side, column, inner in ((-1.0, 0, 1), (1.0, -1, -2)):
        # From half a column inside the edge, so that no gap opens between a cord and the mask's rounded corner.
        edge = worn.points[:, column] + 0.5 * (worn.points[:, inner] - worn.points[:, column])
        for start, end in zip(starts, ends, strict=True):
            found.append((side, _cord(edge[start], end * [side, 1.0, 1.0])))
    return found


def _cord(start: FloatArray, end: FloatArray) -> FloatArray:
    """(N, 3) head coordinates of a cord that lies on the cheek between two points.

    The cheek is as round as a cylinder that stands upright within the head; on one the shortest way is a helix.
    """
    t = np.linspace(0, 1, STEPS)
    side, (start_z, end_z) = np.sign(end[0]), (start[2] - AXIS_DEPTH, end[2] - AXIS_DEPTH)
    around = np.array([np.arctan2(side * start[0], start_z), np.arctan2(side * end[0], end_z)])
    away = np.array([np.hypot(start[0], start_z), np.hypot(end[0], end_z)])
    angle, radius = around[0] + np.diff(around) * t, away[0] + np.diff(away) * t
    height = start[1] + (end[1] - start[1]) * t + SAG * np.sin(np.pi * t)
    return np.stack([side * radius * np.sin(angle), height, AXIS_DEPTH + radius * np.cos(angle)], axis=1)


def _side_normals(line: FloatArray) -> FloatArray:
    """(..., 3) normals of the cheek under a cord: the rounder towards the front the further it is from the ear."""
    forward = np.clip((line[..., 2] - EAR[2]) / 0.6, 0, 1)
    turn = np.radians(24 + 40 * forward)
    normals = np.stack([np.sign(line[..., 0]) * np.cos(turn), np.zeros_like(turn), np.sin(turn)], axis=-1)
    return np.asarray(normals)


def draw_loops(held: list[tuple[float, FloatArray]], to_picture: HeadToPicture, region: Region, strap: Strap) -> Loops:
    """Draws the cords a photo shows.

    Args:
        held: of `cords`.
        to_picture: head coordinates to pixels.
        region: to draw in.
        strap: what holds the mask.
    """
    alpha = np.zeros((region.height, region.width), dtype=np.float32)
    brightness = np.full_like(alpha, 0.92)
    lines = [line for _, line in held]
    if not lines:
        return Loops(alpha, brightness)
    # All cords in one call each: what the splines and the pose cost is mostly the call.
    points = np.stack(lines)
    placed = to_picture(points)
    shown = np.clip(to_picture.facing(points, _side_normals(points)) / BEHIND, 0, 1)
    # Beyond the far cheek there is nothing that a cord could lie on.
    shown *= np.asarray(within_head(placed, to_picture, OFF_CHEEK)) > 0
    along = np.linspace(0, 1, STEPS)
    # Hair or the ear itself lies over the end, so that no cord stops short in the open.
    shown *= np.clip((strap.seen - along) / 0.18 + 0.15, 0, 1)
    widths = strap.width * to_picture.pose.pixels_per_unit * np.ones(STEPS)
    if strap.attach == "ears" and strap.width > 0.045:
        widths *= np.interp(along, [0, 0.5, 1], [1.35, 0.8, 0.65])
    for line, visible in zip(placed - [region.x0, region.y0], shown, strict=True):
        _lay(alpha, brightness, line, widths, visible)
    return Loops(alpha, brightness)


def _lay(alpha: FloatArray, brightness: FloatArray, line: FloatArray, widths: FloatArray, shown: FloatArray) -> None:
    """Lays one cord into the region, working only in the rectangle around it.

    Args:
        alpha, brightness: (height, width), changed in place.
        line: (N, 2) pixels of the region.
        widths: (N,) pixels.
        shown: (N,) in 0..1.
    """
    seen = np.flatnonzero(shown > 0.02)
    if not len(seen) or not np.isfinite(line).all():
        return
    limit = np.array([alpha.shape[1], alpha.shape[0]])
    margin = 0.5 * float(widths.max()) + 2
    x0, y0 = np.clip(np.floor(line[seen].min(0) - margin), 0, limit).astype(int)
    x1, y1 = np.clip(np.ceil(line[seen].max(0) + margin), 0, limit).astype(int)
    if x0 >= x1 or y0 >= y1:
        return
    plate = np.zeros(((y1 - y0) * SUPERSAMPLED, (x1 - x0) * SUPERSAMPLED), dtype=np.uint8)
    points = np.round(((line - [x0, y0] + 0.5) * SUPERSAMPLED - 0.5) * 16).astype(np.int32)
    for first in range(len(line) - 1):
        # A cord thinner than a pixel is fainter, not wider.
        strength = 255 * float(0.5 * (shown[first] + shown[first + 1])) * min(float(widths[first]) / 0.7, 1.0)
        thick = max(round(max(float(widths[first]), 0.7) * SUPERSAMPLED), 1)
        if strength >= 4:
            ends = points[first : first + 2].tolist()
            cv2.line(plate, ends[0], ends[1], round(strength), thick, cv2.LINE_AA, shift=4)
    drawn = cv2.resize(plate, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    within = np.s_[y0:y1, x0:x1]
    lit = 0.92 + 0.25 * np.clip(cv2.Sobel(drawn, cv2.CV_32F, 0, 1) / 4, -1, 1)
    brightness[within] = np.where(drawn > alpha[within], lit, brightness[within])
    np.maximum(alpha[within], drawn, out=alpha[within])
