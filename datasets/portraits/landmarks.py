"""The renderer's own truth: where the 68 points of the iBUG scheme lie on the drawn face."""

from __future__ import annotations

import cv2
import numpy as np

from datasets.portraits.camera import Camera, Floats
from datasets.portraits.head import (
    Surface,
    head_sections,
    proportion,
    sheet_place,
)
from datasets.portraits.layout import Layout
from datasets.portraits.person import Traits
from datasets.portraits.relief import Relief


def landmarks(layout: Layout, surface: Surface, relief: Relief, camera: Camera) -> Floats:
    """Return the 68 points as the camera sees them.

    Args:
        layout: the features.
        surface: the head's surface.
        relief: the features' heights.
        camera: of the picture (not the enlarged one).

    Returns:
        (68, 2) float32, x and y in pixels of the picture, in the iBUG 300-W order, which starts on the left of the
        picture.
    """
    flat = np.concatenate([_brows(layout), _nose(layout), _eyes(layout), _mouth(layout)]).astype(np.float32)
    front = _on_face(flat, layout.traits, relief)
    return np.concatenate([_jaw(surface, camera), camera.project(camera.place(front))]).astype(np.float32)


def _on_face(flat: Floats, traits: Traits, relief: Relief) -> Floats:
    """Lift sheet points (n, 2) onto the face: (n, 3) head coordinates."""
    y = flat[:, 1]
    sections = head_sections(traits, 600)
    width, depth, centre = (np.interp(y, sections.y, v) for v in (sections.width, sections.depth, sections.centre))
    power = 2.0 + 0.45 * np.exp(-(((y - 0.15) / 0.9) ** 2))
    side = np.clip(np.abs(flat[:, 0]) / width, 0, 1)
    z = centre + depth * np.power(1 - np.power(side, power), 1 / power)
    col, row = sheet_place(flat[None])
    z = z + cv2.remap(relief.height, col, row, cv2.INTER_LINEAR)[0]
    return proportion(np.column_stack([flat, z]).astype(np.float32), traits)


def _jaw(surface: Surface, camera: Camera) -> Floats:
    """The 17 points of the visible outline from ear to ear, by the chin."""
    seen = camera.project(camera.place(surface.points))
    rows = surface.flat[:, 0, 1]
    heights = np.array([-0.06, 0.26, 0.60, 0.92, 1.20, 1.44, 1.62, 1.76])
    picks = [int(np.argmin(np.abs(rows - h))) for h in heights]
    left = [seen[r, int(np.argmin(seen[r, :, 0]))] for r in picks]
    right = [seen[r, int(np.argmax(seen[r, :, 0]))] for r in picks]
    chin = seen[-1, seen.shape[1] // 2]
    return np.array([*left, chin, *right[::-1]], np.float32)


def _mirror(points: Floats) -> Floats:
    return np.asarray(points[::-1] * np.array([-1, 1]))


def _brows(layout: Layout) -> Floats:
    x = np.linspace(0.22, 0.80, 5).astype(np.float32)
    right = np.column_stack([x, layout.brow(x) - 0.02])  # nearer the upper edge, as annotators put them
    return np.concatenate([_mirror(right), right])


def _nose(layout: Layout) -> Floats:
    base = layout.nose_y
    bridge = [(0, y) for y in np.linspace(-0.02, base - 0.15, 4)]
    under = [(x * layout.nose_half, base + 0.05 - 0.05 * abs(x)) for x in (-0.68, -0.36, 0, 0.36, 0.68)]
    return np.array(bridge + under)


def _eyes(layout: Layout) -> Floats:
    inner, outer = -0.97, 0.97
    u = np.array([inner, -0.36, 0.36, outer, 0.36, -0.36], np.float32)
    upper, lower = layout.lid_upper(u), layout.lid_lower(u)
    y = np.array([upper[0], upper[1], upper[2], upper[3], lower[4], lower[5]])
    right = np.column_stack([layout.traits.eye_x + layout.eye_half * u, y])
    left = (right * np.array([-1, 1]))[[3, 2, 1, 0, 5, 4]]
    return np.concatenate([left, right])


def _mouth(layout: Layout) -> Floats:
    half = layout.mouth_half
    top = np.array([-1, -0.62, -0.22, 0, 0.22, 0.62, 1], np.float32)
    low = np.array([0.62, 0.28, 0, -0.28, -0.62], np.float32)
    slit = np.array([-0.86, -0.30, 0, 0.30, 0.86, 0.30, 0, -0.30], np.float32)
    rows = [(top, layout.lip_top(top)), (low, layout.lip_bottom(low)), (slit, layout.lip_line(slit))]
    return np.concatenate([np.column_stack([u * half, y]) for u, y in rows])
