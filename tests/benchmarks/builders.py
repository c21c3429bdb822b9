"""Portraits drawn from their points: a round head, so that where a mask belongs is known without a photograph."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.common import N_POINTS, Portrait
from benchmarks.truth import EARS, HAIRLINE, JAW, NECK, PARTS
from synth.arrays import FloatArray

CENTRE = (200.0, 200.0)


def _arc(start: float, end: float, count: int, across: float, down: float) -> FloatArray:
    """Points of an ellipse about CENTRE, degrees clockwise from the picture's right."""
    angles = np.radians(np.linspace(start, end, count))
    return np.stack([CENTRE[0] + across * np.cos(angles), CENTRE[1] + down * np.sin(angles)], axis=1)


def _ring(centre: tuple[float, float], across: float, down: float, count: int) -> FloatArray:
    angles = 2 * np.pi * np.arange(count) / count
    return np.stack([centre[0] + across * np.cos(angles), centre[1] + down * np.sin(angles)], axis=1)


def portrait() -> Portrait:
    """A head 200 pixels wide: eyes at 160, nose to 220, mouth at 245, chin at 320; its face's width is about 194."""
    points = np.tile(np.array(CENTRE), (N_POINTS, 1))
    points[list(JAW)] = _arc(165, 15, 9, 100, 120)
    points[list(EARS)] = np.concatenate([_arc(180, 200, 5, 108, 120), _arc(0, -20, 5, 108, 120)])
    points[list(HAIRLINE)] = _arc(205, 335, 11, 100, 120)
    points[list(NECK)] = [(140, 340), (260, 340), (180, 360), (220, 360)]
    for part, centre, across, down in (
        ("left eye", (160, 160), 18, 7),
        ("right eye", (240, 160), 18, 7),
        ("nose", (200, 210), 18, 12),
        ("nose tip", (200, 203), 10, 8),
        ("mouth", (200, 245), 30, 10),
        ("chin", (200, 300), 20, 12),
    ):
        indices = [index for index in PARTS[part] if index not in JAW]
        points[indices] = _ring((float(centre[0]), float(centre[1])), across, down, len(indices))
    rgb = np.full((420, 400, 3), 128, dtype=np.uint8)
    for x, y in points:
        cv2.circle(rgb, (round(x), round(y)), 3, (255, 0, 0), -1)
    return Portrait("drawn", rgb, points)


def sheet(top: float, bottom: float, left: float = 130, right: float = 270) -> FloatArray:
    """(420, 400) opacity of a mask that is a rectangle."""
    alpha = np.zeros((420, 400), dtype=np.float32)
    alpha[int(top) : int(bottom), int(left) : int(right)] = 1.0
    return alpha
