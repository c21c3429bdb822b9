"""What masks are made of beside their cloth: pleats, creases, wires, welds, hems, seams, valves; and folds of wear."""

from __future__ import annotations

import numpy as np

from synth.arrays import FloatArray
from synth.looks.canvas import Canvas, coarse_axes, coarse_noise, ramp, root

SHADED, LIT = 0.66, 0.16
"""What the shadow under a pleat's lip takes of the light, and what the lip gets more of it."""

METAL = np.array([0.46, 0.47, 0.49], dtype=np.float32)
"""Linear reflectance of the bare aluminium of a cup's nose clip."""


def pleat(
    canvas: Canvas,
    line: FloatArray,
    depth: float,
    strength: FloatArray,
    reach: float = 0.15,
    width: FloatArray | float = 0.06,
) -> None:
    """A pleat whose lip runs along v = line, both (1, w): the cloth above lies over the cloth below.

    Args:
        canvas: to draw on.
        line: v of the lip, (1, w).
        depth: of the step, head units.
        strength: (1, w) from 0 to about 1.5 of the step and of the shadow under the lip.
        reach: how far the step takes to even out, as a share of the sheet's height.
        width: likewise of the shadow; a number or (1, w).
    """
    rows = len(canvas.row)
    first = max(int((float(line.min()) - 0.05) * rows) - 1, 0)
    last = min(int((float(line.max()) + reach) * rows) + 2, rows)
    below = canvas.row[first:last] - line
    under = ramp(below * np.float32(rows) + np.float32(0.5))
    # At few texels the shadow is wider and fainter: what it takes of the light stays the same.
    drawn = np.maximum(width, np.float32(1.5 * canvas.texel))
    shadow = under * ramp(1 - below / drawn)
    lip = ramp(1 + below / np.float32(0.05)) * (1 - under)
    weight = (width / drawn * strength).astype(np.float32)
    canvas.shade[first:last] *= 1 - weight * (np.float32(SHADED) * shadow - np.float32(LIT) * lip)
    step = np.float32(depth) * np.minimum(strength, 1)
    canvas.height[first:last] -= step * under * ramp(1 - below / np.float32(reach))


def tent(canvas: Canvas, amount: float, rng: np.random.Generator) -> None:
    """The facets of a sheet that nose and chin hold off the face: a ridge down the middle. Amount 0..1.5."""
    u, v = coarse_axes()
    ridge = 0.5 + np.float32(rng.normal(0, 0.03)) + np.float32(rng.normal(0, 0.05)) * (v - 0.5)
    end = np.float32(rng.uniform(0.45, 1.0))
    away = np.sqrt((u - ridge) ** 2 + np.float32(0.0004))
    # Wider the further down from the nose, and even again where the chin takes over.
    reach = np.float32(0.05) + np.float32(rng.uniform(0.15, 0.4)) * v
    canvas.soft_height -= np.float32(0.10 * amount) * np.minimum(away, reach) * ramp((end - v) / np.float32(0.3))


def crease(canvas: Canvas, line: FloatArray, depth: float, sharp: float = 0.04, dark: float = 0.86) -> None:
    """A fold along v = line (1, w) where two panels meet, with a weld beside it; depth in head units."""
    rows = len(canvas.row)
    first = max(int((float(line.min()) - sharp) * rows) - 1, 0)
    last = min(int((float(line.max()) + sharp) * rows) + 2, rows)
    away = np.abs(canvas.row[first:last] - line)
    canvas.height[first:last] -= np.float32(depth) * np.maximum(1 - away / np.float32(sharp), 0)
    half = max(0.007, 0.75 * canvas.texel)
    mark = ramp((np.float32(half) - away) * np.float32(rows) + np.float32(0.5))
    canvas.shade[first:last] *= 1 - np.float32((1 - dark) * min(0.007 / half, 1.0)) * mark


def nose_wire(canvas: Canvas, relief: float, at: float = 0.055, half_width: float = 0.27) -> None:
    """A wire under the cloth along the upper edge, pinched over the nose."""
    span = ramp((half_width - np.abs(canvas.column - 0.5)) * canvas.alpha.shape[1] + 0.5)
    upper = canvas.height[: max(round(0.25 * len(canvas.row)), 1)]
    rows = len(upper)
    upper += np.float32(0.010 * relief) * (canvas.band(at, 0.022)[:rows] * span)
    canvas.stripe(at + 0.028, 0.006, 0.88, span[0])
    dent = np.exp(-(((canvas.column - 0.5) / 0.035) ** 2)) * ramp(1 - canvas.row[:rows] / 0.22)
    upper += np.float32(0.012 * relief) * dent


def dashes(canvas: Canvas, along: FloatArray, per_height: float) -> FloatArray:
    """A stroke's dashes along a coordinate in sheet heights, in 0..1; even grey where texels can't show them."""
    shown = min(max(1 / (2.5 * per_height * canvas.texel) - 0.6, 0.0), 1.0)
    wave = ramp(2.5 * np.sin(2 * np.pi * per_height * along) + 0.5)
    return np.asarray(0.5 + shown * (wave - 0.5), dtype=np.float32)


def weld(canvas: Canvas, inset: float, dark: float = 0.88) -> None:
    """A line of ultrasonic spots along the upper and lower edge."""
    spots = dashes(canvas, canvas.column[0] * canvas.aspect, 32)
    for at in (inset, 1 - inset):
        canvas.stripe(at, 0.009, dark, spots)


def binding(canvas: Canvas, width: float, factor: float) -> None:
    """A strip of other cloth sewn or welded round the edge; width as a share of the sheet's height."""
    strip = ramp((np.float32(width) - canvas.inset) * np.float32(1 / canvas.texel) + np.float32(0.5))
    canvas.tint(strip, factor)
    canvas.height += np.float32(0.005) * strip


def hem(canvas: Canvas, width: float = 0.055) -> None:
    """A folded border with a line of stitches."""
    inset = canvas.inset
    fold = ramp((np.float32(width) - inset) / np.float32(0.02))
    canvas.height += np.float32(0.009) * fold
    stitches = canvas.line(0.82 * width, 0.007, inset)
    stitches *= dashes(canvas, canvas.column * canvas.aspect, 24) * dashes(canvas, canvas.row, 24)
    canvas.tint(stitches, 0.66)
    canvas.tint(canvas.line(width, 0.008, inset), 0.88)


def middle_seam(canvas: Canvas, relief: float) -> None:
    """A seam down the middle of two sewn halves, the cloth falling off to both sides."""
    away = np.abs(canvas.column - 0.5)
    canvas.height -= np.float32(0.06 * relief) * np.minimum(away, 0.12)
    canvas.height -= np.float32(0.008 * relief) * np.maximum(1 - away / 0.015, 0)
    canvas.tint(canvas.line(0.5, 0.006 / canvas.aspect + 0.003, canvas.column), 0.72)


def gather(canvas: Canvas, amount: float, rng: np.random.Generator) -> None:
    """The folds that the loops draw at both sides, running inwards; amount in 0..1."""
    u, v = coarse_axes()
    rough = np.zeros((v.shape[0], u.shape[1]), dtype=np.float32)
    for side in (u, 1 - u):
        cells = int(rng.integers(5, 10))
        folds = np.interp(v[:, 0], np.linspace(0, 1, cells + 1), rng.uniform(-1, 1, cells + 1))[:, None]
        rough += folds.astype(np.float32) * np.exp(-side / np.float32(rng.uniform(0.10, 0.22)))
    _raise(canvas, rough, 0.030 * amount, 0.40 * amount)


def tension(canvas: Canvas, amount: float, rng: np.random.Generator) -> None:
    """The pull from the corners towards nose and chin, and the cloth's own unrest; amount in 0..1."""
    rough = 0.45 * coarse_noise((7, 4), rng) + 0.25 * coarse_noise((14, 9), rng)
    for pull in _pulls(int(rng.integers(3, 8)), rng):
        rough += pull
    _raise(canvas, rough, 0.068 * amount, 0.75 * amount)


_PULL_LEAST = np.array([0.0, 0.1, 0.25, 0.5, 0.016, 0.2, -1.5, 0.5])
_PULL_SPAN = np.array([1.0, 0.9, 0.75, 1.3, 0.045, 0.6, 1.5, 1.3]) - _PULL_LEAST
"""What is drawn of a pull: its side, where it starts, where it leads to, how far, width, length, lean and strength."""


def _pulls(count: int, rng: np.random.Generator) -> FloatArray:
    """(count, rows, columns) on the coarse grid: straight folds from a side inwards, all at once."""
    u, v = coarse_axes()
    shares, signs = np.empty((count, 8)), np.empty((count, 1, 1), dtype=np.float32)
    for number in range(count):
        shares[number, :6] = rng.random(6)
        signs[number] = (-1, 1)[int(rng.integers(2))]
        shares[number, 6:] = rng.random(2)
    drawn = (_PULL_LEAST + _PULL_SPAN * shares).T
    drawn[2] = (drawn[2] - drawn[1]) * drawn[3]
    _, start, slope, _, width, length, lean, strength = drawn.astype(np.float32)[..., None, None]
    along = np.where(drawn[0, :, None, None] < 0.5, 1 - u, u)
    away = (v - start - slope * along) / width
    # A fold has a side that rises and one that falls, and is a ridge or a furrow between them.
    folds = strength * (signs + lean * away)
    # Not further than needed: numbers near nothing (denormal) take a hundred times as long.
    folds *= np.exp(-np.minimum(away * away, 30))
    folds *= ramp(1.2 - along / length)
    return np.asarray(folds)


def crinkle(canvas: Canvas, amount: float, rng: np.random.Generator) -> None:
    """The folds of thin cloth that doesn't stretch: wedges as flat as paper, steep on one side; amount about 0..1."""
    u, v = coarse_axes()
    count = int(rng.integers(4, 9))

    def drawn(low: float, high: float) -> FloatArray:
        return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)

    # All wedges at once: what a few thousand numbers cost is mostly the call.
    turn = drawn(-0.8, 0.8) + np.float32(np.pi) * (drawn(0, 1) < 0.5)
    cos, sin = np.cos(turn), np.sin(turn)
    x, y = u - drawn(0.15, 0.85), v - drawn(0.1, 0.95)
    along, away = x * cos + y * sin, y * cos - x * sin
    # From its tip it widens, and then runs out.
    length = drawn(0.2, 0.6)
    half = np.maximum(drawn(0.2, 0.6) * along, np.float32(0.035))
    steep = np.maximum(np.float32(0.3) * half, np.float32(0.05))  # a step finer than the grid would look like beads
    fold = ramp(np.minimum((away + steep) / steep, (half - away) / half))
    fold *= ramp(np.minimum(along / np.float32(0.06), (length - along) / (np.float32(0.5) * length)))
    fold *= np.minimum(half / np.float32(0.08), np.float32(1.2)) * np.where(drawn(0, 1) < 0.35, 0.8, -0.8)
    rough = fold.sum(0, dtype=np.float32)
    _raise(canvas, rough, 0.065 * amount, 0.45 * amount)


def slack(canvas: Canvas, amount: float, rng: np.random.Generator) -> None:
    """What happens to a sheet that is pushed together: a few long folds from side to side, no two of them alike."""
    u, v = coarse_axes()
    aside = (2 * u - 1) ** 2
    # Folds crowd together here and lie apart there, fan out from the sides, and end somewhere on the way.
    crowded = np.float32(rng.uniform(0.5, 1.8)) if rng.random() < 0.5 else np.float32(1 / rng.uniform(0.9, 1.8))
    bend = np.float32(rng.uniform(-0.16, 0.08)) * aside + np.float32(0.09) * coarse_noise((2, 4), rng)
    waves = np.float32(rng.uniform(1.2, 3.6))
    phase = 2 * np.pi * (waves * (v**crowded + bend) + np.float32(rng.random()))
    # Folded cloth is round on top and sharp in its hollows.
    folds = 1 - 1.6 * np.abs(np.sin(phase / 2))
    depth = (0.75 + 0.7 * coarse_noise((3, 3), rng)).clip(0, 1.3)
    rough = folds * depth + 0.5 * coarse_noise((8, 5), rng)
    _raise(canvas, -rough, 0.034 * amount, 0.5 * amount)


def fold_over(canvas: Canvas) -> None:
    """Folds a sheet along its middle, v = 0.5: it turns from the light on the last millimetres before the fold."""
    bend = ramp(1 - np.abs(canvas.row - 0.5) / np.float32(0.10)) ** 2
    canvas.height -= np.float32(0.022) * bend
    canvas.shade *= 1 - np.float32(0.22) * bend


def _raise(canvas: Canvas, rough: FloatArray, depth: float, dark: float) -> None:
    """Adds a relief of about -1..1 to the sheet, with the light that its hollows lose."""
    canvas.soft_height += np.float32(depth) * rough
    canvas.soft_shade *= 1 + np.float32(dark) * rough.clip(-1, 0.15)


def valve(
    canvas: Canvas, u: float, v: float, radius: float, rng: np.random.Generator, colour: FloatArray | None = None
) -> None:
    """A round or rounded square exhalation valve; u, v its middle, radius in sheet heights.

    Args:
        canvas: to draw on.
        u, v: its middle, 0 to 1.
        radius: in sheet heights.
        rng: of its form.
        colour: (3,) linear RGB of its plastic; white, gray or black where not given.
    """
    reach = 1.15 * radius
    part = canvas.window(u - reach / canvas.aspect, v - reach, u + reach / canvas.aspect, v + reach)
    x, y = (part.column - u) * np.float32(canvas.aspect), part.row - v
    power = (2.0, 2.0, 5.0)[int(rng.integers(3))]
    level = root(np.abs(x / radius) ** power + np.abs(y / (0.85 * radius)) ** power, power)
    edge = np.float32(canvas.texel / radius)
    disc = ramp((1 - level) / edge + 0.5).astype(np.float32)
    part.shade += (1 - part.shade) * disc
    light = float(rng.choice([0.82, 0.74, 0.10, 0.55], p=[0.55, 0.2, 0.15, 0.1]))
    part.paint(disc, np.full(3, light) * np.array([1.0, 1.0, 0.98]) if colour is None else colour)
    part.height += np.float32(0.035) * ramp((np.float32(1.08) - level) / np.float32(0.22))
    rim = ramp(1 - np.abs(level - 1) / np.maximum(np.float32(0.10), edge))
    part.tint(rim, 0.62)
    inner = ramp(1 - np.abs(level - 0.72) / np.maximum(np.float32(0.07), edge))
    part.tint(inner, 0.80)
    slots = disc * (level < 0.66) * dashes(canvas, y, 1.6 / radius)
    part.tint(slots, 0.78)
