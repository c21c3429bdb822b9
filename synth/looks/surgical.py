"""The three-ply surgical mask: pleats that open towards the middle, a nose wire, welded edges, gathered sides."""

from __future__ import annotations

import numpy as np

from synth.looks.canvas import Canvas, lab_to_linear, ramp
from synth.looks.prints import printed
from synth.looks.registry import INNER, PALE, Look, Shade, register
from synth.looks.strokes import binding, crinkle, dashes, gather, nose_wire, pleat, tent
from synth.wear import Cut

WHITE_BOUND = 0.3
"""Share of pale masks that have a white upper edge: counted on web photographs of blue and green ones."""


@register(
    "surgical",
    cut=Cut(top_half=0.75, bottom_half=0.64, top_side=0.40, bottom_side=0.88, standoff=0.05, peak=1.35, belly=2.35),
    # How common each is was counted on web photographs of worn masks: of light ones half are blue, few green or pink.
    shades=(
        Shade((76, -13, -22), 4),
        Shade((83, -9, -13), 3),
        Shade((68, -13, -30), 1),
        Shade((96, 0, 0), 4.5),
        Shade((75, -26, -3), 0.6),
        Shade((86, -14, 5), 0.5),
        Shade((80, 20, -2), 0.5),
        Shade((14, 0, -1), 1.6),
        Shade((38, -2, -24), 0.3),
    ),
    patterns=(*[""] * 22, "flowers", "dots"),
    loop_width=0.026,
    own_strap=0.1,
)
def draw_surgical(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Pleats, wire and welds."""
    if look.pattern:
        canvas.paint(0.45 * printed(look.pattern, canvas, rng), lab_to_linear(look.accent))
    _pleats(canvas, look, rng)
    tent(canvas, rng.uniform(0.2, 1.0) * look.relief, rng)
    crinkle(canvas, rng.uniform(0.2, 1.3) * look.relief, rng)
    nose_wire(canvas, look.relief, half_width=rng.uniform(0.22, 0.3))
    width = rng.uniform(0.02, 0.035)
    binding(canvas, width, rng.uniform(0.93, 1.03))
    if look.colour[0] > PALE and rng.random() < WHITE_BOUND:
        # Often the white inner layer is turned over the upper edge, over the wire.
        over = rng.uniform(0.03, 0.12)
        canvas.paint(canvas.band(0.0, over), lab_to_linear(INNER))
        canvas.stripe(over, 0.006, 0.86)
    spots = dashes(canvas, canvas.column[0] * canvas.aspect, 28)
    for edge in (0.105, 0.965):
        canvas.stripe(edge, 0.005, 0.84, spots)
    for side in (0.03, 0.97):
        canvas.stripe(side, 0.010, 0.85, dashes(canvas, canvas.row[:, 0], 22), down=True)
    gather(canvas, rng.uniform(0.35, 1.2), rng)
    canvas.weave(0.018, rng)
    canvas.round_corners(rng.uniform(0.03, 0.08))


def _pleats(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Pleats lie over each other at the sides, open towards the middle, and no two of them by as much."""
    across = 2 * canvas.column - 1
    away, rightwards = np.abs(across), ramp(0.5 + 1.2 * across)
    first, step = rng.uniform(0.22, 0.30), rng.uniform(0.15, 0.21)
    for count in range(look.pleats):
        # The nose pulls the upper ones up in the middle and the chin the lower ones down; the sides go their own ways.
        arc = (0.06 * count - 0.03) * (1 - across**2) * rng.uniform(0.2, 1.3)
        left, right = rng.normal(0, 0.035, size=2)
        line = first + step * count + arc + ((1 - rightwards) * left + rightwards * right) * away + rng.normal(0, 0.008)
        line += 0.006 * np.sin(2 * np.pi * (canvas.column * rng.uniform(1, 3) + rng.random()))
        strength = np.zeros_like(away)
        for share in (1 - rightwards, rightwards):
            opens, peak, left_over = rng.uniform(-0.4, 0.55), rng.uniform(0.6, 1.8), rng.uniform(0.0, 0.45)
            strength += share * peak * (left_over + (1 - left_over) * ramp((away - opens) / 0.35))
        strength = np.minimum(strength * look.relief, 1.6).astype(np.float32)
        # Where it opens the lip stands off the cloth below, and its shadow is the wider.
        width = np.float32(0.035) + np.float32(rng.uniform(0.02, 0.09)) * strength * (1 - away)
        pleat(canvas, line.astype(np.float32), 0.024 * look.relief, strength, width=width)
