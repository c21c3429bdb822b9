"""Sculpting: the height of a face's features over the egg of the head, as a sheet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from datasets.portraits import sheet
from datasets.portraits.camera import Floats
from datasets.portraits.layout import Layout
from datasets.portraits.sheet import box, bump, bumps, ridge, smoothstep


@dataclass(frozen=True)
class Relief:
    """Heights and what follows from them, all (HEIGHT, WIDTH) float32 sheets.

    Attributes:
        height: towards the viewer, pupil distances.
        slope_x, slope_y: its derivatives.
        open_sky: ambient light that reaches the place, 0 to about 1.1.
    """

    height: Floats
    slope_x: Floats
    slope_y: Floats
    open_sky: Floats


def sculpt(layout: Layout, rng: np.random.Generator) -> Relief:
    """Sculpt a face.

    Args:
        layout: its features and expression.
        rng: for the pores and the small asymmetries.
    """
    height = sheet.blank()
    _frame(height, layout)
    _eyes(height, layout)
    _nose(height, layout)
    _mouth(height, layout)
    _folds(height, layout)
    _wrinkles(height, layout, rng)
    return _finish(height, rng, 0.0009 + 0.0012 * layout.traits.wrinkle)


def _finish(height: Floats, rng: np.random.Generator, pores: float) -> Relief:
    sky = np.ones_like(height)
    for spread, weight in ((3.0, 3.2), (9.0, 2.4), (26.0, 1.1)):
        sky -= weight * np.clip(cv2.GaussianBlur(height, (0, 0), spread) - height, -0.02, 0.2)
    grain = sheet.noise(rng, height.shape, (height.shape[0] // 2, height.shape[1] // 2))
    fine = height + pores * grain
    fine *= np.float32(sheet.DENSITY)
    down, right = np.gradient(fine, axis=0), np.gradient(fine, axis=1)
    return Relief(height, right, down, np.clip(sky, 0.18, 1.1))


def _frame(height: Floats, layout: Layout) -> None:
    """Forehead, brow ridge, temples, cheekbones, cheeks, chin."""
    t = layout.traits
    bumps(height, 0.42, -0.36 + t.brow_y, 0.30, 0.10, 0.022 + 0.038 * t.ridge, -6)
    bump(height, 0, -0.30, 0.16, 0.12, 0.02 + 0.02 * t.ridge)
    bumps(height, 0.40, -0.85, 0.32, 0.24, 0.025)
    bumps(height, 0.98, -0.25, 0.14, 0.28, -0.05)
    bumps(height, 0.70, 0.40, 0.24, 0.17, 0.055 * t.cheekbone + 0.03 * max(layout.pose.smile, 0), 18)
    bumps(height, 0.62, 0.95, 0.22, 0.24, 0.05 * t.fat - 0.02 - 0.035 * t.sag)
    bump(height, 0, 1.60, 0.20, 0.13, 0.055 + 0.02 * (t.chin - 1))
    bumps(height, 0.50, 1.45, 0.15, 0.13, 0.06 * t.sag)


def _eyes(height: Floats, layout: Layout) -> None:
    """Sockets, eyeballs under lids, the crease, the bag beneath."""
    t, x = layout.traits, layout.traits.eye_x
    bumps(height, x - 0.04, -0.03, 0.25, 0.155, -0.135)
    bumps(height, 0.225, -0.03, 0.075, 0.12, -0.075)
    bumps(height, x, 0.0, 0.185, 0.115, 0.115)
    bumps(height, x + 0.02, -0.20, 0.22, 0.055, 0.035 * (1.2 - t.lid) + 0.02 * t.sag)
    window, xs, ys = box(0.16, -0.35, 0.86, 0.45)
    patch = np.zeros((ys.shape[0], xs.shape[1]), np.float32)
    u = layout.eye_u(xs)
    upper, lower = layout.lid_upper(u), layout.lid_lower(u)
    span = smoothstep(-1.1, -0.6, u) * smoothstep(1.25, 0.7, u)
    rim = 0.020 * np.exp(-0.5 * ((ys - upper + 0.028) / 0.020) ** 2) + 0.012 * np.exp(
        -0.5 * ((ys - lower - 0.022) / 0.018) ** 2
    )
    crease = -(0.008 + 0.022 * t.lid) * np.exp(-0.5 * ((ys - upper + 0.050 + 0.035 * t.lid) / 0.014) ** 2)
    inside = smoothstep(-0.004, 0.010, ys - upper) * smoothstep(-0.004, 0.010, lower - ys) * (np.abs(u) < 1)
    patch += span * (rim + crease) - 0.022 * inside
    bag = layout.lid_lower(np.clip(u, -0.98, 0.98))
    patch += span * (0.006 + 0.030 * t.sag) * np.exp(-0.5 * ((ys - bag - 0.095) / 0.04) ** 2)
    patch -= (
        span * (0.004 + 0.030 * t.sag + 0.006 * t.wrinkle) * np.exp(-0.5 * ((ys - bag - 0.185 - 0.02 * u) / 0.028) ** 2)
    )
    height[window] += patch
    height[:, ::-1][window] += patch


def _nose(height: Floats, layout: Layout) -> None:
    """Bridge, tip, wings, nostrils, the step to the upper lip."""
    t, base, half = layout.traits, layout.nose_y, layout.nose_half
    window, xs, ys = box(-0.5, -0.5, 0.5, base + 0.2)
    v = np.clip((ys + 0.12) / (base - 0.02), 0, 1.2)
    rise = t.nose_height * (0.055 + 0.205 * smoothstep(0.10, 1.0, v) * (0.5 + 0.5 * v))
    rise = rise * smoothstep(-0.48, 0.05, ys) * smoothstep(base + 0.075, base - 0.085, ys + 1.1 * xs * xs)
    across = 0.100 + 0.075 * smoothstep(0.30, 1.0, v) * t.nose_width
    height[window] += (rise * np.exp(-0.5 * np.abs(xs / across) ** 2)).astype(np.float32)
    bump(height, 0, base - 0.145, 0.105 * t.nose_round, 0.092 * t.nose_round, 0.105)
    bumps(height, half - 0.085, base - 0.085, 0.068, 0.070, 0.120)
    bumps(height, half + 0.015, base - 0.09, 0.035, 0.085, -0.045)
    bumps(height, 0.115 * t.nose_width, base - 0.005, 0.048, 0.024, -0.085, -14)
    bump(height, 0, base - 0.012, 0.030, 0.05, 0.040)


def _mouth(height: Floats, layout: Layout) -> None:
    """The muzzle, the lips, the philtrum, the hollow over the chin."""
    t, half, y = layout.traits, layout.mouth_half, layout.mouth_y
    bump(height, 0, y - 0.02, 0.36, 0.22, 0.055)
    bump(height, 0, layout.nose_y + 0.13, 0.032, 0.075, -0.020)
    bumps(height, 0.065, layout.nose_y + 0.13, 0.028, 0.08, 0.012)
    window, xs, ys = box(-0.62, y - 0.35, 0.62, y + 0.40)
    u = (xs / half).astype(np.float32)
    line, top, bottom = layout.lip_line(u), layout.lip_top(u), layout.lip_bottom(u)
    inside = smoothstep(1.04, 0.8, np.abs(u))
    upper = np.sqrt(np.clip((ys - top) / np.maximum(line - top, 1e-3), 0, 1)) * (ys < line)
    lower = np.sin(np.pi * np.clip((ys - line) / np.maximum(bottom - line, 1e-3), 0, 1) ** 0.85) * (ys >= line)
    lips = inside * (0.045 * t.lip_upper * upper + 0.062 * t.lip_lower * lower)
    slit = smoothstep(1.10, 0.9, np.abs(u)) * np.exp(-0.5 * ((ys - line) / 0.014) ** 2)
    height[window] += cv2.GaussianBlur((lips - 0.035 * slit).astype(np.float32), (0, 0), 1.6)
    bumps(height, half + 0.03, y - 0.06 * layout.pose.smile, 0.045, 0.05, -0.030)
    bump(height, 0, y + 0.235, 0.22, 0.050, -0.040)


def _folds(height: Floats, layout: Layout) -> None:
    """The fold from the nose's wing to the mouth's corner, deeper with a smile and with age."""
    t = layout.traits
    depth = 0.006 + 0.020 * max(layout.pose.smile, 0) + 0.042 * t.sag + 0.012 * t.wrinkle
    start, end = layout.nose_half + 0.05, layout.mouth_half + 0.12
    for step in np.linspace(0, 1, 9):
        x = start + (end - start) * step**0.8
        y = layout.nose_y - 0.10 + (layout.mouth_y + 0.07 - layout.nose_y) * step
        weight = float(np.sin(np.pi * (0.15 + 0.8 * step)))
        bumps(height, x, y, 0.026, 0.052, -0.45 * depth * weight, -38)
        bumps(height, x + 0.085, y - 0.03, 0.065, 0.065, 0.30 * depth * weight)
    if t.sag > 0.05:
        for step in np.linspace(0, 1, 4):
            bumps(
                height,
                layout.mouth_half + 0.06 + 0.02 * step,
                layout.mouth_y + 0.08 + 0.22 * step,
                0.022,
                0.06,
                -0.016 * t.sag,
            )


def _wrinkles(height: Floats, layout: Layout, rng: np.random.Generator) -> None:
    """Lines of the forehead, between the brows, and at the eyes' outer corners."""
    t = layout.traits
    lined = t.wrinkle + 0.25 * max(layout.pose.raise_brows, 0) * (1 - t.young)
    if lined < 0.06:
        return
    for y in np.linspace(-1.0, -0.56, 5) + rng.normal(0, 0.02, 5):
        wave, phase, centre = rng.uniform(0.01, 0.03), rng.uniform(0, 6), rng.normal(0, 0.08)
        line = _wavy(float(y), float(wave), float(phase))
        wide = float(rng.uniform(0.35, 0.62))
        ridge(height, line, (centre - wide, centre + wide), 0.011, float(-0.013 * lined * rng.uniform(0.5, 1)), 0.4)
    bumps(height, 0.075, -0.36, 0.013, 0.075, -0.024 * t.wrinkle, 8)
    lines = [
        (np.array([[0.765, y0], [0.84, y0 + fall * 0.5], [0.93, y0 + fall]]), 0.9)
        for y0, fall in ((-0.05, -0.10), (0.005, -0.01), (0.05, 0.06), (0.09, 0.13))
    ]
    crow = sheet.strokes(lines, height, 1.6) * 0.07 * (t.wrinkle * (0.5 + 0.5 * max(layout.pose.smile, 0.2)))
    height -= crow + crow[:, ::-1]


def _wavy(y: float, wave: float, phase: float) -> Callable[[Floats], Floats]:
    return lambda x: np.asarray(y + wave * np.sin(4 * x + phase) + 0.04 * x * x, np.float32)
