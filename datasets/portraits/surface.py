"""Laying a surface into the scene: project, find what is seen, sample what it is made of."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from datasets.portraits.camera import Camera, Floats
from datasets.portraits.head import outward
from datasets.portraits.light import Scene
from datasets.portraits.raster import Visible, rasterise


@dataclass(frozen=True)
class Cloth:
    """A surface with its own texture, at the resolution of its own grid.

    Attributes:
        points: (rows, cols, 3) float32, head coordinates.
        albedo: (rows, cols, 3) float32, linear RGB.
        look: (rows, cols, 4) float32: open sky, gloss, how much it is skin, glow.
        alpha: (rows, cols) float32, coverage.
        body: it turns with the shoulders and not with the head.
    """

    points: Floats
    albedo: Floats
    look: Floats
    alpha: Floats
    body: bool = False


def see(scene: Scene, camera: Camera, placed: Floats, shown: npt.NDArray[np.bool_] | None = None) -> Visible | None:
    """Find what is seen of placed points in a scene's picture."""
    height, width = scene.depth.shape
    return rasterise(camera.project(placed), np.ascontiguousarray(placed[..., 2]), (width, height), shown)


def lay_cloth(scene: Scene, camera: Camera, cloth: Cloth, *, contact: float = 0.0) -> None:
    """Lay a surface over the scene.

    Args:
        scene: changed in place.
        camera: the camera.
        cloth: what is laid.
        contact: how much the surface darkens what it touches, 0 to 1.
    """
    placed = camera.place(cloth.points, body=cloth.body)
    seen = see(scene, camera, placed, cloth.alpha > 0.004)
    if seen is None:
        return
    alpha = soft_edge(seen.cover) * np.clip(seen.sample(cloth.alpha), 0, 1)
    if contact:
        spread = 0.05 * camera.scale
        part = scene.look[seen.window]
        part[..., 0] *= 1 - contact * cv2.GaussianBlur(alpha, (0, 0), spread)
    normal = seen.sample(outward(placed))
    depth = seen.sample(np.ascontiguousarray(placed[..., 2]))
    scene.lay(seen.window, alpha, seen.sample(cloth.albedo), normal, seen.sample(cloth.look), depth)


def soft_edge(cover: Floats) -> Floats:
    """Smooth the stairs of a silhouette, inwards only: outside there is nothing to show."""
    return np.asarray(np.clip(2 * cv2.GaussianBlur(cover, (0, 0), 0.9) - 1, 0, 1), np.float32)


def looks(shape: tuple[int, int], gloss: float, skin: float = 0.0, sky: float = 1.0) -> Floats:
    """Return a (rows, cols, 4) look with the same values everywhere and no glow."""
    return np.broadcast_to(np.array([sky, gloss, skin, 0], np.float32), (*shape, 4)).copy()
