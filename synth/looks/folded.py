"""Folded respirators: the three-panel KF94, and the KN95 with its ridge down the middle."""

from __future__ import annotations

import numpy as np

from synth.forms import BOAT_FOLDS
from synth.looks.canvas import Canvas, lab_to_linear, ramp
from synth.looks.prints import mark, small_print
from synth.looks.registry import Look, Shade, register
from synth.looks.strokes import crease, dashes, gather, nose_wire, valve, weld
from synth.wear import Cut


@register(
    "kf94",
    cut=Cut(
        top_half=0.80,
        bottom_half=0.70,
        top_side=0.42,
        bottom_side=0.76,
        standoff=0.13,
        peak=1.15,
        belly=1.9,
        form="boat",
    ),
    shades=(
        Shade((95, 0, 0), 7),
        Shade((11, 0, -1), 4),
        Shade((58, 0, -2), 0.8),
        Shade((82, 5, 10), 0.8),
        Shade((78, 16, 5), 0.3),
        Shade((32, 2, -18), 0.4),
        Shade((72, -6, -14), 0.3),
    ),
    loop_width=0.034,
    own_strap=0.4,
    marked=0.12,
)
def draw_kf94(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """An upper panel over the nose, a broad middle panel, a lower panel under the chin."""
    aside = (2 * canvas.column - 1) ** 2
    upper, lower = (fold + rng.normal(0, 0.008) for fold in BOAT_FOLDS)
    crease(canvas, (upper + 0.06 * aside).astype(np.float32), -0.010 * look.relief, dark=0.74)
    crease(canvas, (lower - 0.08 * aside).astype(np.float32), -0.010 * look.relief, dark=0.66)
    # The lower panel turns from the light, and hollows where it meets the sides.
    under = ramp((canvas.row - (lower - 0.08 * aside)) / 0.12)
    canvas.shade *= 1 - np.float32(0.16 * look.relief) * under.astype(np.float32)
    canvas.tint(ramp((aside - 0.72) / 0.28).astype(np.float32), 0.90)
    nose_wire(canvas, look.relief, at=0.075, half_width=rng.uniform(0.2, 0.27))
    weld(canvas, 0.022)
    for side in (0.02, 0.98):
        canvas.stripe(side, 0.012, 0.90, down=True)
    if look.mark:
        canvas.paint(0.5 * small_print(canvas, (rng.uniform(0.15, 0.25), 0.52), rng), lab_to_linear(look.accent))
    gather(canvas, rng.uniform(0.0, 0.4), rng)
    canvas.weave(0.012, rng)
    canvas.round_corners(rng.uniform(0.10, 0.16))


@register(
    "kn95",
    cut=Cut(
        top_half=0.73,
        bottom_half=0.63,
        top_side=0.44,
        bottom_side=0.80,
        standoff=0.10,
        peak=1.2,
        belly=1.75,
        form="ridge",
    ),
    shades=(
        Shade((95, 0, 1), 7),
        Shade((12, 0, 0), 2.2),
        Shade((60, 0, -1), 0.8),
        Shade((70, -4, -14), 0.4),
        Shade((78, 14, 5), 0.3),
        Shade((36, 8, -40), 0.3),
    ),
    loop_width=0.03,
    own_strap=0.15,
    marked=0.45,
    valved=0.2,
)
def draw_kn95(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """Two halves welded along the middle into a ridge."""
    away = np.abs(canvas.column - 0.5)
    canvas.height += np.float32(0.010 * look.relief) * canvas.line(0.5, 0.018 / canvas.aspect, canvas.column)
    ribs = dashes(canvas, canvas.row[:, 0], 24)
    canvas.stripe(0.5, 0.018, 0.80, ribs, down=True)
    for away_from_seam in (-0.035, 0.035):
        canvas.stripe(0.5 + away_from_seam / canvas.aspect, 0.008, 0.84, down=True)
    for line in (0.27, 0.75):
        bent = (line + (0.10 if line < 0.5 else -0.10) * away).astype(np.float32)
        crease(canvas, bent, 0.010 * look.relief, sharp=0.02, dark=0.86)
    wire = canvas.band(0.10, 0.03) * ramp((0.2 - away) * 40)
    canvas.height += np.float32(0.010) * wire
    canvas.tint(wire, 0.94)
    weld(canvas, 0.03, dark=0.84)
    for side in (0.035, 0.965):
        canvas.stripe(side, 0.010, 0.85, ribs, down=True)
    if look.mark:
        ink = lab_to_linear((35, 0, -5)) if look.colour[0] > 50 else lab_to_linear((75, 0, 0))
        canvas.paint(0.6 * small_print(canvas, (float(rng.choice([0.27, 0.73])), 0.5), rng), ink)
    elif rng.random() < 0.1:
        canvas.paint(mark(canvas, rng), lab_to_linear(look.accent))
    canvas.weave(0.012, rng)
    canvas.round_corners(rng.uniform(0.10, 0.18))
    if look.valve:
        valve(canvas, float(rng.choice([0.3, 0.7])), 0.58, 0.13, rng)
