"""Light: a soft key light, sky and bounce, shadows, skin that lets red through, and the film's response."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Floats


@dataclass(frozen=True)
class Light:
    """How a portrait is lit.

    Attributes:
        azimuth: of the key light, degrees; positive comes from the right of the picture.
        elevation: of the key light above the face, degrees.
        key: its strength; fill: of the light from everywhere; rim: of the light from behind.
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
        key=float(rng.uniform(0.85, 1.15)),
        fill=float(rng.uniform(0.38, 0.62)),
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
    normal = scene.normal / np.maximum(np.sqrt((scene.normal**2).sum(-1, keepdims=True)), 1e-6)
    sky, gloss, skin, glow = cv2.split(scene.look)
    toward = light.direction
    facing = normal @ toward
    shade = shadow(scene.depth, toward, scale)
    lit = _diffuse(facing, shade, skin) * (light.key * light.colour)
    # Light from everywhere: more from above, a little warm light bounced from below.
    up = 0.5 - 0.5 * normal[..., 1:2]
    around = np.array([0.93, 1.0, 1.08], np.float32) * (0.62 + 0.5 * up) + (1 - up) * np.array([0.20, 0.15, 0.11], np.float32)
    front = 0.72 + 0.28 * normal[..., 2:3]
    opened = np.power(np.clip(sky, 0.05, 1.2)[..., None], np.array([0.8, 1.0, 1.1], np.float32))
    total = scene.albedo * (lit * np.sqrt(opened) + light.fill * around * front * opened)
    half = toward + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    near = np.clip(normal @ half, 0, 1)
    shine = gloss * shade * (0.14 * near**14 + 0.16 * near**48)
    total += (shine * sky * light.key)[..., None] * light.colour
    total += _rim(normal, scene, light)
    return np.asarray((total + (glow * 0.9)[..., None]) * light.exposure, np.float32)


def _diffuse(facing: Floats, shade: Floats, skin: Floats) -> Floats:
    """Lambert with a soft edge; in skin the edge is softer and red, as light scatters beneath."""
    channels = []
    for bleed in (0.34, 0.17, 0.12):
        wrap = 0.08 + skin * (bleed - 0.08)
        edge = np.clip((facing + wrap) / (1 + wrap), 0, 1)
        soft = shade + skin * (bleed * 0.6) * (1 - shade) * edge
        channels.append(edge * np.power(edge + 1e-6, 0.15) * soft)
    return np.dstack(channels)


def _rim(normal: Floats, scene: Scene, light: Light) -> Floats:
    edge = np.power(np.clip(1 - normal[..., 2], 0, 1), 2.5)
    side = np.clip(-np.sign(light.azimuth) * normal[..., 0], 0, 1)
    person = np.clip((scene.depth + 4) / 2, 0, 1)
    return np.asarray((edge * side * person * light.rim)[..., None] * (0.10 + 0.5 * scene.albedo), np.float32)


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
        seen = cv2.warpAffine(small, move, (small.shape[1], small.shape[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        over = seen - small - toward[2] * step
        # A blocker far in front is hair or a shoulder's edge seen over nothing: only near ones cast.
        hit = np.clip((over - 0.02) / (0.05 + 0.16 * step), 0, 1)
        blocked = np.maximum(blocked, hit)
    blocked = cv2.GaussianBlur(blocked, (0, 0), 0.055 * unit)
    blocked *= np.clip((small + 4) / 2, 0, 1)  # the wall is too far away to catch a sharp shadow
    return np.asarray(1 - 0.82 * cv2.resize(blocked, (depth.shape[1], depth.shape[0])), np.float32)


def develop(linear: Floats) -> Floats:
    """Turn linear light into display values: a soft shoulder, then the sRGB curve. Returns (H, W, 3), 0 to 1."""
    x = np.clip(linear, 0, None)
    x = x * (1 + x / 4.0) / (1 + x)  # Reinhard's curve with white at 2
    x = np.clip(x * 1.45, 0, 1)
    return np.asarray(np.where(x < 0.0031308, 12.92 * x, 1.055 * np.power(np.maximum(x, 1e-6), 1 / 2.4) - 0.055), np.float32)
