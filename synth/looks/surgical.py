"""The three-ply surgical mask: pleats that open towards the middle, a nose wire, welded edges, gathered sides."""

from __future__ import annotations

import numpy as np

from synth.looks.canvas import Canvas, lab_to_linear
from synth.looks.prints import printed
from synth.looks.registry import Look, Shade, register
from synth.looks.strokes import binding, dashes, gather, nose_wire, pleat
from synth.wear import Cut


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
    aside = (2 * canvas.column - 1) ** 2
    first, step = rng.uniform(0.22, 0.30), rng.uniform(0.15, 0.21)
    opened = rng.uniform(0.3, 1.0)
    for count in range(look.pleats):
        # Between the sides a pleat is drawn open, so there its lip is softer, and it sags towards the chin.
        arc = (0.05 * count - 0.02) * (1 - aside) * rng.uniform(0.3, 1.2)
        wander = 0.012 * np.sin(2 * np.pi * (canvas.column * rng.uniform(0.7, 2) + rng.random()))
        line = (first + step * count + arc + wander + rng.normal(0, 0.008)).astype(np.float32)
        strength = (1 - 0.55 * opened * (1 - aside)) * rng.uniform(0.7, 1.15)
        pleat(canvas, line, 0.020 * look.relief, strength.astype(np.float32) * np.float32(look.relief))
    nose_wire(canvas, look.relief, half_width=rng.uniform(0.22, 0.3))
    binding(canvas, rng.uniform(0.02, 0.035), rng.uniform(0.93, 1.03))
    spots = dashes(canvas, canvas.column[0] * canvas.aspect, 28)
    for edge in (0.105, 0.965):
        canvas.stripe(edge, 0.005, 0.84, spots)
    for side in (0.03, 0.97):
        canvas.stripe(side, 0.010, 0.85, dashes(canvas, canvas.row[:, 0], 22), down=True)
    gather(canvas, rng.uniform(0.35, 1.2), rng)
    canvas.weave(0.018, rng)
    canvas.round_corners(rng.uniform(0.03, 0.08))
