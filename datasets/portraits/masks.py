"""Masks as worn: a cloth that spans the face's relief, with pleats or seams, edges and ear loops."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from datasets.portraits import sheet
from datasets.portraits.camera import Floats
from datasets.portraits.head import Sections, head_sections, proportion, sheet_place, wrap
from datasets.portraits.layout import Layout
from datasets.portraits.relief import Relief
from datasets.portraits.sheet import noise, smoothstep
from datasets.portraits.surface import Cloth, looks

KINDS = ("surgical", "kf94", "black", "cloth")
STYLES = ("correct", "nose_out", "chin")

COLOURS = {
    "surgical": ((0.34, 0.56, 0.68), (0.62, 0.66, 0.66), (0.30, 0.50, 0.46), (0.48, 0.58, 0.70)),
    "kf94": ((0.72, 0.72, 0.71), (0.68, 0.67, 0.65), (0.70, 0.70, 0.72)),
    "black": ((0.018, 0.018, 0.020), (0.030, 0.030, 0.034)),
    "cloth": ((0.22, 0.27, 0.36), (0.45, 0.28, 0.26), (0.38, 0.38, 0.36), (0.20, 0.30, 0.22), (0.55, 0.46, 0.36)),
}


@dataclass(frozen=True)
class WornMask:
    """A mask and how it sits.

    Attributes:
        kind: one of ``KINDS``.
        style: one of ``STYLES``.
    """

    kind: str
    style: str


@dataclass(frozen=True)
class _Edges:
    """Where the mask's edges lie on the sheet: top and bottom at the middle and at the sides, and the side itself."""

    top: float
    top_side: float
    bottom: float
    bottom_side: float
    side: float


def _edges(mask: WornMask, layout: Layout, rng: np.random.Generator) -> _Edges:
    loose = rng.normal(0, 0.025, 5)
    top, top_side, bottom, bottom_side = 0.26, 0.36, 1.90, 1.42
    if mask.kind == "kf94":
        top, top_side, bottom, bottom_side = 0.22, 0.52, 1.92, 1.18
    elif mask.kind == "black":
        top, top_side, bottom, bottom_side = 0.22, 0.46, 1.90, 1.22
    if mask.style == "nose_out":
        top, top_side, bottom = layout.nose_y + 0.10, top_side + 0.28, bottom + 0.06
    elif mask.style == "chin":
        top, top_side, bottom, bottom_side = layout.mouth_y + 0.30, 1.02, 2.12, 1.62
    return _Edges(
        top + loose[0], top_side + loose[1], bottom + loose[2] * 0.5, bottom_side + loose[3], 0.90 + 0.5 * loose[4]
    )


def mask_cloth(mask: WornMask, layout: Layout, relief: Relief, density: float, rng: np.random.Generator) -> Cloth:
    """Return the mask's cloth as it sits on a face.

    Args:
        mask: kind and style.
        layout: the face's features.
        relief: their heights.
        density: grid points per pupil distance.
        rng: for colour, looseness and creases.
    """
    traits, edges = layout.traits, _edges(mask, layout, rng)
    sections = _hull(head_sections(traits, 500), int(2.5 * density / 1.2))
    surface = wrap(sections, traits, int(2.6 * density / 1.2), 86.0)
    col, row = sheet_place(surface.flat)
    tent = cv2.remap(_tent(relief, mask), col, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    x, y = surface.flat[..., 0], surface.flat[..., 1]
    v, alpha, rim = _outline(mask, edges, x, y)
    folds, tone = _make(mask, x, y, v, rng)
    points = surface.points + (0.035 + folds)[..., None] * surface.normals
    points[..., 2] += tent
    rgb = np.asarray(COLOURS[mask.kind][rng.integers(len(COLOURS[mask.kind]))], np.float32)
    albedo = rgb * np.exp(tone)[..., None]
    if mask.kind == "surgical":
        albedo = albedo * (1 - 0.6 * rim[..., None]) + 0.6 * rim[..., None] * 0.62
    look = looks((x.shape[0], x.shape[1]), 0.10 if mask.kind == "black" else 0.07, 0.12)
    look[..., 0] = np.clip(1 - 6.0 * np.clip(cv2.GaussianBlur(folds, (0, 0), 3) - folds, -0.02, 0.1), 0.5, 1.05)
    return Cloth(points.astype(np.float32), albedo.astype(np.float32), look, alpha)


def _hull(head: Sections, rows: int) -> Sections:
    """The sections of the face without the hollow under the chin: cloth hangs straight down from it."""
    y = np.linspace(0.0, 2.2, rows, dtype=np.float32)
    below = smoothstep(1.25, 1.75, y)
    width, centre = (np.interp(y, head.y, v) for v in (head.width, head.centre))
    front = np.interp(y, head.y, head.centre + head.depth)
    hang_front = np.interp(y, [1.2, 1.7, 1.95, 2.2], [1.42, 1.40, 1.30, 1.05])
    hang_width = np.interp(y, [1.2, 1.6, 1.9, 2.2], [1.0, 0.80, 0.64, 0.55])
    centre = centre * (1 - below) + below * 0.30
    front = front * (1 - below) + below * hang_front
    width = width * (1 - below) + below * hang_width
    return Sections(y, width.astype(np.float32), (front - centre).astype(np.float32), centre.astype(np.float32))


def _tent(relief: Relief, mask: WornMask) -> Floats:
    """The face's relief as cloth spans it: stretched over nose and chin, not following the hollows."""
    size = round(0.34 * sheet.DENSITY)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size * 2))
    small = cv2.resize(relief.height, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    spread = cv2.dilate(small, cv2.resize(kernel, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST))
    smooth = cv2.GaussianBlur(spread, (0, 0), 0.085 * sheet.DENSITY / 4)
    tent = cv2.resize(smooth, (sheet.WIDTH, sheet.HEIGHT), interpolation=cv2.INTER_CUBIC)
    if mask.kind == "kf94" and mask.style != "chin":
        sheet.bump(tent, 0, 1.05, 0.42, 0.30, 0.13)
    return np.asarray(tent, np.float32)


def _outline(mask: WornMask, edges: _Edges, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the place down the mask (0 top, 1 bottom), its coverage, and a band along its edges."""
    s = np.clip(np.abs(x) / edges.side, 0, 1.3)
    bow = {"surgical": 2.4, "kf94": 1.5, "black": 1.6, "cloth": 2.0}[mask.kind]
    top = edges.top + (edges.top_side - edges.top) * s**bow
    top = top - 0.045 * np.exp(-((x / 0.20) ** 2)) * (mask.style == "correct")
    bottom = edges.bottom + (edges.bottom_side - edges.bottom) * s**2.1
    v = ((y - top) / np.maximum(bottom - top, 0.05)).astype(np.float32)
    away = np.minimum(np.minimum(y - top, bottom - y), (edges.side - np.abs(x)) * 1.2)
    alpha = smoothstep(-0.006, 0.010, away)
    rim = np.exp(-(((away - 0.045) / 0.035) ** 2))
    return v, np.asarray(alpha, np.float32), np.asarray(rim, np.float32)


def _make(mask: WornMask, x: Floats, y: Floats, v: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the cloth's own relief and the log of its tone."""
    creases = 0.010 * noise(rng, x.shape, (5, 6)) + 0.004 * noise(rng, x.shape, (14, 10))
    tone = 0.02 * noise(rng, x.shape, x.shape)
    if mask.style == "chin":
        creases = creases + 0.016 * np.sin(v * 13 + 2.0 * noise(rng, x.shape, (3, 4)))
    fine = np.exp(-(((v - 0.045) / 0.02) ** 2)) + np.exp(-(((v - 0.95) / 0.02) ** 2))
    if mask.kind == "surgical":
        pleats = [0.34, 0.50, 0.66]
        saw = sum(smoothstep(at - 0.11, at, v) * smoothstep(at + 0.012, at, v) for at in pleats)
        lines = sum(np.exp(-(((v - at - 0.008) / 0.010) ** 2)) for at in pleats)
        wire = np.exp(-(((v - 0.085) / 0.014) ** 2)) * smoothstep(0.52, 0.44, np.abs(x))
        return np.asarray(creases + 0.040 * saw + 0.012 * wire, np.float32), np.asarray(
            tone - 0.30 * lines - 0.10 * fine, np.float32
        )
    if mask.kind == "kf94":
        seams = np.exp(-(((v - 0.33 + 0.05 * x * x) / 0.010) ** 2)) + np.exp(
            -(((v - 0.70 - 0.05 * x * x) / 0.010) ** 2)
        )
        panels = 0.05 * smoothstep(0.30, 0.36, v) * smoothstep(0.73, 0.67, v)
        weld = fine * (0.5 + 0.5 * np.sin(x * 130))
        return np.asarray(creases * 0.8 + panels - 0.012 * seams, np.float32), np.asarray(
            tone - 0.25 * seams - 0.10 * weld, np.float32
        )
    seam = np.exp(-((x / 0.012) ** 2))
    if mask.kind == "black":
        return np.asarray(creases * 0.6 + 0.014 * seam, np.float32), np.asarray(tone + 0.35 * seam, np.float32)
    return np.asarray(creases * 1.3 - 0.012 * seam, np.float32), np.asarray(
        tone - 0.3 * seam + _print(x, y, rng), np.float32
    )


def _print(x: Floats, y: Floats, rng: np.random.Generator) -> Floats:
    """A woven pattern: plain, dots, or checks."""
    pattern = rng.integers(3)
    if pattern == 0:
        return np.asarray(0.05 * noise(rng, x.shape, (x.shape[0], 40)), np.float32)
    pitch = float(rng.uniform(0.12, 0.2))
    if pattern == 1:
        dots = np.cos(2 * np.pi * x / pitch) * np.cos(2 * np.pi * y / pitch)
        return np.asarray(0.6 * smoothstep(0.55, 0.75, dots.astype(np.float32)), np.float32)
    return np.asarray(
        0.22 * (np.sin(2 * np.pi * x / pitch) > 0) + 0.22 * (np.sin(2 * np.pi * y / pitch) > 0), np.float32
    )


def ear_loops(mask: WornMask, layout: Layout, rng_edges: np.random.Generator) -> list[Floats]:
    """Return the ear loops as polylines (n, 3) in head coordinates, two on each side.

    Args:
        mask: the mask.
        layout: the face.
        rng_edges: in the same state as the one given to ``mask_cloth``, so that loops meet the cloth.
    """
    edges, traits = _edges(mask, layout, rng_edges), layout.traits
    head = head_sections(traits, 500)
    lines = []
    drop = 0.10 if mask.style == "chin" else 0.0
    for start, end in ((edges.top_side + 0.05, -0.14 + drop), (edges.bottom_side - 0.06, 0.50 + drop)):
        t = np.linspace(0, 1, 24)
        y = start + (end - start) * t + 0.05 * np.sin(np.pi * t) * (start > 0.8)
        width, depth, centre = (
            np.interp(y, head.y, v) + gap for v, gap in ((head.width, 0.02), (head.depth, 0.03), (head.centre, 0))
        )
        begin = np.arcsin(np.clip((edges.side - 0.03) / width[0], 0, 1))
        angle = begin + (np.radians(97) - begin) * t
        power = 2.0 + 0.45 * np.exp(-(((y - 0.15) / 0.9) ** 2))
        side = np.sin(angle)
        front = np.power(np.clip(1 - side**power, 0, 1), 1 / power) * (np.cos(angle) > 0)
        back = np.sqrt(np.clip(1 - side**2, 0, 1)) * (np.cos(angle) <= 0)
        for sign in (1, -1):
            line = np.column_stack([sign * width * side, y, centre + depth * (front - back)])
            lines.append(proportion(line.astype(np.float32), traits))
    return lines
