"""Ear loops: two cords from a mask's corners to behind each ear; the far ear's are hidden with the turn of the head."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import FloatArray
from synth.surface import Sheet
from synth.warp import HeadToPicture, Region

EAR = np.array([0.86, -0.02, -0.80])
"""Where the loop goes over the root of an ear, head units; the right ear of the picture. Just behind landmark 16."""

EAR_LOBE = np.array([0.84, 0.34, -0.78])

SAG = 0.035
"""How far a loop hangs below the straight line between its ends, head units."""


@dataclass(frozen=True, eq=False)
class Loops:
    """The cords in a region of the photo.

    Attributes:
        alpha: (height, width) float32 in 0..1.
        brightness: (height, width) float32: the round cord is lighter on its upper side.
    """

    alpha: FloatArray
    brightness: FloatArray


def _cord(start: FloatArray, end: FloatArray) -> FloatArray:
    """(N, 3) head coordinates of a cord that lies on the cheek between two points."""
    t = np.linspace(0, 1, 13)[:, None]
    line = start + (end - start) * t
    bow = np.sin(np.pi * t[:, 0])
    side = np.sign(end[0])
    return np.asarray(line + bow[:, None] * np.array([side * 0.05, SAG, 0.03]))


def cords(worn: Sheet) -> list[tuple[float, FloatArray]]:
    """The four cords as (side, (N, 3) head coordinates); side is -1 at the picture's left, 1 at its right."""
    found = []
    for side, column, inner in ((-1.0, 0, 1), (1.0, -1, -2)):
        corners = worn.points[:, column] + 0.5 * (worn.points[:, inner] - worn.points[:, column])
        mirror = np.array([side, 1.0, 1.0])
        found.append((side, _cord(corners[1], EAR * mirror)))
        found.append((side, _cord(corners[-2], EAR_LOBE * mirror)))
    return found


def draw_loops(worn: Sheet, to_picture: HeadToPicture, region: Region, width: float) -> Loops:
    """Draws the cords a photo shows.

    Args:
        worn: the mask's sheet.
        to_picture: head coordinates to pixels.
        region: to draw in.
        width: of a cord, in pixels.
    """
    scale = 4
    yaw = to_picture.pose.angles[0]
    canvas = np.zeros((region.height * scale, region.width * scale), dtype=np.uint8)
    for side, line in cords(worn):
        # A face turned to the picture's right (yaw > 0) hides its right ear behind the cheek, and the other way round.
        if side * yaw > 16.0:
            continue
        pixels = (to_picture(line) - [region.x0, region.y0] + 0.5) * scale - 0.5
        cv2.polylines(
            canvas,
            [np.round(pixels * 16).astype(np.int32)],
            False,
            255,
            max(round(width * scale), 1),
            cv2.LINE_AA,
            shift=4,
        )
    alpha = cv2.resize(canvas, (region.width, region.height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    thin = min(width, 1.0)
    brightness = 0.92 + 0.25 * np.clip(cv2.Sobel(alpha, cv2.CV_32F, 0, 1) / 4, -1, 1)
    return Loops(alpha * np.float32(thin), np.asarray(brightness, dtype=np.float32))
