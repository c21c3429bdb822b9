"""Prints: stripes, checks, dots, flowers, camouflage, dye, halves, lines of writing that say nothing, small signs."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from synth.arrays import FloatArray
from synth.looks.canvas import Canvas, coarse_noise, ramp

Print = Callable[[Canvas, np.random.Generator], FloatArray]

_PRINTS: dict[str, Print] = {}


def _print(name: str) -> Callable[[Print], Print]:
    def add(draw: Print) -> Print:
        _PRINTS[name] = draw
        return draw

    return add


def list_prints() -> list[str]:
    """The names of all prints."""
    return list(_PRINTS)


def printed(name: str, canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    """(h, w) float32 in 0..1: where the print of that name lies; nothing for an empty name."""
    return _PRINTS[name](canvas, rng) if name else np.zeros_like(canvas.alpha)


def _waves(canvas: Canvas, along: FloatArray, per_height: float, share: float) -> FloatArray:
    """Stripes across a coordinate in sheet heights, even grey where they are finer than two texels."""
    phase = (along * np.float32(per_height)) % 1
    edge = np.float32(max(per_height * canvas.texel, 1e-6))
    stripes = ramp((np.float32(share / 2) - np.abs(phase - np.float32(0.5))) / edge + np.float32(0.5))
    shown = np.float32(np.clip(1.6 - 2.2 * edge, 0, 1))
    return np.asarray(np.float32(share) + shown * (stripes - np.float32(share)))


@_print("stripes")
def _stripes(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    turn = float(rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]))
    along = canvas.column * (canvas.aspect * np.cos(turn)) + canvas.row * np.sin(turn)
    return _waves(canvas, along.astype(np.float32), rng.uniform(4, 14), rng.uniform(0.25, 0.6))


@_print("checks")
def _checks(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    count, share = rng.uniform(5, 13), rng.uniform(0.2, 0.55)
    across = _waves(canvas, canvas.column * np.float32(canvas.aspect), count, share)
    down = _waves(canvas, canvas.row, count, share)
    # Woven, not printed: where only one thread is dyed the colour is half.
    return np.asarray(0.5 * (across + down))


@_print("dots")
def _dots(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    count, share = rng.uniform(5, 14), rng.uniform(0.22, 0.36)

    def draw(plate: FloatArray, size: float) -> None:
        step = size / count
        for row in range(int(count) + 2):
            for column in range(int(plate.shape[1] / step) + 2):
                _disc(plate, (column + 0.5 * (row % 2)) * step, row * step, share * step)

    return canvas.stencil(draw)


@_print("flowers")
def _flowers(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    count, petals = int(rng.integers(8, 26)), int(rng.integers(4, 7))

    def draw(plate: FloatArray, size: float) -> None:
        for _ in range(count):
            x, y = rng.uniform(0, plate.shape[1]), rng.uniform(0, plate.shape[0])
            radius, turn = size * rng.uniform(0.03, 0.085), rng.uniform(0, 2 * np.pi)
            for petal in range(petals):
                angle = turn + 2 * np.pi * petal / petals
                _disc(plate, x + radius * np.cos(angle), y + radius * np.sin(angle), 0.62 * radius)
            _disc(plate, x, y, 0.45 * radius, 60)

    return canvas.stencil(draw)


@_print("camouflage")
def _camouflage(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    count = int(rng.integers(3, 8))
    coarse = coarse_noise((count, int(1.5 * count)), rng) + 0.5 * coarse_noise((2 * count, 3 * count), rng)
    blotches = canvas.spread(coarse)
    return np.asarray(0.55 * ramp(blotches * 22) + 0.45 * ramp((blotches - 0.35) * 22))


@_print("dye")
def _dye(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    coarse = coarse_noise((4, 6), rng) + 0.6 * coarse_noise((9, 13), rng) + 0.3 * coarse_noise((20, 26), rng)
    return np.asarray(ramp(0.45 + 0.5 * canvas.spread(coarse)))


@_print("halves")
def _halves(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    slope, middle = rng.uniform(-1.2, 1.2), rng.uniform(0.35, 0.65)
    away = (canvas.row - middle) - slope * (canvas.column - 0.5) * canvas.aspect
    return np.asarray(ramp(away / (canvas.texel * np.hypot(1, slope)) + 0.5).astype(np.float32))


@_print("writing")
def _writing(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    lines, at = int(rng.integers(1, 4)), (rng.uniform(0.3, 0.7), rng.uniform(0.4, 0.62))
    tall, glyphs = rng.uniform(0.05, 0.13), int(rng.integers(5, 12))

    def draw(plate: FloatArray, size: float) -> None:
        for line in range(lines):
            height = size * tall * (1 if line == 0 else 0.6)
            x = plate.shape[1] * at[0] - 0.4 * glyphs * height
            y = size * (at[1] + 1.5 * tall * line)
            for _ in range(glyphs):
                _glyph(plate, x, y, height, rng)
                x += height * rng.uniform(0.7, 0.9)

    return canvas.stencil(draw)


@_print("grin")
def _grin(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    wide, low, teeth = rng.uniform(0.22, 0.4), rng.uniform(0.45, 0.58), int(rng.integers(0, 9))

    def draw(plate: FloatArray, size: float) -> None:
        middle, width = plate.shape[1] / 2, wide * size
        thick = max(round(0.022 * size), 1)
        centre = (round(middle), round(size * (low - 0.5 * wide)))
        cv2.ellipse(plate, centre, (round(width), round(0.75 * width)), 0, 25, 155, 255, thick, cv2.LINE_AA)
        for angle in np.radians(np.linspace(30, 150, teeth)):
            x, y = centre[0] + width * np.cos(angle), centre[1] + 0.75 * width * np.sin(angle)
            _stroke(plate, x, y - 0.05 * size, x, y + 0.05 * size, 0.6 * thick)

    return canvas.stencil(draw)


def mark(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    """(h, w) float32 in 0..1: a small sign on one cheek, of no maker."""
    right, at, size_of = rng.random() < 0.5, rng.uniform(0.12, 0.3), rng.uniform(0.05, 0.11)
    down, shape = rng.uniform(0.35, 0.75), int(rng.integers(3))

    def draw(plate: FloatArray, size: float) -> None:
        x, y, radius = plate.shape[1] * ((1 - at) if right else at), size * down, size * size_of
        if shape == 0:
            _disc(plate, x, y, radius)
            _disc(plate, x + 0.3 * radius, y - 0.1 * radius, 0.55 * radius, 0)
        elif shape == 1:
            _stroke(plate, x - radius, y + 0.5 * radius, x, y - 0.5 * radius, 0.35 * radius)
            _stroke(plate, x, y - 0.5 * radius, x + 1.2 * radius, y + 0.3 * radius, 0.35 * radius)
        else:
            for glyph in range(5):
                _glyph(plate, x + (glyph - 2) * 0.8 * radius, y, radius, rng)

    return canvas.stencil(draw)


def small_print(canvas: Canvas, at: tuple[float, float], rng: np.random.Generator) -> FloatArray:
    """(h, w) float32 in 0..1: two lines of small type, as approvals are printed on respirators.

    Args:
        canvas: to draw on.
        at: u, v of its middle.
        rng: draws the letters.
    """
    counts = rng.integers(5, 10, size=2)

    def draw(plate: FloatArray, size: float) -> None:
        for line, count in enumerate(counts):
            height = size * (0.036 if line == 0 else 0.026)
            left = plate.shape[1] * at[0] - 0.42 * count * height
            for glyph in range(count):
                _glyph(plate, left + 0.84 * glyph * height, size * (at[1] + 0.055 * line), height, rng)

    return canvas.stencil(draw)


def bandana(canvas: Canvas, rng: np.random.Generator) -> FloatArray:
    """(h, w) float32 in 0..1: a bandana's print, a border and drops on a ground of small dots."""
    count = int(rng.integers(14, 34))

    def draw(plate: FloatArray, size: float) -> None:
        for inset in (0.05, 0.09):
            low = round(size * (1 - inset))
            cv2.line(plate, (0, low), (plate.shape[1], low), 255, max(round(0.01 * size), 1), cv2.LINE_AA)
        for _ in range(count):
            x, y, turn = rng.uniform(0, plate.shape[1]), rng.uniform(0, 0.88 * size), rng.uniform(0, 360)
            axes = (round(0.05 * size), round(0.025 * size))
            thick = max(round(0.008 * size), 1)
            cv2.ellipse(plate, (round(x), round(y)), axes, turn, 0, 360, 255, thick, cv2.LINE_AA)
            _disc(plate, x, y, 0.012 * size)

    return canvas.stencil(draw)


def _disc(plate: FloatArray, x: float, y: float, radius: float, value: int = 255) -> None:
    centre = (round(x * 16), round(y * 16))
    cv2.circle(plate, centre, max(round(radius * 16), 1), value, -1, cv2.LINE_AA, shift=4)


def _stroke(plate: FloatArray, x0: float, y0: float, x1: float, y1: float, width: float) -> None:
    ends = (round(x0 * 16), round(y0 * 16)), (round(x1 * 16), round(y1 * 16))
    cv2.line(plate, *ends, 255, max(round(width), 1), cv2.LINE_AA, shift=4)


def _glyph(plate: FloatArray, x: float, y: float, height: float, rng: np.random.Generator) -> None:
    """Something like a letter: a stem or two and a bow or bar, in no alphabet."""
    width, thick = 0.55 * height, max(0.14 * height, 1)
    kind = int(rng.integers(5))
    if kind != 3:
        _stroke(plate, x, y, x, y - height, thick)
    if kind in (0, 4):
        _stroke(plate, x + width, y, x + width, y - height, thick)
    if kind in (0, 1):
        _stroke(plate, x, y - 0.5 * height, x + width, y - 0.5 * height, thick)
    if kind in (1, 4):
        _stroke(plate, x, y - height, x + width, y - height, thick)
    if kind in (2, 3):
        centre = (round(x + 0.4 * width), round(y - 0.5 * height))
        start = 250 if kind == 2 else 40
        axes = (round(0.6 * width), round(0.5 * height))
        cv2.ellipse(plate, centre, axes, 0, start, start + (220 if kind == 2 else 290), 255, round(thick), cv2.LINE_AA)
