"""A mask's colours under a face's light."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from synth.arrays import FloatArray
from synth.light import LUMA, Light
from synth.looks.canvas import Canvas
from synth.pose import Pose
from synth.surface import Sheet, cross, rightwards

RELIEF = 4.0
"""Relief is lit this much steeper than it is: cloth's folds also shade each other, which one bounce of light lacks. Of
really worn pale masks at 100 pixels a face the details' contrast is 0.06 in the median; this gives 0.03, and more would
make edges of the drawn pleats look cut."""

STEEPEST = 0.6
"""Slope that the steepest relief is lit as."""

HOLLOW = 0.05
"""Reach of the darkness in hollows, in head units (4 mm)."""

SHEEN = 0.02
"""Sheen that even matt cloth has: without it black masks would show no folds."""

SHININESS = 10.0
"""Blinn-Phong exponent of cloth's and foam's broad sheen."""


def lit_colour(albedo: FloatArray, brightness: FloatArray, light: Light) -> FloatArray:
    """Colours in the photo, linear RGB (..., 3), of surfaces of this albedo (..., 3) and brightness (...,)."""
    colour = albedo * (light.tint * np.float32(light.exposure)) * brightness[..., None]
    if light.tone is not None:
        colour = (colour @ LUMA)[..., None] * light.tone
    return np.asarray(light.black + colour * (1 - light.black), dtype=np.float32)


def lit_texture(
    canvas: Canvas, worn: Sheet, pose: Pose, light: Light, gloss: float = 0.0, gain: FloatArray | None = None
) -> FloatArray:
    """The look under the light: (h, w, 4) float32, linear RGB times opacity, and opacity.

    Args:
        canvas: the drawn look.
        worn: the sheet it is laid on.
        pose: of the head.
        light: on the face.
        gloss: strength of the sheet's sheen, 0 to 1.
        gain: (R, C) of the light's pattern at the sheet's points, if it has one.
    """
    brightness, sheen = _brightness(canvas, worn, pose, light, (gloss + SHEEN) * light.contact)
    if gain is not None:
        brightness *= cv2.resize(gain, brightness.shape[::-1])
    scale = (1 - light.black) * light.exposure
    alpha = np.asarray(canvas.alpha, dtype=np.float32)
    factors = light.tint * np.float32(scale)
    if light.tone is None:
        planes: Sequence[FloatArray] = tuple(canvas.planes)
        shine = factors
    else:
        gray = cv2.transform(cv2.merge(tuple(canvas.planes)), (LUMA * factors)[None])
        planes, factors = (gray, gray, gray), light.tone
        shine = light.tone * np.float32(scale)
    drawn = []
    for plane, factor, white in zip(planes, factors, shine, strict=True):
        colour = cv2.multiply(plane, brightness, scale=float(factor))
        if sheen is not None:
            colour = cv2.scaleAdd(sheen, float(white), colour)
        colour += np.float32(light.black)
        colour *= alpha
        drawn.append(colour)
    return np.asarray(cv2.merge([*drawn, alpha]))


def _brightness(
    canvas: Canvas, worn: Sheet, pose: Pose, light: Light, gloss: float
) -> tuple[FloatArray, FloatArray | None]:
    """(h, w) float32 light that each texel gets, 1 on average, and its sheen, if any."""
    height, width = canvas.alpha.shape
    texel = worn.width / width
    slope_x = cv2.Sobel(canvas.height, cv2.CV_32F, 1, 0, scale=RELIEF / (8 * texel))
    slope_y = cv2.Sobel(canvas.height, cv2.CV_32F, 0, 1, scale=RELIEF / (8 * texel))
    # Fine relief is raised, coarse folds are as steep as they are: more would turn cloth into metal. A slope s becomes
    # s / sqrt(1 + s^2 / STEEPEST^2); times that root, the normal's length is that of (s, root).
    squared = slope_x * slope_x + slope_y * slope_y
    upright = cv2.multiply(squared, 1 / STEEPEST**2)
    upright += np.float32(1)
    shortened = np.float32(1) / cv2.sqrt(upright + squared)
    upright = cv2.sqrt(upright)
    frame, grid = [pose.turned(each).reshape(-1, 3) for each in _frame(worn)], worn.points.shape[:2]

    def towards(direction: FloatArray) -> FloatArray:
        # Only the sheet's own frame varies slowly; it is taken from the grid, the relief from the texels.
        coarse = [(each @ direction).astype(np.float32).reshape(grid) for each in frame]
        plain, across, down = (cv2.resize(each, (width, height)) for each in coarse)
        # In place: (plain upright - across slope_x - down slope_y) shortened.
        plain *= upright
        across *= slope_x
        down *= slope_y
        across += down
        plain -= across
        plain *= shortened
        return np.asarray(plain)

    brightness = cv2.max(towards(light.direction) + np.float32(light.ambient), 0.2)
    if light.contact > 0:
        hollow = cv2.subtract(_smooth(canvas.height, HOLLOW / texel), canvas.height)
        hollow *= np.float32(-28.0 * light.contact)
        hollow += np.float32(1)
        brightness *= hollow.clip(0.5, 1.08, out=hollow)
    sheen = None
    if gloss > 0:
        half = _unit(light.direction) + np.array([0.0, 0.0, 1.0])
        mirrored = cv2.max(towards(_unit(half)), 0.0)
        sheen = cv2.multiply(cv2.pow(mirrored, SHININESS), brightness, scale=gloss)
    return brightness, sheen


def _unit(direction: FloatArray) -> FloatArray:
    return np.asarray(direction / max(math.sqrt(direction @ direction), 1e-6))


def _frame(worn: Sheet) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The sheet's normals and its unit tangents to the right and down, (R, C, 3) each, head coordinates."""
    normal, right = worn.normals, rightwards(worn.points)
    right -= (right * normal).sum(-1, keepdims=True) * normal
    right /= np.maximum(np.sqrt((right * right).sum(-1, keepdims=True)), 1e-9)
    return normal, right, cross(normal, right)


def _smooth(height: FloatArray, sigma: float) -> FloatArray:
    """A Gaussian blur, done on a smaller picture where it is wide."""
    if sigma < 4:
        return np.asarray(cv2.GaussianBlur(height, (0, 0), max(sigma, 0.5)))
    shrink = sigma / 2.5
    size = max(round(height.shape[1] / shrink), 4), max(round(height.shape[0] / shrink), 4)
    small = cv2.GaussianBlur(cv2.resize(height, size, interpolation=cv2.INTER_AREA), (0, 0), 2.3)
    return np.asarray(cv2.resize(small, (height.shape[1], height.shape[0]), interpolation=cv2.INTER_LINEAR))
