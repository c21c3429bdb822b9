"""Light: a soft key light, sky and bounce, shadows, skin that lets red through, and the film's response."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from datasets.portraits.camera import Floats


@dataclass(frozen=True)
class Light:
    """How a portrait is lit.

    Attributes:
        azimuth: of the key light, degrees; positive comes from the right of the picture.
        elevation: of the key light above the face, degrees.
        key: its strength.
        fill: strength of the light from everywhere.
        rim: strength of the light from behind.
        warmth: colour of the key light, -1 (blue) to 1 (orange).
        exposure: a factor on everything.
    """

    azimuth: float = 30.0
    elevation: float = 35.0
    key: float = 1.0
    fill: float = 0.45
    rim: float = 0.2
    warmth: float = 0.2
    exposure: float = 1.0

    @property
    def direction(self) -> Floats:
        """Unit vector towards the key light: right, down, towards the viewer."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        return np.array([np.sin(a) * np.cos(e), -np.sin(e), np.cos(a) * np.cos(e)], np.float32)

    @property
    def colour(self) -> Floats:
        """Linear RGB of the key light."""
        return np.array([1 + 0.10 * self.warmth, 1.0, 1 - 0.16 * self.warmth], np.float32)


def sample_light(rng: np.random.Generator) -> Light:
    """Sample the light of an ordinary indoor portrait."""
    side = rng.choice([-1, 1])
    return Light(
        azimuth=float(side * rng.uniform(8, 52)),
        elevation=float(rng.uniform(18, 48)),
        key=float(rng.uniform(1.0, 1.25)),
        fill=float(rng.uniform(0.30, 0.50)),
        rim=float(rng.uniform(0.05, 0.3)),
        warmth=float(rng.uniform(-0.5, 0.8)),
        exposure=float(rng.uniform(0.9, 1.12)),
    )


@dataclass
class Scene:
    """What the camera sees, before light: one value per pixel of the picture, all float32.

    Attributes:
        albedo: (H, W, 3) linear RGB.
        normal: (H, W, 3), roughly unit, before the camera.
        look: (H, W, 4): open sky, gloss, how much it is skin, glow.
        depth: (H, W) towards the viewer, pupil distances.
    """

    albedo: Floats
    normal: Floats
    look: Floats
    depth: Floats

    def lay(
        self, window: tuple[slice, slice], alpha: Floats, albedo: Floats, normal: Floats, look: Floats, depth: Floats
    ) -> None:
        """Lay a surface over what is there, in a window, with coverage ``alpha`` (h, w)."""
        weight = alpha[..., None]
        for below, above in ((self.albedo, albedo), (self.normal, normal), (self.look, look)):
            part = below[window]
            part += weight * (above - part)
        part = self.depth[window]
        part += alpha * (depth - part)


def empty_scene(width: int, height: int) -> Scene:
    """Return a scene with nothing in it: a wall far behind."""
    normal = np.zeros((height, width, 3), np.float32)
    normal[..., 2] = 1
    look = np.zeros((height, width, 4), np.float32)
    look[..., 0] = 1
    return Scene(np.zeros((height, width, 3), np.float32), normal, look, np.full((height, width), -6, np.float32))


def render(scene: Scene, light: Light, scale: float) -> Floats:
    """Light a scene.

    Args:
        scene: what is there.
        light: how it is lit.
        scale: pixels per pupil distance.

    Returns:
        (H, W, 3) float32, linear RGB, not yet clipped.
    """
    wall = light.key * light.colour * light.direction[2] + light.fill * np.array([1.0, 1.0, 1.03], np.float32)
    picture = scene.albedo * wall
    there = np.flatnonzero(scene.depth.ravel() > -5.5)
    if there.size:
        shade = shadow(scene.depth, light.direction, scale).ravel()[there]
        albedo, normal, look = (
            np.take(v.reshape(-1, v.shape[-1]), there, axis=0).T for v in (scene.albedo, scene.normal, scene.look)
        )
        lit = _lit(np.ascontiguousarray(albedo), np.ascontiguousarray(normal), np.ascontiguousarray(look), shade, light)
        solid = np.clip((scene.depth.ravel()[there] + 5.5) / 3, 0, 1)[:, None]
        flat = picture.reshape(-1, 3)
        flat[there] += solid * (lit.T - flat[there])
    return np.asarray(picture * np.float32(light.exposure), np.float32)


def _lit(albedo: Floats, normal: Floats, look: Floats, shade: Floats, light: Light) -> Floats:
    """Light single points, given as (3, n) albedo and normal, (4, n) look and (n,) shade: (3, n) linear RGB."""
    x, y, z = normal / np.maximum(np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2), 1e-6)
    sky, gloss, skin, glow = look
    toward = light.direction
    facing = toward[0] * x + toward[1] * y + toward[2] * z
    shine = _shine(x, y, z, toward) * gloss * shade * sky * light.key + _rim(x, z, light)
    # Light from everywhere: more from above, a little warm light bounced from below.
    up, front, opened = 0.5 - 0.5 * y, (0.72 + 0.28 * z) * light.fill, np.clip(sky, 0.05, 1.2)
    half_open = np.sqrt(opened)
    total = np.empty_like(albedo)
    for c, (bleed, above, bounce) in enumerate(((0.34, 0.93, 0.20), (0.17, 1.0, 0.15), (0.12, 1.08, 0.11))):
        key = _diffuse(facing, shade, skin, bleed) * half_open * (light.key * light.colour[c])
        around = (above * (0.62 + 0.5 * up) + bounce * (1 - up)) * front
        reddened = opened * (0.8 + 0.1 * c) + 0.2 - 0.1 * c if c < 2 else opened * (0.9 + 0.1 * opened)
        total[c] = albedo[c] * (key + around * reddened) + shine * light.colour[c] + 0.9 * glow
    return total


def _diffuse(facing: Floats, shade: Floats, skin: Floats, bleed: float) -> Floats:
    """Lambert with a soft edge; in skin the edge is softer, most so in red, as light scatters beneath."""
    wrap = 0.08 + skin * np.float32(bleed - 0.08)
    edge = np.clip((facing + wrap) / (1 + wrap), 0, 1)
    soft = shade + skin * np.float32(bleed * 0.6) * (1 - shade) * edge
    return np.asarray(edge * (0.8 + 0.2 * edge) * soft, np.float32)


def _shine(x: Floats, y: Floats, z: Floats, toward: Floats) -> Floats:
    """Blinn's highlight: a broad one and a tight one."""
    half = toward + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    near = np.clip(half[0] * x + half[1] * y + half[2] * z, 0, 1)
    eighth = near * near
    eighth = eighth * eighth
    eighth = eighth * eighth
    return np.asarray(0.14 * eighth * eighth + 0.16 * (eighth * eighth) ** 3, np.float32)


def _rim(x: Floats, z: Floats, light: Light) -> Floats:
    """Light from behind that catches the outline on the side away from the key light."""
    edge = np.clip(1 - z, 0, 1)
    side = np.clip(-np.sign(light.azimuth) * x, 0, 1)
    return np.asarray(edge * edge * np.sqrt(edge) * side * (0.28 * light.rim), np.float32)


def shadow(depth: Floats, toward: Floats, scale: float) -> Floats:
    """Cast shadows by marching from each pixel towards the light over the depth map.

    Args:
        depth: (H, W) float32, pupil distances.
        toward: unit vector towards the light.
        scale: pixels per pupil distance.

    Returns:
        (H, W) float32, 1 where the light arrives, soft at the edges.
    """
    small = cv2.resize(depth, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 0.8)
    unit = scale / 3
    blocked = np.zeros_like(small)
    for step in (0.08, 0.14, 0.22, 0.32, 0.45, 0.6, 0.8, 1.05, 1.35, 1.7):
        move = np.array([[1, 0, toward[0] * step * unit], [0, 1, toward[1] * step * unit]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(
            small, move, (small.shape[1], small.shape[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        over = seen - small - toward[2] * step
        # A blocker far in front is hair or a shoulder's edge seen over nothing: only near ones cast.
        hit = np.clip((over - 0.02) / (0.05 + 0.16 * step), 0, 1)
        blocked = np.maximum(blocked, hit)
    blocked = cv2.GaussianBlur(blocked, (0, 0), 0.055 * unit)
    blocked *= np.clip((small + 4) / 2, 0, 1)  # the wall is too far away to catch a sharp shadow
    return np.asarray(1 - 0.82 * cv2.resize(blocked, (depth.shape[1], depth.shape[0])), np.float32)


def _film() -> Floats:
    """Display values for the roots of linear light from 0 to 2: a soft shoulder, then the sRGB curve."""
    x = np.linspace(0, 2, FILM_STEPS) ** 2
    x = np.clip(1.45 * x * (1 + x / 4.0) / (1 + x), 0, 1)  # Reinhard's curve with white at 2
    return np.where(x < 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-6) ** (1 / 2.4) - 0.055).astype(np.float32)


FILM_STEPS = 4096
FILM = _film()


def develop(linear: Floats) -> Floats:
    """Turn linear light (H, W, 3) into display values 0 to 1, of the same shape."""
    root = np.sqrt(np.clip(linear, 0, 4))
    return np.asarray(FILM[(root * np.float32((FILM_STEPS - 1) / 2)).astype(np.uint16)], np.float32)
