"""A scarf, bandana or neck tube pulled up over the face: loose folds that hang before the throat."""

from __future__ import annotations

import numpy as np

from synth.arrays import FloatArray
from synth.looks.canvas import Canvas, coarse_axes, coarse_noise, lab_to_linear, ramp
from synth.looks.prints import bandana, printed
from synth.looks.registry import Look, Shade, register
from synth.wear import Cut

THINNEST = 0.45
"""Share of the sheet's height that is left of a triangle at its sides."""


def _folds(rng: np.random.Generator) -> FloatArray:
    """Folds on the coarse grid that hang from both cheeks to the middle in arcs, the steeper the lower."""
    u, v = coarse_axes()
    aside = np.abs(2 * u - 1)
    hanging = v + (0.10 + 0.30 * v) * (aside**2 - 0.5) + 0.05 * coarse_noise((3, 5), rng)
    waves = 2 * np.pi * (rng.uniform(2.0, 4.0) * hanging + rng.random())
    fold = np.sin(waves) * (0.35 + 0.65 * aside) + 0.5 * coarse_noise((6, 8), rng)
    return np.asarray(fold, dtype=np.float32)


@register(
    "scarf",
    cut=Cut(
        top_half=0.83,
        bottom_half=0.60,
        top_side=0.40,
        bottom_side=1.28,
        standoff=0.05,
        peak=1.3,
        belly=1.8,
        form="drape",
        drop=0.40,
    ),
    shades=(
        Shade((12, 0, 0), 2.5),
        Shade((34, 45, 22), 1.5),
        Shade((26, 4, -26), 1.5),
        Shade((48, 1, 0), 1),
        Shade((66, 6, 14), 0.8),
        Shade((40, -12, 14), 0.6),
        Shade((86, 1, 4), 0.8),
        Shade((58, 20, 2), 0.5),
    ),
    patterns=("", "", "bandana", "bandana", "checks", "stripes", "dye", "camouflage"),
    attach="none",
    # Pulled over the eyes it would hide the mouth as well.
    unsuited=("chin_out", "hanging", "over_eyes"),
)
def draw_scarf(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """A triangle with its point on the chest, or a tube that goes all round."""
    if look.pattern:
        lies = bandana(canvas, rng) if look.pattern == "bandana" else printed(look.pattern, canvas, rng)
        canvas.paint(lies * np.float32(0.9), lab_to_linear(look.accent))
    folds = _folds(rng)
    canvas.soft_height += np.float32(0.034 * look.relief) * folds
    canvas.soft_shade *= 1 + np.float32(0.38 * look.relief) * np.clip(folds, -1.2, 0.2)
    canvas.tint(canvas.line(0.02, 0.012), 0.88)
    canvas.weave(0.05, rng)
    if look.pattern == "bandana" or rng.random() < 0.4:
        aside = np.abs(2 * canvas.column - 1)
        lower = 1 - (1 - THINNEST) * aside ** np.float32(1.2)
        canvas.alpha *= ramp((lower - canvas.row) / canvas.texel + 0.5).astype(np.float32)
    canvas.round_corners(0.05)
