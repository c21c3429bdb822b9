"""Laying a drawn mask over a photo: shadow, softness, grain and the file format's marks, as the photo has them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import BoolArray, FloatArray, RgbImage
from synth.light import Light, to_linear, to_srgb
from synth.quality import as_enlarged_jpeg, as_jpeg, grain
from synth.warp import Region

SHADOW_WIDTH = 0.05
"""Reach of the shadow a mask casts on the skin beside it, in head units (4 mm)."""

CONTACT_WIDTH = 0.018
"""Reach of the darkness in the crevice between mask and skin, in head units."""

CAST, CREVICE, DARKEST = 0.42, 0.34, 0.55
"""How much light they take at most, each and together."""

LEAST = 0.004
"""Opacity below which nothing changes in eight bits."""

CELL = 16
"""Side of a JPEG's blocks where chroma is halved, in pixels."""


@dataclass(frozen=True, eq=False)
class Layers:
    """What is laid over a region of a photo, premultiplied: linear RGB times opacity, and opacity.

    Attributes:
        sheet: (h, w, 4) float32, the mask.
        cord: (h, w, 4) float32, its loops, which lie under the sheet.
    """

    sheet: FloatArray
    cord: FloatArray


def blend(
    rgb: RgbImage, region: Region, layers: Layers, light: Light, unit: float, rng: np.random.Generator
) -> tuple[RgbImage, FloatArray, BoolArray]:
    """Lays a mask over a photo.

    Args:
        rgb: (H, W, 3) uint8, RGB; not changed.
        region: where the layers lie.
        layers: the mask.
        light: on the face.
        unit: pixels of a head unit.
        rng: for the grain.

    Returns:
        The picture, (H, W, 3) uint8; the sheet's opacity and what may have changed, (h, w) of the region.
    """
    sheet, cord = cv2.extractChannel(layers.sheet, 3), cv2.extractChannel(layers.cord, 3)
    shadow = contact_shadow(cv2.max(sheet, cv2.multiply(cord, 0.6)), light, unit)
    # Premultiplied colours are blurred by the photo's own blur, so that the mask is as soft as the face beside it.
    both = _soften(_over(layers), light.blur)
    alpha, opacity = _soften(sheet, light.blur), cv2.extractChannel(both, 3)
    before = np.ascontiguousarray(rgb[region.slices])
    # The mask's own shadow falls on the skin, not on itself.
    lit = cv2.subtract(1.0, cv2.multiply(shadow, cv2.subtract(1.0, alpha)))
    kept = cv2.multiply(cv2.subtract(1.0, opacity), lit, dst=lit)
    linear = to_linear(before)
    cv2.multiply(linear, _thrice(kept), dst=linear)
    cv2.add(linear, cv2.cvtColor(both, cv2.COLOR_RGBA2RGB), dst=linear)
    drawn = _with_grain(to_srgb(linear), opacity, light, rng)
    changed = cv2.compare(cv2.max(opacity, shadow), LEAST, cv2.CMP_GT)
    result = rgb.copy()
    result[region.slices] = cv2.copyTo(drawn, changed, dst=before)
    if light.jpeg_quality is not None:
        _save_again(result, region, changed, light.jpeg_quality, light.zoom)
    return result, alpha, np.asarray(changed != 0)


def _over(layers: Layers) -> FloatArray:
    if not layers.cord.any():
        return layers.sheet
    clear = cv2.subtract(1.0, cv2.extractChannel(layers.sheet, 3))
    return np.asarray(cv2.add(layers.sheet, cv2.multiply(layers.cord, cv2.merge([clear] * 4))))


def _thrice(plane: FloatArray) -> FloatArray:
    return np.asarray(cv2.merge([plane, plane, plane]))


def _soften(layer: FloatArray, sigma: float) -> FloatArray:
    if sigma <= 0:
        return layer
    # 2.6 sigma hold 99 % of a Gaussian; OpenCV's own choice for floats is 4.
    side = 2 * int(np.ceil(2.6 * sigma)) + 1
    return np.asarray(cv2.GaussianBlur(layer, (side, side), sigma))


def _with_grain(srgb: FloatArray, alpha: FloatArray, light: Light, rng: np.random.Generator) -> RgbImage:
    if light.grain > 0:
        noise = grain(alpha.shape, coloured=light.tone is None, soft=light.blur > 0.8, rng=rng)
        cv2.add(srgb, cv2.multiply(noise, _thrice(alpha), scale=light.grain), dst=srgb)
    # Rounds, and stays within 0..255.
    return np.asarray(cv2.add(srgb, 0.0, dtype=cv2.CV_8U))


def contact_shadow(alpha: FloatArray, light: Light, unit: float) -> FloatArray:
    """How much light a mask takes from the skin beside it, (h, w) float32 in 0..DARKEST.

    Narrow and dark in the crevice all round, wider and paler on the side away from the light; beneath more than above,
    for light comes from above in most places.

    Args:
        alpha: (h, w) float32 opacity.
        light: on the face.
        unit: pixels of a head unit.
    """
    if light.contact <= 0:
        return np.zeros_like(alpha)
    reach = SHADOW_WIDTH * unit
    # Wide blurs are made on a smaller picture: they leave nothing that would need more.
    shrink = int(np.clip(reach / 2, 1, 8))
    height, width = alpha.shape
    small = cv2.resize(alpha, (-(-width // shrink), -(-height // shrink)), interpolation=cv2.INTER_AREA)
    shift = np.array([-light.direction[0], 0.35 - light.direction[1]]) * 0.9 * reach / shrink
    moved = cv2.warpAffine(
        small,
        np.array([[1, 0, shift[0]], [0, 1, shift[1]]], dtype=np.float64),
        (small.shape[1], small.shape[0]),
        borderMode=cv2.BORDER_REPLICATE,
    )
    cast = cv2.GaussianBlur(moved, (0, 0), max(reach / shrink, 0.5))
    near = cv2.GaussianBlur(small, (0, 0), max(CONTACT_WIDTH * unit / shrink, 0.5))
    both = cv2.addWeighted(cast, CAST * light.contact, near, CREVICE * light.contact, 0.0)
    return np.asarray(np.minimum(cv2.resize(both, (width, height), interpolation=cv2.INTER_LINEAR), DARKEST))


def _save_again(picture: RgbImage, region: Region, changed: RgbImage, quality: int, zoom: float) -> None:
    """Gives the changed pixels the marks of the file format that the rest of the photo has; in place."""
    # On the photo's own blocks, for the marks lie on their borders.
    y0, x0 = region.y0 // CELL * CELL, region.x0 // CELL * CELL
    part = np.ascontiguousarray(picture[y0 : region.y1 + CELL, x0 : region.x1 + CELL])
    saved = as_jpeg(part, quality) if zoom == 1.0 else as_enlarged_jpeg(part, quality, zoom)
    y, x = region.y0 - y0, region.x0 - x0
    here = np.ascontiguousarray(picture[region.slices])
    again = np.ascontiguousarray(saved[y : y + region.height, x : x + region.width])
    picture[region.slices] = cv2.copyTo(again, changed, dst=here)
