"""Sewn and moulded masks: plain cloth, printed cloth, the black foam fashion mask."""

from __future__ import annotations

import numpy as np

from synth.arrays import FloatArray
from synth.looks.canvas import Canvas, lab_to_linear, noise
from synth.looks.registry import Look, Shade, register
from synth.wear import Cut

CLOTH_CUT = Cut(top_half=0.76, bottom_half=0.64, top_side=0.36, bottom_side=0.88, standoff=0.03, peak=1.25, belly=1.9)


def _hem(canvas: Canvas) -> None:
    """A folded border with a line of stitches."""
    across = np.minimum(canvas.u, 1 - canvas.u) * canvas.aspect
    inset = np.minimum(across, np.minimum(canvas.v, 1 - canvas.v))
    canvas.height += np.float32(0.008) * np.clip((0.055 - inset) / 0.02, 0, 1).astype(np.float32)
    stitches = canvas.band(0.05, 0.006, inset) * (np.sin((canvas.u * canvas.aspect + canvas.v) * 220) > -0.3)
    canvas.tint(stitches, 0.82)


def _middle_seam(canvas: Canvas, relief: float) -> None:
    away = np.abs(canvas.u - 0.5)
    canvas.height -= np.float32(0.05 * relief) * np.minimum(away, 0.1)
    canvas.tint(canvas.band(0.5, 0.004 + 0.5 * canvas.texel, canvas.u), 0.78)


def _pattern(canvas: Canvas, look: Look, rng: np.random.Generator) -> FloatArray:
    """(h, w) float32 in 0..1: where the print lies."""
    x, y = canvas.u * canvas.aspect, canvas.v
    count = float(rng.uniform(5, 12))
    if look.pattern == "stripes":
        turn = rng.uniform(0, np.pi)
        wave = np.sin(2 * np.pi * count * (x * np.cos(turn) + y * np.sin(turn)))
        return np.asarray(np.clip(wave * 3 + 0.5, 0, 1), dtype=np.float32)
    if look.pattern == "checks":
        lines = np.maximum(np.sin(2 * np.pi * count * x), np.sin(2 * np.pi * count * y))
        return np.asarray(np.clip((lines - 0.55) * 5, 0, 1), dtype=np.float32)
    if look.pattern == "dots":
        odd = np.floor(y * count) % 2 * 0.5
        near = np.hypot((x * count + odd) % 1 - 0.5, y * count % 1 - 0.5)
        return np.asarray(np.clip((0.27 - near) * 12 + 0.5, 0, 1), dtype=np.float32)
    blotches = noise(canvas.u.shape, (int(count), int(count * 1.5)), rng) + 0.5 * noise(
        canvas.u.shape, (int(2 * count), int(3 * count)), rng
    )
    return np.asarray(np.clip(blotches * 5, 0, 1), dtype=np.float32)


@register(
    "cloth",
    cut=CLOTH_CUT,
    shades=(
        Shade((93, 0, 3), 2),
        Shade((30, 2, -14), 2),
        Shade((55, 0, 0), 1.5),
        Shade((72, 8, 14), 1),
        Shade((42, 28, 12), 1),
        Shade((45, -14, 12), 1),
        Shade((15, 0, 0), 2),
    ),
    loop_width=0.04,
)
def draw_cloth(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Two sewn halves of plain cloth."""
    _middle_seam(canvas, look.relief)
    _hem(canvas)
    canvas.weave(0.05, rng)
    canvas.round_corners(0.12)


@register(
    "printed",
    cut=CLOTH_CUT,
    shades=(Shade((90, 0, 4), 3), Shade((35, 5, -25), 2), Shade((50, 40, 18), 1), Shade((22, 0, 0), 2)),
    patterns=("stripes", "checks", "dots", "camouflage"),
    loop_width=0.04,
)
def draw_printed(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Cloth with a print in the accent colour."""
    canvas.paint(_pattern(canvas, look, rng) * 0.9, lab_to_linear(look.accent))
    _middle_seam(canvas, look.relief)
    _hem(canvas)
    canvas.weave(0.04, rng)
    canvas.round_corners(0.12)


@register(
    "black",
    cut=Cut(top_half=0.79, bottom_half=0.66, top_side=0.40, bottom_side=0.84, standoff=0.02, peak=1.2, belly=1.8),
    shades=(Shade((13, 0, -1), 8), Shade((30, 0, -1), 1.5), Shade((24, 2, -8), 0.8)),
    loop_width=0.07,
    gloss=0.05,
)
def draw_black(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Smooth foam, one seam down the middle, the edge rolled."""
    _middle_seam(canvas, 0.7 * look.relief)
    across = np.minimum(canvas.u, 1 - canvas.u) * canvas.aspect
    inset = np.minimum(across, np.minimum(canvas.v, 1 - canvas.v))
    canvas.height += np.float32(0.012) * np.clip(1 - inset / 0.05, 0, 1).astype(np.float32)
    canvas.weave(0.03, rng)
    canvas.round_corners(0.14)
