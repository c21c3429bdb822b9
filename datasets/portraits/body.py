"""Ears, neck, shoulders and what is worn on them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from datasets.portraits.camera import Floats
from datasets.portraits.head import proportion
from datasets.portraits.person import Traits
from datasets.portraits.sheet import noise, smoothstep
from datasets.portraits.surface import Cloth, looks

NECKLINES = ("crew", "vee", "shirt")


@dataclass(frozen=True)
class Outfit:
    """What a person wears in one photo.

    Attributes:
        neckline: one of ``NECKLINES``.
        rgb: linear RGB of the cloth.
        stripes: 0 (plain) to 1.
    """

    neckline: str = "crew"
    rgb: tuple[float, float, float] = (0.2, 0.22, 0.25)
    stripes: float = 0.0


def sample_outfit(rng: np.random.Generator) -> Outfit:
    """Sample everyday clothes, mostly muted."""
    hue, saturation = rng.uniform(0, 6), rng.beta(1.2, 2.6)
    value = rng.choice([0.03, 0.08, 0.2, 0.42, 0.62], p=[0.22, 0.22, 0.2, 0.16, 0.2])
    wheel = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    rgb = value * (1 - saturation * (1 - wheel))
    stripes = float(rng.uniform(0.3, 0.8)) if rng.uniform() < 0.15 else 0.0
    return Outfit(str(rng.choice(NECKLINES)), (float(rgb[0]), float(rgb[1]), float(rgb[2])), stripes)


def ear(traits: Traits, side: int, density: float) -> Cloth:
    """Return an ear; ``side`` is 1 on the right of the picture. ``density`` is grid points per pupil distance."""
    a = np.linspace(0, 1.02, max(int(0.5 * density), 16), dtype=np.float32)[None]
    b = np.linspace(-1.02, 1.02, max(int(1.0 * density), 24), dtype=np.float32)[:, None]
    edge = np.sqrt(np.clip(1 - b * b, 0, 1)) * (1 - 0.22 * b - 0.10 * np.sin(2.4 * b + 0.6))
    relief = _ear_relief(a, b, edge)
    out = np.array([0.66, -0.03, -0.42], np.float32) * (0.45 * traits.ear)
    face = np.array([0.55, 0.0, 0.84], np.float32)
    origin = np.array([1.055, 0.14, -0.02], np.float32)
    points = (
        origin
        + a[..., None] * out
        + (0.455 * traits.ear * b + 0.03 * a)[..., None] * np.array([0.02, 1, -0.12], np.float32)
    )
    points = points + relief[..., None] * face
    alpha = smoothstep(0.02, -0.02, a - edge) * np.ones_like(b)
    hollow = np.exp(-(((a - 0.34) / 0.20) ** 2) - ((b - 0.12) / 0.34) ** 2)
    tint = np.array([1.0, 0.86, 0.84], np.float32) * np.exp(-0.5 * hollow)[..., None]
    look = looks(alpha.shape, 0.3, 1.0)
    look[..., 0] = 1 - 0.62 * hollow - 0.25 * smoothstep(0.25, 0.0, a * np.ones_like(b))
    points = proportion(points.astype(np.float32), traits)
    albedo = np.asarray(traits.skin, np.float32) * tint
    if side > 0:
        return Cloth(points, albedo.astype(np.float32), look, alpha.astype(np.float32))
    points = points * np.array([-1, 1, 1], np.float32)
    flip = [np.ascontiguousarray(v[:, ::-1]).astype(np.float32) for v in (points, albedo, look, alpha)]
    return Cloth(flip[0], flip[1], flip[2], flip[3])


def _ear_relief(a: Floats, b: Floats, edge: Floats) -> Floats:
    rim = np.exp(-(((a - edge + 0.10) / 0.085) ** 2)) * smoothstep(0.75, 0.35, b * np.ones_like(a))
    inner = np.exp(-(((a - 0.60 * edge) / 0.10) ** 2)) * smoothstep(0.7, 0.2, np.abs(b + 0.05) * np.ones_like(a))
    hollow = np.exp(-(((a - 0.34) / 0.18) ** 2) - ((b - 0.12) / 0.34) ** 2)
    flap = np.exp(-(((a - 0.08) / 0.09) ** 2) - ((b - 0.16) / 0.13) ** 2)
    return np.asarray(0.075 * rim + 0.045 * inner - 0.085 * hollow + 0.05 * flap, np.float32)


def neck(traits: Traits, density: float, rng: np.random.Generator) -> Cloth:
    """Return the neck down to the collarbones."""
    y = np.linspace(0.9, 3.4, int(2.5 * density / 1.5), dtype=np.float32)[:, None]
    angle = np.radians(np.linspace(-95, 95, int(2.4 * density / 1.5), dtype=np.float32))[None]
    flare = 0.52 * smoothstep(1.75, 2.7, y) + 0.5 * smoothstep(2.2, 3.2, y)
    width = traits.neck * (0.70 - 0.045 * np.exp(-(((y - 1.75) / 0.35) ** 2))) + flare
    x = width * np.sin(angle)
    z = -0.42 + 0.10 * (y - 1.2) + (0.74 + 0.10 * smoothstep(2.2, 3.2, y)) * np.cos(angle)
    side = np.abs(angle)
    z = z + 0.040 * np.exp(-(((side - 0.42 + 0.16 * (y - 2.0)) / 0.13) ** 2)) * smoothstep(1.5, 2.2, y)
    z = z - 0.05 * np.exp(-((angle / 0.14) ** 2) - ((y - 2.52) / 0.12) ** 2)
    z = z + 0.035 * (traits.ridge > 0.7) * np.exp(-((angle / 0.12) ** 2) - ((y - 1.95) / 0.12) ** 2)
    points = np.dstack([x, np.broadcast_to(y, x.shape), z]).astype(np.float32)
    lines = (
        0.06 * traits.wrinkle * sum(np.exp(-(((y - at - 0.1 * np.cos(angle)) / 0.02) ** 2)) for at in (1.75, 1.95, 2.2))
    )
    mottle = 0.03 * noise(rng, x.shape, (12, 12)) - lines
    albedo = np.asarray(traits.skin, np.float32) * np.exp(mottle)[..., None] * np.array([0.97, 0.95, 0.95], np.float32)
    look = looks((x.shape[0], x.shape[1]), 0.28, 1.0)
    look[..., 0] = np.broadcast_to(0.42 + 0.55 * smoothstep(1.35, 2.4, y), x.shape)
    return Cloth(points, albedo.astype(np.float32), look, np.ones(x.shape, np.float32), body=True)


def clothes(traits: Traits, outfit: Outfit, density: float, rng: np.random.Generator) -> Cloth:
    """Return the shoulders, dressed."""
    x = np.linspace(-3.4, 3.4, int(6.8 * density / 2), dtype=np.float32)[None] * np.float32(traits.shoulders)
    v = np.linspace(0, 1, int(2.6 * density / 2), dtype=np.float32)[:, None]
    across = np.abs(x) / traits.shoulders
    top = np.interp(across, [0, 0.6, 1.0, 1.6, 2.1, 2.4, 2.6, 3.4], [1.98, 2.0, 2.13, 2.30, 2.44, 2.66, 3.05, 5.0])
    top = cv2.GaussianBlur(top.astype(np.float32), (0, 0), 0.06 * density)
    y = top + 2.4 * v**1.3
    roll = np.sqrt(np.clip(1 - np.clip(1 - (y - top) / 0.75, 0, 1) ** 2, 0, 1))
    z = -0.75 + (0.55 + 0.62 * np.sqrt(np.clip(1 - (across / 2.75) ** 2, 0, 1))) * roll
    folds = 0.020 * noise(rng, y.shape, (5, 9)) + 0.010 * noise(rng, y.shape, (12, 16))
    neckline, band = _neckline(outfit, across, x)
    z = z + folds + 0.035 * smoothstep(0.0, 0.05, y - neckline) * smoothstep(band, band - 0.03, y - neckline)
    points = np.dstack([np.broadcast_to(x, y.shape), y, z]).astype(np.float32)
    weave = 0.05 * noise(rng, y.shape, y.shape)
    in_band = smoothstep(band + 0.01, band - 0.01, y - neckline)
    rim = np.exp(-(((y - neckline - band) / 0.014) ** 2))
    stripe = outfit.stripes * (np.sin(2 * np.pi * y / 0.34) > 0.2)
    tone = np.exp(weave - 0.12 * in_band - 0.55 * rim)[..., None]
    albedo = np.asarray(outfit.rgb, np.float32) * tone * (1 - stripe[..., None]) + stripe[..., None] * 0.5
    alpha = smoothstep(-0.012, 0.012, y - neckline)
    look = looks((y.shape[0], y.shape[1]), 0.05)
    return Cloth(points, albedo.astype(np.float32), look, alpha, body=True)


def _neckline(outfit: Outfit, across: Floats, x: Floats) -> tuple[Floats, float]:
    """Return the neckline's y at each x, and the width of its band."""
    if outfit.neckline == "crew":
        return np.asarray(2.50 - 0.52 * np.clip(across / 0.80, 0, 1) ** 2.2, np.float32), 0.10
    if outfit.neckline == "vee":
        return np.asarray(2.95 - 1.15 * np.clip(across / 0.86, 0, 1), np.float32), 0.07
    return np.asarray(2.86 - 1.30 * np.clip(across / 0.80, 0, 1) ** 0.9, np.float32), 0.30
