"""Painting eyes, lashes and brows onto the sheet of the face."""

from __future__ import annotations

import cv2
import numpy as np

from datasets.portraits import sheet
from datasets.portraits.camera import Floats
from datasets.portraits.layout import Layout
from datasets.portraits.sheet import box, smoothstep
from datasets.portraits.skin import Paint

WHITE = np.array([0.66, 0.61, 0.57], np.float32)
RED = np.array([0.50, 0.22, 0.18], np.float32)


def paint_eyes(paint: Paint, layout: Layout, catchlight: tuple[float, float], rng: np.random.Generator) -> None:
    """Paint both eyes, their lashes and the brows (in place).

    Args:
        paint: the painted skin.
        layout: the features.
        catchlight: where the light mirrors in the eye, (right, down) in iris radii.
        rng: for iris fibres and single hairs.
    """
    for side in (1, -1):
        _eye(paint, layout, side, catchlight, rng)
    _lash_lines(paint, layout, rng)
    _brows(paint, layout, rng)


def _eye(paint: Paint, layout: Layout, side: int, catchlight: tuple[float, float], rng: np.random.Generator) -> None:
    middle = side * layout.traits.eye_x
    window, xs, ys = box(middle - 0.34, -0.24, middle + 0.34, 0.22)
    u = layout.eye_u(xs)
    upper, lower = layout.lid_upper(u), layout.lid_lower(u)
    inside = smoothstep(-0.007, 0.007, ys - upper) * smoothstep(-0.007, 0.007, lower - ys) * (np.abs(u) < 1)
    ball = _white(layout, u, upper, ys)
    disc, colour = _iris(layout, side, xs, ys, rng)
    ball = ball * (1 - disc[..., None]) + colour * disc[..., None]
    shadow = 1 - 0.55 * np.exp(-np.clip(ys - upper, 0, None) / 0.030)
    weight = inside[..., None]
    paint.albedo[window] = paint.albedo[window] * (1 - weight) + ball * shadow[..., None] * weight
    paint.gloss[window] = paint.gloss[window] * (1 - inside) + 0.10 * inside
    paint.wet[window] = np.maximum(paint.wet[window], inside)
    x, y, radius = layout.iris(side)
    spot = np.hypot(xs - x - catchlight[0] * radius, (ys - y - catchlight[1] * radius) * 0.9)
    paint.glow[window] += inside * (0.85 * smoothstep(0.026, 0.014, spot) + 0.010 * disc * smoothstep(0.0, 0.1, ys - y))


def _white(layout: Layout, u: Floats, upper: Floats, ys: Floats) -> Floats:
    """The white of the eye: round in its shading, pink in the corners."""
    round_off = 1 - 0.42 * u**2 - 0.06 * np.clip(ys - 0.03, 0, 1) / 0.05
    corner = np.broadcast_to(smoothstep(-0.70, -0.92, u) + 0.4 * smoothstep(0.78, 0.98, u), ys.shape[:1] + u.shape[1:])
    aged = 1 - 0.10 * layout.traits.sag
    white = (WHITE * aged)[None, None] * np.clip(round_off, 0.25, 1)[..., None]
    return np.asarray(white * (1 - corner[..., None]) + RED * corner[..., None], np.float32)


def _iris(layout: Layout, side: int, xs: Floats, ys: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the iris's coverage (h, w) and colour (h, w, 3)."""
    x, y, radius = layout.iris(side)
    far = np.hypot(xs - x, ys - y) / radius
    angle = np.arctan2(ys - y, xs - x)
    fibres = np.zeros_like(far)
    for count, phase in zip((13, 29, 47), rng.uniform(0, 6, 3), strict=True):
        fibres += np.cos(count * angle + phase) / 3
    lit = 0.75 + 0.25 * fibres + 0.9 * smoothstep(-0.2, 1.0, (ys - y) / radius) * smoothstep(0.95, 0.6, far)
    rim = smoothstep(1.0, 0.82, far) * 0.8 + 0.2
    pupil = smoothstep(0.34, 0.42, far) * 0.94 + 0.06
    colour = np.asarray(layout.traits.iris, np.float32) * (lit * rim * pupil)[..., None]
    return smoothstep(1.04, 0.94, far), np.asarray(colour, np.float32)


def _lash_lines(paint: Paint, layout: Layout, rng: np.random.Generator) -> None:
    """The dark edge of the lids, with single lashes growing from it."""
    t = layout.traits
    u = np.linspace(-0.94, 1.06, 60).astype(np.float32)
    x = (t.eye_x + layout.eye_half * u).astype(np.float32)
    inner = np.clip(u, -0.97, 0.97)
    y = layout.lid_upper(inner) - 0.004 - 0.02 * np.clip(u - 0.97, 0, 1)
    thick = sheet.blank()
    window, xs, ys = box(0.2, -0.24, 0.84, 0.22)
    edge = np.interp(xs[0], x, y)[None].astype(np.float32)
    uu = layout.eye_u(xs)
    weight = smoothstep(-1.02, -0.6, uu) * smoothstep(1.12, 0.98, uu) * (0.55 + 0.45 * smoothstep(-0.6, 0.7, uu))
    spread = 0.010 + 0.005 * t.lashes
    thick[window] = weight * np.exp(-0.5 * ((ys - edge) / spread) ** 2) * (1.25 + 0.6 * t.lashes)
    below = layout.lid_lower(np.clip(uu, -0.97, 0.97))
    thick[window] += (
        0.38
        * smoothstep(-0.9, 0.6, uu)
        * smoothstep(1.05, 0.9, uu)
        * np.exp(-0.5 * ((ys - below - 0.006) / 0.009) ** 2)
    )
    crease = layout.lid_upper(np.clip(uu, -0.9, 0.95)) - 0.052 - 0.035 * t.lid
    thick[window] += (
        (0.10 + 0.34 * t.lid)
        * smoothstep(-1.0, -0.3, uu)
        * smoothstep(1.15, 0.8, uu)
        * np.exp(-0.5 * ((ys - crease) / 0.010) ** 2)
    )
    hairs = sheet.strokes(_lashes(layout, rng), thick, 0.5) * (0.9 * t.lashes)
    both = thick + hairs
    both = both + both[:, ::-1]
    paint.albedo *= np.exp(-both[..., None] * np.array([1.15, 1.35, 1.4], np.float32))
    paint.wet *= 1 - np.clip(both, 0, 1)


def _lashes(layout: Layout, rng: np.random.Generator) -> list[tuple[Floats, float]]:
    lines = []
    for u in np.linspace(-0.75, 1.0, 22) + rng.normal(0, 0.02, 22):
        root = np.array([layout.traits.eye_x + layout.eye_half * u, layout.lid_upper(np.array(min(u, 0.96))).item()])
        length = 0.040 + 0.030 * layout.traits.lashes * (0.5 + 0.5 * max(u, 0))
        tip = root + length * np.array([0.55 * u + 0.1, -0.85 + 0.3 * abs(u)])
        bend = (root + tip) / 2 + np.array([0.004, 0.007])
        lines.append((np.stack([root, bend, tip]), 0.75))
    return lines


def _brows(paint: Paint, layout: Layout, rng: np.random.Generator) -> None:
    t = layout.traits
    cover = sheet.blank()
    window, xs, ys = box(0.12, -0.75, 0.95, -0.05)
    v = (np.abs(xs) - 0.2) / 0.62
    thick = 0.036 * t.brow_thick * (1 - 0.55 * smoothstep(0.35, 1.0, v)) * (0.75 + 0.25 * smoothstep(0, 0.3, v))
    body = (
        np.exp(-0.5 * np.abs((ys - layout.brow(xs)) / thick) ** 2.6)
        * smoothstep(-0.06, 0.14, v)
        * smoothstep(1.06, 0.80, v)
    )
    cover[window] = 0.50 * body
    for side in (1, -1):
        hairs = sheet.strokes(_brow_hairs(layout, rng), cover, 0.55)
        one = np.clip(cover + 0.75 * hairs, 0, 1) * (t.brow_dark * (1 - 0.35 * t.young))
        weight = (one if side > 0 else one[:, ::-1])[..., None]
        hair = np.asarray(t.hair_rgb, np.float32) * (1 - 0.6 * t.grey) + 0.6 * t.grey * np.array(
            [0.30, 0.29, 0.28], np.float32
        )
        paint.albedo[...] = paint.albedo * (1 - weight) + (hair * 1.3 + 0.006) * weight
        paint.gloss *= 1 - 0.8 * weight[..., 0]


def _brow_hairs(layout: Layout, rng: np.random.Generator) -> list[tuple[Floats, float]]:
    t = layout.traits
    count = int(95 * (0.6 + 0.4 * t.brow_thick))
    lines = []
    for v in np.sort(rng.uniform(0.0, 0.98, count)):
        x = 0.2 + 0.62 * v
        taper = (1 - 0.6 * max(v - 0.35, 0) / 0.65) * t.brow_thick
        offset = rng.uniform(-1, 1) * 0.036 * taper
        root = np.array([x, layout.brow(np.array(x)).item() + offset])
        lean = np.radians(-72 + 70 * min(v * 1.5, 1) + 18 * offset / 0.03 + rng.normal(0, 7))
        length = 0.075 * (0.75 + 0.3 * rng.uniform())
        tip = root + length * np.array([np.cos(lean), np.sin(lean)])
        lines.append((np.stack([root, tip]), float(rng.uniform(0.5, 0.95))))
    return lines


def soften(paint: Paint) -> None:
    """Blur the paint a little, as skin does by letting light through (in place)."""
    skin = (1 - paint.wet)[..., None]
    blurred = cv2.GaussianBlur(paint.albedo, (0, 0), 1.0)
    paint.albedo[...] = paint.albedo * (1 - 0.35 * skin) + blurred * 0.35 * skin
