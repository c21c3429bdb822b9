"""The three-ply surgical mask: pleats that open towards the middle, a nose wire, welded edges."""

from __future__ import annotations

import numpy as np

from synth.looks.canvas import Canvas
from synth.looks.registry import Look, Shade, register
from synth.wear import Cut

PLEATS = 3


@register(
    "surgical",
    cut=Cut(top_half=0.77, bottom_half=0.62, top_side=0.36, bottom_side=0.90, standoff=0.035),
    shades=(
        Shade((80, -9, -16), 5),
        Shade((94, 0, 1), 3),
        Shade((84, -16, 6), 1),
        Shade((86, 14, 1), 0.7),
        Shade((20, 0, -1), 1.5),
    ),
)
def draw_surgical(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Pleats, wire and welds."""
    aside = (2 * canvas.u - 1) ** 2
    for pleat in range(PLEATS):
        # A pleat is a step: the cloth above lies over the cloth below, and its lip throws a narrow shadow.
        line = 0.26 + 0.22 * pleat + rng.normal(0, 0.012) + (0.035 * (1 - pleat)) * (1 - aside) * rng.uniform(0.6, 1.2)
        drop = np.clip((canvas.v - line) / 0.16, 0, 1) * (canvas.v > line)
        step = np.where(canvas.v > line, 1 - drop, 0.0)
        canvas.height -= np.float32(0.016 * look.relief) * (step * (1 - 0.5 * aside)).astype(np.float32)
        canvas.tint(canvas.band(line + 0.006, 0.007) * (0.8 - 0.3 * aside), 0.80)
    wire = canvas.band(0.055, 0.022) * (np.abs(canvas.u - 0.5) < 0.27)
    canvas.height += np.float32(0.008 * look.relief) * wire
    for edge in (0.02, 0.105, 0.965):
        canvas.tint(canvas.band(edge, 0.004), 0.90)
    for side in (0.022, 0.978):
        canvas.tint(canvas.band(side, 0.018, canvas.u), 0.94)
    canvas.weave(0.015, rng)
    canvas.round_corners(0.05)
