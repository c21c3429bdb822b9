"""Folded respirators: the three-panel KF94, and the KN95 with its ridge down the middle."""

from __future__ import annotations

import numpy as np

from synth.arrays import FloatArray
from synth.looks.canvas import Canvas
from synth.looks.registry import Look, Shade, register
from synth.wear import Cut


def _crease(canvas: Canvas, line: FloatArray, look: Look, sharp: float = 0.035) -> None:
    """A fold along v = line: the panels meet at an angle, the weld beside it is a little darker."""
    canvas.height -= np.float32(0.035 * look.relief) * np.maximum(1 - np.abs(canvas.v - line) / sharp, 0).astype(
        np.float32
    )
    canvas.tint(canvas.band(line, 0.006), 0.86)


def _welded_edge(canvas: Canvas, inset: float) -> None:
    dots = 0.5 + 0.5 * np.sign(np.sin(canvas.u * 260))
    for line in (inset, 1 - inset):
        canvas.tint(canvas.band(line, 0.008) * dots.astype(np.float32), 0.90)


@register(
    "kf94",
    cut=Cut(top_half=0.79, bottom_half=0.69, top_side=0.40, bottom_side=0.80, standoff=0.075, peak=1.2, belly=1.7),
    shades=(Shade((94, 0, 1), 6), Shade((18, 0, -1), 3), Shade((62, 0, -1), 1), Shade((84, 6, 10), 1)),
    loop_width=0.032,
)
def draw_kf94(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """An upper panel over the nose, a broad middle panel, a lower panel under the chin."""
    aside = (2 * canvas.u - 1) ** 2
    upper = 0.34 + rng.normal(0, 0.01) + 0.06 * aside
    lower = 0.72 + rng.normal(0, 0.01) - 0.08 * aside
    middle = ((canvas.v > upper) & (canvas.v < lower)).astype(np.float32)
    bulge = np.sin(np.pi * np.clip((canvas.v - upper) / (lower - upper), 0, 1)) * (1 - 0.7 * aside)
    canvas.height += np.float32(0.03) * (middle * bulge).astype(np.float32)
    _crease(canvas, upper, look)
    _crease(canvas, lower, look)
    wire = canvas.band(0.07, 0.025) * (np.abs(canvas.u - 0.5) < 0.24)
    canvas.height += np.float32(0.009 * look.relief) * wire
    _welded_edge(canvas, 0.02)
    canvas.weave(0.012, rng)
    canvas.round_corners(0.09)


@register(
    "kn95",
    cut=Cut(top_half=0.76, bottom_half=0.66, top_side=0.40, bottom_side=0.84, standoff=0.085, peak=1.2, belly=1.7),
    shades=(Shade((93, 0, 2), 5), Shade((20, 0, 0), 2), Shade((70, -2, -8), 1)),
)
def draw_kn95(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Two halves welded along the middle into a ridge."""
    away = np.abs(canvas.u - 0.5)
    canvas.height -= np.float32(0.10 * look.relief) * np.minimum(away, 0.16)
    seam = canvas.band(0.5, 0.016 / canvas.aspect + canvas.texel, canvas.u)
    canvas.height += np.float32(0.008) * seam
    canvas.tint(seam * (0.5 + 0.5 * np.sign(np.sin(canvas.v * 170))).astype(np.float32), 0.9)
    for line in (0.30, 0.74):
        canvas.tint(canvas.band(line + 0.08 * away, 0.004) * (away > 0.05), 0.93)
    wire = canvas.band(0.10, 0.03) * (away < 0.2)
    canvas.height += np.float32(0.008) * wire
    _welded_edge(canvas, 0.025)
    canvas.weave(0.012, rng)
    canvas.round_corners(0.10)
