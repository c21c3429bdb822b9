"""Sewn masks: plain cloth, printed cloth, and the foam fashion mask in colours and in black."""

from __future__ import annotations

import numpy as np

from synth.looks.canvas import Canvas, lab_to_linear, ramp
from synth.looks.prints import mark, printed
from synth.looks.registry import Lab, Look, Shade, register
from synth.looks.strokes import crease, gather, hem, middle_seam, pleat, valve
from synth.wear import Cut

CLOTH_CUT = Cut(top_half=0.77, bottom_half=0.63, top_side=0.40, bottom_side=0.82, standoff=0.05, peak=1.2, belly=2.2)
PLASTIC: Lab = (30, 0, 0)
"""Of the valves of sports masks."""

FOAM_CUT = Cut(
    top_half=0.79,
    bottom_half=0.67,
    top_side=0.33,
    bottom_side=0.68,
    standoff=0.04,
    peak=1.25,
    belly=1.75,
)


def _sewn(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """What holds cloth in shape: a seam down the middle, pleats, or two seams that set off a middle panel."""
    build = rng.random()
    if build < 0.45:
        middle_seam(canvas, look.relief)
    elif build < 0.8:
        aside = (2 * canvas.column - 1) ** 2
        first, step = rng.uniform(0.24, 0.32), rng.uniform(0.15, 0.2)
        for count in range(look.pleats):
            lip = (first + step * count + 0.03 * count * (1 - aside)).astype(np.float32)
            strength = np.full_like(lip, 0.8 * look.relief)
            pleat(canvas, lip, 0.02 * look.relief, strength, reach=0.12)
    else:
        aside = (2 * canvas.column - 1) ** 2
        for line in (rng.uniform(0.28, 0.36), rng.uniform(0.66, 0.74)):
            crease(canvas, (line + 0.08 * (0.5 - line) * aside).astype(np.float32), 0.012 * look.relief, dark=0.75)
    hem(canvas, rng.uniform(0.035, 0.07))
    gather(canvas, rng.uniform(0.0, 0.7), rng)


@register(
    "cloth",
    cut=CLOTH_CUT,
    shades=(
        Shade((92, 0, 3), 1.6),
        Shade((24, 2, -16), 2),
        Shade((50, 0, -1), 1),
        Shade((70, 7, 13), 0.8),
        Shade((38, 42, 22), 0.9),
        Shade((40, -18, 10), 0.8),
        Shade((12, 0, 0), 3),
        Shade((42, 6, -38), 0.7),
        Shade((74, 8, 52), 0.4),
        Shade((62, 24, 4), 0.5),
        Shade((62, 42, 52), 0.4),
        Shade((74, -8, -22), 0.5),
        Shade((68, 14, -16), 0.3),
    ),
    loop_width=0.038,
    own_strap=0.45,
    marked=0.15,
)
def draw_cloth(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Plain cloth, sewn."""
    _sewn(canvas, look, rng)
    if look.mark:
        canvas.paint(mark(canvas, rng), lab_to_linear(look.accent))
    canvas.weave(0.05, rng)
    canvas.round_corners(rng.uniform(0.06, 0.16))


@register(
    "printed",
    cut=CLOTH_CUT,
    shades=(
        Shade((90, 0, 4), 3),
        Shade((28, 5, -25), 2),
        Shade((44, 46, 22), 1),
        Shade((12, 0, 0), 3),
        Shade((72, 10, 55), 0.8),
        Shade((40, -22, 12), 0.8),
        Shade((60, -12, -22), 0.8),
        Shade((64, 36, 46), 0.5),
        Shade((70, 26, 4), 0.5),
    ),
    patterns=("stripes", "checks", "dots", "flowers", "flowers", "camouflage", "dye", "halves", "writing", "grin"),
    loop_width=0.038,
    own_strap=0.3,
)
def draw_printed(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Cloth with a print in the accent colour."""
    canvas.paint(printed(look.pattern, canvas, rng) * np.float32(0.92), lab_to_linear(look.accent))
    _sewn(canvas, look, rng)
    canvas.weave(0.04, rng)
    canvas.round_corners(rng.uniform(0.06, 0.16))


def _foam(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Smooth foam, one seam down the middle, cut edges."""
    middle_seam(canvas, 0.6 * look.relief)
    canvas.height += np.float32(0.012) * ramp(1 - canvas.inset / np.float32(0.05))
    if look.mark:
        canvas.paint(mark(canvas, rng), lab_to_linear(look.accent))
    canvas.weave(0.03, rng)
    canvas.round_corners(rng.uniform(0.08, 0.16))


@register(
    "black",
    cut=FOAM_CUT,
    shades=(Shade((9, 0, -1), 7), Shade((18, 0, -2), 2), Shade((24, 1, -4), 0.8)),
    loop_width=0.055,
    gloss=0.05,
    own_strap=1.0,
    marked=0.15,
)
def draw_black(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """The fashion mask in black."""
    _foam(canvas, look, rng)


@register(
    "sponge",
    cut=FOAM_CUT,
    shades=(
        Shade((42, 0, -1), 2),
        Shade((28, 2, -16), 1.5),
        Shade((70, 18, 5), 1),
        Shade((82, 2, 6), 1),
        Shade((44, 10, -36), 0.7),
        Shade((38, 45, 24), 0.5),
        Shade((46, 3, 14), 0.7),
        Shade((93, 0, 1), 0.8),
        Shade((62, 46, 52), 0.6),
        Shade((80, 6, 62), 0.3),
        Shade((56, -36, 22), 0.4),
        Shade((62, 52, 2), 0.4),
    ),
    loop_width=0.055,
    own_strap=1.0,
    marked=0.1,
    valved=0.12,
)
def draw_sponge(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """The fashion mask in colours; some have a valve on either side, as for sports."""
    _foam(canvas, look, rng)
    if look.valve:
        radius, seed = rng.uniform(0.09, 0.13), int(rng.integers(2**31))
        for u in (0.25, 0.75):
            valve(canvas, u, 0.63, radius, np.random.default_rng(seed), lab_to_linear(PLASTIC))
