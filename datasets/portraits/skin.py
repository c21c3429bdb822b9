"""Painting the skin: its tones, lips, beard shadow, spots and the small unevenness that makes it skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from datasets.portraits import sheet
from datasets.portraits.camera import Floats
from datasets.portraits.layout import Layout
from datasets.portraits.sheet import box, bump, bumps, smoothstep


@dataclass
class Paint:
    """What is painted on the sheet of the face.

    Attributes:
        albedo: (HEIGHT, WIDTH, 3) float32, linear RGB.
        gloss: (HEIGHT, WIDTH) float32, strength of the highlight.
        glow: (HEIGHT, WIDTH) float32, light of its own (the eye's catchlight).
        wet: (HEIGHT, WIDTH) float32, 1 where the surface is an eye and not skin.
    """

    albedo: Floats
    gloss: Floats
    glow: Floats
    wet: Floats


def paint_skin(layout: Layout, rng: np.random.Generator) -> Paint:
    """Paint skin and lips; eyes and brows follow on top."""
    t = layout.traits
    shape = (sheet.HEIGHT, sheet.WIDTH)
    tone = _blush(layout)
    mottle = 0.030 * sheet.noise(rng, shape, (18, 14)) + 0.022 * sheet.noise(rng, shape, (90, 66))
    mottle += 0.020 * sheet.noise(rng, shape, (260, 190))
    red = np.exp(-0.10 * tone + 0.5 * mottle)
    green = np.exp(-0.34 * tone + mottle)
    blue = np.exp(-0.40 * tone + 1.1 * mottle)
    albedo = np.dstack([red, green, blue]) * np.asarray(t.skin, np.float32)
    albedo *= (1 - _shade(layout, rng))[..., None] * np.array([1, 1.0, 1.0], np.float32)
    _spots(albedo, layout, rng)
    _beard(albedo, layout, rng)
    gloss = _gloss(layout)
    _lips(albedo, gloss, layout, rng)
    _nostrils(albedo, layout)
    return Paint(albedo.astype(np.float32), gloss, sheet.blank(), sheet.blank())


def _blush(layout: Layout) -> Floats:
    """How much blood shows: cheeks, nose, chin, lids."""
    tone = sheet.blank()
    bumps(tone, 0.66, 0.52, 0.26, 0.24, 0.42)
    bump(tone, 0, layout.nose_y - 0.14, 0.20, 0.13, 0.45)
    bump(tone, 0, 1.62, 0.22, 0.12, 0.2)
    bumps(tone, layout.traits.eye_x, 0.0, 0.26, 0.14, 0.32)
    bumps(tone, layout.nose_half, layout.nose_y - 0.06, 0.07, 0.08, 0.35)
    bumps(tone, 1.1, 0.1, 0.2, 0.4, 0.25)
    return tone


def _shade(layout: Layout, rng: np.random.Generator) -> Floats:
    """Darker places of the skin itself: under the eyes, by the eye's inner corner."""
    t = layout.traits
    dark = sheet.blank()
    bumps(dark, t.eye_x - 0.06, 0.20, 0.17, 0.055, 0.07 + 0.10 * t.sag)
    bumps(dark, 0.25, 0.03, 0.05, 0.06, 0.12)
    bumps(dark, t.eye_x, -0.10, 0.2, 0.06, 0.08 * t.lashes)
    return dark


def _spots(albedo: Floats, layout: Layout, rng: np.random.Generator) -> None:
    """Moles and age spots."""
    dark = sheet.blank()
    for _ in range(int(rng.integers(1, 4)) + int(26 * layout.traits.spots)):
        x, y = rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.5)
        size = rng.uniform(0.010, 0.016 + 0.035 * layout.traits.spots)
        bump(dark, float(x), float(y), float(size), float(size * rng.uniform(0.8, 1.3)), float(rng.uniform(0.08, 0.3)))
    albedo *= np.exp(-dark[..., None] * np.array([0.8, 1.2, 1.6], np.float32))


def _beard(albedo: Floats, layout: Layout, rng: np.random.Generator) -> None:
    """The shadow of a shaved beard: a cool darkening on jaw, chin and upper lip, with stubble in it."""
    strength = layout.traits.beard
    if strength <= 0:
        return
    area = sheet.blank()
    bump(area, 0, 1.60, 0.45, 0.20, 1.0)
    bumps(area, 0.70, 1.32, 0.24, 0.26, 0.9)
    bumps(area, 0.95, 0.80, 0.10, 0.35, 0.6)
    bumps(area, 0.22, layout.nose_y + 0.17, 0.16, 0.07, 0.9)
    stubble = np.clip(sheet.noise(rng, area.shape, area.shape), 0, 2)
    mask = np.clip(area, 0, 1) * strength * (0.20 + 0.16 * cv2.GaussianBlur(stubble, (0, 0), 0.7))
    grey = (1 - layout.traits.grey) * np.array([1.15, 1.0, 0.85], np.float32) + layout.traits.grey * 0.5
    albedo *= np.exp(-mask[..., None] * grey)


def _gloss(layout: Layout) -> Floats:
    gloss = np.full((sheet.HEIGHT, sheet.WIDTH), 0.42, np.float32)
    bump(gloss, 0, -0.75, 0.5, 0.3, 0.30)
    bump(gloss, 0, 0.4, 0.10, 0.40, 0.35)
    bumps(gloss, 0.62, 0.42, 0.2, 0.16, 0.22)
    return gloss


def _lips(albedo: Floats, gloss: Floats, layout: Layout, rng: np.random.Generator) -> None:
    half, y = layout.mouth_half, layout.mouth_y
    window, xs, ys = box(-0.62, y - 0.30, 0.62, y + 0.32)
    u = (xs / half).astype(np.float32)
    line, top, bottom = layout.lip_line(u), layout.lip_top(u), layout.lip_bottom(u)
    soft = 0.016 + 0.012 * layout.traits.sag
    inside = (
        smoothstep(-soft, soft, ys - top)
        * smoothstep(-soft, soft * 1.3, bottom - ys)
        * smoothstep(1.06, 0.86, np.abs(u))
    )
    grooves = sheet.noise(rng, inside.shape, (4, 90))
    red = layout.traits.lip_red
    tint = np.array([0.74 - 0.02 * red, 0.46 - 0.16 * red, 0.50 - 0.12 * red], np.float32)
    upper = 1 - 0.18 * (ys < line)
    lips = np.asarray(layout.traits.skin, np.float32) * tint * ((1 + 0.06 * grooves) * upper)[..., None]
    weight = (inside * 0.88)[..., None]
    albedo[window] = albedo[window] * (1 - weight) + lips * weight
    slit = smoothstep(1.10, 0.93, np.abs(u)) * np.exp(-0.5 * ((ys - line) / 0.0125) ** 2)
    albedo[window] *= np.exp(-slit[..., None] * np.array([1.3, 2.0, 1.9], np.float32))
    gloss[window] += inside * (0.35 + 0.4 * max(red, 0))


def _nostrils(albedo: Floats, layout: Layout) -> None:
    dark = sheet.blank()
    x, y = 0.118 * layout.traits.nose_width, layout.nose_y - 0.006
    bumps(dark, x, y, 0.046, 0.019, 2.4, -16)
    bumps(dark, layout.nose_half + 0.008, layout.nose_y - 0.06, 0.016, 0.055, 0.35, -8)
    albedo *= np.exp(-dark[..., None] * np.array([0.85, 1.15, 1.2], np.float32))
