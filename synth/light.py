"""Light: what the face tells of the light it stands in, and a mask's colours under that light.

All sums are in linear light (sRGB's transfer curve undone, IEC 61966-2-1).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import FloatArray, RgbImage
from synth.looks.canvas import Canvas
from synth.pose import Pose
from synth.surface import Outline, Sheet, sheet
from synth.warp import HeadToPicture, Region

LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
"""Luminance weights of linear sRGB (ITU-R BT.709)."""

_TO_LINEAR = np.where(
    np.arange(256) / 255 <= 0.04045, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
).astype(np.float32)

ONE_COLOUR = 2.5
"""Spread of chroma below which a face has no colours: of 540 web photos the 16 grayscale and sepia ones lie below 1.7,
the palest coloured ones above 3."""

HAZE = 0.012
"""Most that a photo's black level can be lifted, linear: a scene of light things alone has no black to read it from."""

FACE = Outline(top=0.05, bottom=1.22, top_side=0.22, bottom_side=0.85, top_half=0.7, bottom_half=0.5, standoff=0.0)
"""The part of the face whose brightness is read: from under the eyes to the chin."""


def to_linear(rgb: RgbImage) -> FloatArray:
    """(..., 3) uint8 sRGB to float32 linear RGB in 0..1."""
    return np.asarray(_TO_LINEAR[rgb])


_STEPS = 65535
_FROM_LINEAR = np.where(
    np.arange(_STEPS + 1) / _STEPS <= 0.0031308,
    255 * 12.92 * np.arange(_STEPS + 1) / _STEPS,
    255 * (1.055 * (np.arange(_STEPS + 1) / _STEPS) ** (1 / 2.4) - 0.055),
).astype(np.float32)


def to_srgb(linear: FloatArray) -> FloatArray:
    """(..., 3) linear RGB to float32 sRGB in 0..255, not rounded; by a table, exact to 0.03 levels."""
    steps = np.clip(linear, 0, 1) * np.float32(_STEPS)
    return np.asarray(_FROM_LINEAR[steps.astype(np.uint16)])


@dataclass(frozen=True, eq=False)
class Light:
    """The light on one face.

    Attributes:
        ambient: share of the light that comes from everywhere.
        direction: (3,) camera coordinates; brightness of a surface is ambient + direction . normal, 1 on average.
        exposure: linear value that a white sheet in this light has in the photo.
        tint: (3,) colour of the light, mean 1.
        black: linear value of the photo's deepest shadows.
        blur: Gaussian sigma of the photo's edges, in pixels.
        grain: standard deviation of its noise, in sRGB levels (0..255).
        tone: (3,) the one colour, mean 1, of a grayscale or sepia photo; None in a photo with colours.
    """

    ambient: float
    direction: FloatArray
    exposure: float
    tint: FloatArray
    black: float
    blur: float
    grain: float
    tone: FloatArray | None

    def shade(self, normals: FloatArray) -> FloatArray:
        """(...,) brightness of surfaces with these (..., 3) camera-coordinate normals; at least a fifth of average."""
        return np.asarray(np.maximum(self.ambient + normals @ self.direction, 0.2))


def read_light(rgb: RgbImage, pose: Pose, to_picture: HeadToPicture) -> Light:
    """Reads the light off a face.

    Args:
        rgb: (H, W, 3) uint8, RGB.
        pose: of the head.
        to_picture: head coordinates to its pixels.
    """
    skin = sheet(FACE, rows=15, columns=19)
    placed = to_picture(skin.points)
    seen = to_picture.facing(skin.points, skin.normals) > 0.25
    inside = (placed >= 0).all(-1) & (placed < [rgb.shape[1] - 1, rgb.shape[0] - 1]).all(-1) & seen
    region = Region.around(placed, 0.1 * pose.pixels_per_unit, rgb.shape)
    face = rgb[region.slices]
    if inside.sum() < 12 or min(face.shape[:2]) < 4:
        inside, face = np.ones_like(inside), rgb
    smooth = cv2.GaussianBlur(to_linear(face), (0, 0), max(0.06 * pose.pixels_per_unit, 0.5))
    where = np.clip(np.round(placed[inside] - [region.x0, region.y0]).astype(int), 0, None)
    samples = smooth[np.minimum(where[:, 1], face.shape[0] - 1), np.minimum(where[:, 0], face.shape[1] - 1)]
    ambient, direction = _fit_shading(samples @ LUMA, (skin.normals @ pose.rotation.T)[inside])
    exposure, tint, black = _exposure(rgb, samples)
    blur, grain = _sharpness(face)
    return Light(ambient, direction, exposure, tint, black, blur, grain, _tone(face, samples))


def _tone(face: RgbImage, skin: FloatArray) -> FloatArray | None:
    """The one colour of a photo without colours: the chroma (CIE Lab, 8 bit) of its face doesn't vary."""
    chroma = cv2.cvtColor(face, cv2.COLOR_RGB2Lab)[..., 1:].reshape(-1, 2).astype(np.float32)
    if float(np.hypot(*chroma.std(0))) > ONE_COLOUR:
        return None
    mean = skin.mean(0)
    return np.asarray(mean / max(float(mean.mean()), 1e-4), dtype=np.float32)


def _fit_shading(luminance: FloatArray, normals: FloatArray) -> tuple[float, FloatArray]:
    """Brightness = ambient + direction . normal, by least squares reweighted against beards and highlights."""
    bright = luminance / max(float(np.median(luminance)), 1e-4)
    system = np.concatenate([np.ones((len(normals), 1)), normals], axis=1)
    weight, ridge = np.ones(len(bright)), np.diag([1e-3, 0.06, 0.06, 0.3]) * len(bright)
    fitted = np.zeros(4)
    for _ in range(3):
        weighted = system * weight[:, None]
        fitted = np.linalg.solve(weighted.T @ system + ridge, weighted.T @ bright)
        weight = 1 / np.maximum(np.abs(bright - system @ fitted) / 0.15, 1.0)
    direction = fitted[1:]
    strength = float(np.linalg.norm(direction))
    if strength > 0.7:
        direction = direction * (0.7 / strength)
    # Seen from the front the average surface shall be of brightness one; z of a usual mask's normals is about 0.75.
    return 1.0 - 0.75 * float(direction[2]), np.asarray(direction)


def _exposure(rgb: RgbImage, skin: FloatArray) -> tuple[float, FloatArray, float]:
    """White level, tint and black level from the skin and from the brightest and darkest parts of the photo."""
    step = max(min(rgb.shape[:2]) // 64, 1)
    scene = to_linear(rgb[::step, ::step].reshape(-1, 3))
    luminance = scene @ LUMA
    skin_light = float(np.percentile(skin @ LUMA, 60))
    bright = float(np.percentile(luminance, 97))
    # Skin reflects 0.2 to 0.6 of the light by its tone. A white sheet is brighter than light skin and than most of
    # the scene, but a lamp or the sky behind the head must not decide: both are weighed.
    white = np.clip(np.sqrt(max(skin_light / 0.42, 1e-4) * max(0.75 * bright, 1e-4)), 1.15 * skin_light, 1.0)
    top = scene[(luminance >= np.percentile(luminance, 90)) & (scene.max(-1) < 0.98)]
    patch = (top if len(top) >= 8 else scene).mean(0)
    mixed = 0.5 * patch / max(float(patch.mean()), 1e-4) + 0.5
    tint = np.clip(mixed / mixed.mean(), 0.8, 1.2)
    black = min(float(np.percentile(luminance, 0.5)), HAZE)
    return float(np.clip(white, 0.06, 1.0)), np.asarray(tint, dtype=np.float32), black


def _sharpness(face: RgbImage) -> tuple[float, float]:
    """Blur (sigma, pixels) and grain (sRGB levels) of a face.

    Blur: steep edges of a picture blurred by sigma have a ratio of gradient to re-blurred gradient that grows with
    sharpness; inverted for a Gaussian edge (Zhuo and Sim, "Defocus map estimation", 2011). Grain: median of the
    high-pass, scaled to a standard deviation (Immerkaer, "Fast noise variance estimation", 1996).
    """
    gray = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    again = cv2.GaussianBlur(gray, (0, 0), 1.0)
    slope, softer = _gradient(gray), _gradient(again)
    steep = slope >= np.percentile(slope, 97)
    ratio = float(np.median(slope[steep] / np.maximum(softer[steep], 1e-3))) if steep.any() else 1.5
    blur = 1.0 / np.sqrt(max(ratio**2 - 1, 0.05))
    laplace = cv2.filter2D(gray, -1, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32))
    grain = 1.4826 * float(np.median(np.abs(laplace))) / 6.0
    return float(np.clip(blur, 0.45, 3.0)), float(np.clip(grain, 0.0, 12.0))


def _gradient(gray: FloatArray) -> FloatArray:
    return np.asarray(np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)))


def lit_colour(albedo: FloatArray, brightness: FloatArray, light: Light) -> FloatArray:
    """Colours in the photo, linear RGB (..., 3), of surfaces of this albedo (..., 3) and brightness (...,)."""
    colour = albedo * light.tint * (light.exposure * brightness)[..., None]
    if light.tone is not None:
        colour = (colour @ LUMA)[..., None] * light.tone
    return np.asarray(light.black + colour * (1 - light.black), dtype=np.float32)


def lit_texture(canvas: Canvas, worn: Sheet, pose: Pose, light: Light) -> FloatArray:
    """The look under the light: (h, w, 3) float32, linear RGB.

    Args:
        canvas: the drawn look.
        worn: the sheet it is laid on.
        pose: of the head.
        light: on the face.
    """
    height, width = canvas.u.shape
    base = cv2.resize((worn.normals @ pose.rotation.T).astype(np.float32), (width, height))
    across = np.linalg.norm(np.diff(worn.points[len(worn.points) // 2], axis=0), axis=1).sum()
    texel = float(across) / width
    slope_x = cv2.Sobel(canvas.height, cv2.CV_32F, 1, 0) / (8 * texel)
    slope_y = cv2.Sobel(canvas.height, cv2.CV_32F, 0, 1) / (8 * texel)
    right, down = pose.rotation[:, 0], pose.rotation[:, 1]
    normals = base - slope_x[..., None] * right.astype(np.float32) - slope_y[..., None] * down.astype(np.float32)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    hollow = cv2.GaussianBlur(canvas.height, (0, 0), max(0.04 / texel, 0.5)) - canvas.height
    occlusion = np.clip(1 - 9.0 * hollow, 0.6, 1.1)
    # Real light is softer than one direction: a lamp from above and front is always in it.
    overhead = 1 + 0.16 * (-normals[..., 1]) + 0.25 * (normals[..., 2] - 0.8)
    return lit_colour(canvas.albedo, light.shade(normals) * occlusion * overhead, light)
