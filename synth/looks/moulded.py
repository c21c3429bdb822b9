"""Moulded respirators: a stiff dome on two straps behind the head, with or without an exhalation valve."""

from __future__ import annotations

import numpy as np

from synth.arrays import FloatArray
from synth.looks.canvas import Canvas, lab_to_linear, ramp
from synth.looks.prints import small_print
from synth.looks.registry import Look, Shade, register
from synth.looks.strokes import METAL, dashes, valve
from synth.wear import Cut

CUP = Cut(
    top_half=0.66,
    bottom_half=0.58,
    top_side=0.30,
    bottom_side=1.12,
    standoff=0.15,
    peak=1.5,
    belly=2.2,
    form="cup",
    soft=0.5,
)
SHADES = (Shade((94, 0, 1), 8), Shade((88, 0, 5), 2), Shade((72, -4, -12), 0.5), Shade((16, 0, 0), 0.5))

CORDS = (
    Shade((91, 0, 2), 4),
    Shade((84, 4, 62), 2.5),
    Shade((14, 0, 0), 1.2),
    Shade((45, 58, 32), 0.7),
    Shade((48, 0, -42), 0.7),
    Shade((60, 0, 0), 0.6),
)
"""Colours of elastic and how common they are, by eye on photographs."""

SIGNALS = ((52, -42, 22), (40, 10, -48), (48, 60, 38), (62, 40, 55), (80, 6, 66))
"""CIE Lab of the green, blue, red, orange and yellow that valves and printed bars may have; one of them on a mask."""

BARS, COLOURED = 0.2, 0.25
"""Share of cups with a bar in such a colour, and of valves moulded in it: by eye, not counted."""


def _cup(canvas: Canvas, look: Look, rng: np.random.Generator) -> FloatArray:
    """The dome: its rim, embossed ring or ribs, nose clip and bar; returns its signal colour, (3,) linear RGB."""
    level = canvas.oval(rng.uniform(2.1, 2.5))
    rim = ramp((level - np.float32(0.93)) / np.float32(0.03))
    canvas.tint(rim, 0.90)
    canvas.tint(canvas.line(0.93, 0.010, level), 0.72)
    if rng.random() < 0.5:
        at = rng.uniform(0.62, 0.8)
        ring = ramp(1 - np.abs(level - at) / np.float32(0.05))
        canvas.height += np.float32(0.014 * look.relief) * ring
        canvas.tint(canvas.line(at + 0.05, 0.012, level), 0.86)
    else:
        ribs, inside = dashes(canvas, canvas.row, rng.uniform(6, 10)), ramp((0.8 - level) / 0.08)
        relief = (ribs * inside).astype(np.float32)
        canvas.height += np.float32(0.006 * look.relief) * relief
        canvas.tint(relief, 0.94)
    signal = lab_to_linear(SIGNALS[int(rng.integers(len(SIGNALS)))])
    if rng.random() < BARS:
        _bar(canvas, signal, rng)
    clip = canvas.band(rng.uniform(0.075, 0.1), 0.026) * ramp((0.17 - np.abs(canvas.column - 0.5)) * 60)
    canvas.height += np.float32(0.012) * clip
    # Bare metal on some; on others the clip is inside and only its edge shows.
    if rng.random() < 0.6:
        canvas.paint(clip.astype(np.float32), METAL * float(rng.uniform(0.8, 1.3)))
    else:
        canvas.tint(clip, 0.93)
    canvas.weave(0.025, rng)
    return signal


def _bar(canvas: Canvas, colour: FloatArray, rng: np.random.Generator) -> None:
    """A bar printed below the nose clip, in (3,) linear RGB."""
    at, half = rng.uniform(0.17, 0.3), rng.uniform(0.1, 0.2)
    bar = canvas.band(at, rng.uniform(0.025, 0.05)) * ramp((half - np.abs(canvas.column - 0.5)) * 60)
    canvas.paint(np.float32(0.9) * bar.astype(np.float32), colour)


@register(
    "n95_cup",
    cut=CUP,
    shades=SHADES,
    loop_width=0.036,
    attach="head",
    own_strap=0.1,
    marked=0.6,
    cords=CORDS,
    unsuited=("hanging", "over_eyes"),
)
def draw_n95_cup(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """A dome without a valve."""
    _cup(canvas, look, rng)
    if look.mark:
        ink = lab_to_linear((38, 0, -8)) if look.colour[0] > 50 else lab_to_linear((75, 0, 0))
        canvas.paint(0.6 * small_print(canvas, (0.5, rng.uniform(0.5, 0.7)), rng), ink)


@register(
    "n95_valve",
    cut=CUP,
    shades=SHADES,
    loop_width=0.036,
    attach="head",
    own_strap=0.1,
    marked=0.5,
    valved=1.0,
    cords=CORDS,
    unsuited=("hanging", "over_eyes"),
)
def draw_n95_valve(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """A dome with a valve before the mouth, or beside it."""
    signal = _cup(canvas, look, rng)
    if look.mark:
        ink = lab_to_linear((38, 0, -8)) if look.colour[0] > 50 else lab_to_linear((75, 0, 0))
        canvas.paint(0.6 * small_print(canvas, (0.5, 0.33), rng), ink)
    at = 0.5 if rng.random() < 0.6 else float(rng.choice([0.33, 0.67]))
    colour = signal if rng.random() < COLOURED else None
    valve(canvas, at, rng.uniform(0.56, 0.64), rng.uniform(0.11, 0.15), rng, colour)
