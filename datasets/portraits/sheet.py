"""The face laid out flat: a raster over head coordinates x and y, on which features are sculpted and painted."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from datasets.portraits.camera import Floats

LEFT, TOP, RIGHT, BOTTOM = -1.40, -1.90, 1.40, 1.90  # pupil distances
DENSITY = 128  # pixels per pupil distance
WIDTH = round((RIGHT - LEFT) * DENSITY) + 1
HEIGHT = round((BOTTOM - TOP) * DENSITY) + 1
XS = np.linspace(LEFT, RIGHT, WIDTH, dtype=np.float32)
YS = np.linspace(TOP, BOTTOM, HEIGHT, dtype=np.float32)


def blank() -> Floats:
    """Return an empty (HEIGHT, WIDTH) float32 sheet."""
    return np.zeros((HEIGHT, WIDTH), np.float32)


def smoothstep(low: float, high: float, value: Floats) -> Floats:
    """Rise smoothly from 0 at ``low`` to 1 at ``high`` (which may be below ``low``)."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def box(x0: float, y0: float, x1: float, y1: float) -> tuple[tuple[slice, slice], Floats, Floats]:
    """Return the window over a box in head coordinates, and its x as a row, its y as a column."""
    columns = slice(max(int((x0 - LEFT) * DENSITY), 0), min(int((x1 - LEFT) * DENSITY) + 1, WIDTH))
    rows = slice(max(int((y0 - TOP) * DENSITY), 0), min(int((y1 - TOP) * DENSITY) + 1, HEIGHT))
    return (rows, columns), XS[None, columns], YS[rows, None]


def bump(sheet: Floats, x: float, y: float, sx: float, sy: float, amount: float, turn: float = 0.0) -> None:
    """Add a Gaussian hill (in place).

    Args:
        sheet: the sheet.
        x, y: its top.
        sx, sy: its spreads along its own axes.
        amount: its height.
        turn: clockwise turn of its axes, degrees.
    """
    reach = 3.2 * (max(sx, sy) if turn else 1)
    rx, ry = (reach, reach) if turn else (3.2 * sx, 3.2 * sy)
    window, xs, ys = box(x - rx, y - ry, x + rx, y + ry)
    if not turn:
        sheet[window] += amount * np.exp(-0.5 * ((xs - x) / sx) ** 2) * np.exp(-0.5 * ((ys - y) / sy) ** 2)
        return
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    along, across = (xs - x) * c + (ys - y) * s, (ys - y) * c - (xs - x) * s
    sheet[window] += (amount * np.exp(-0.5 * ((along / sx) ** 2 + (across / sy) ** 2))).astype(np.float32)


def bumps(sheet: Floats, x: float, y: float, sx: float, sy: float, amount: float, turn: float = 0.0) -> None:
    """Add the same hill on both sides of the midline."""
    bump(sheet, x, y, sx, sy, amount, turn)
    bump(sheet, -x, y, sx, sy, amount, -turn)


def ridge(
    sheet: Floats,
    curve: Callable[[Floats], Floats],
    span: tuple[float, float],
    thick: float,
    amount: float,
    fade: float = 0.25,
) -> None:
    """Add a ridge (or a groove) along y = curve(x), with ends that fade (in place).

    Args:
        sheet: the sheet.
        curve: y for each x.
        span: x from, x to.
        thick: spread across it.
        amount: its height.
        fade: share of the span over which each end fades.
    """
    window, xs, _ = box(span[0], TOP, span[1], BOTTOM)
    y = curve(xs)
    rows = slice(
        max(int((float(y.min()) - 4 * thick - TOP) * DENSITY), 0),
        min(int((float(y.max()) + 4 * thick - TOP) * DENSITY) + 1, HEIGHT),
    )
    t = (xs - span[0]) / (span[1] - span[0])
    weight = smoothstep(0, fade, t) * smoothstep(1, 1 - fade, t)
    sheet[rows, window[1]] += amount * weight * np.exp(-0.5 * ((YS[rows, None] - y) / thick) ** 2)


def strokes(lines: list[tuple[Floats, float]], shape_like: Floats, blur: float = 0.6) -> Floats:
    """Draw thin strokes.

    Args:
        lines: each a (n, 2) polyline in head coordinates and a strength 0 to 1.
        shape_like: a sheet, for its size.
        blur: spread of the final blur, sheet pixels.

    Returns:
        (HEIGHT, WIDTH) float32, 0 to 1.
    """
    canvas = np.zeros(shape_like.shape, np.uint8)
    for line, strength in lines:
        points = ((line - np.array([LEFT, TOP])) * (DENSITY * 16)).round().astype(np.int32)
        cv2.polylines(canvas, [points.reshape(-1, 1, 2)], False, int(255 * strength), 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), blur), np.float32) / np.float32(255)


def noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> Floats:
    """Smooth noise around 0 with spread near 1: ``cells`` (rows, cols) random values, enlarged to ``shape``."""
    values = rng.standard_normal((max(cells[0], 2), max(cells[1], 2)), dtype=np.float32)
    return np.asarray(cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))
