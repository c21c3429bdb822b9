"""Laying a drawn mask over a photo: shadow, softness, grain and the file format's marks, as the photo has them."""

from __future__ import annotations

from collections.abc import Iterator
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

STRIP = 60000
"""Pixels that are laid over at a time, so that what is reckoned of large masks stays in a core's cache."""

CELL = 16
"""Side of a JPEG's blocks where chroma is halved, in pixels."""


@dataclass(frozen=True, eq=False)
class Layers:
    """What is laid over a region of a photo, premultiplied: linear RGB times opacity, and opacity.

    `blend` uses the sheet's memory up.

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
    both, alpha = _soften(_over(layers, sheet, cord), light.blur), _soften(sheet, light.blur)
    noise = None
    if light.grain > 0:
        noise = grain(alpha.shape, coloured=light.tone is None, soft=light.blur > 0.8, rng=rng)
    # A copy in any case: rows of the photo's whole width are contiguous as they are, and would be drawn on.
    drawn = rgb[region.slices].copy()
    changed = np.empty(alpha.shape, dtype=np.uint8)
    for part in _strips(alpha.shape):
        seen = noise[part] if noise is not None else None
        changed[part] = _lay(drawn[part], both[part], alpha[part], shadow[part], seen, light)
    result = rgb.copy()
    result[region.slices] = drawn
    if light.jpeg_quality is not None:
        _save_again(result, region, changed, light.jpeg_quality, light.zoom)
    return result, alpha, np.asarray(changed != 0)


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of a region, so many at a time that what is reckoned of them stays in a core's cache."""
    rows = max(STRIP // max(shape[1], 1), 1)
    return (slice(first, min(first + rows, shape[0])) for first in range(0, shape[0], rows))


def _over(layers: Layers, sheet: FloatArray, cord: FloatArray) -> FloatArray:
    """The sheet over the cords, premultiplied, drawn on the sheet's own layer; their opacities are (h, w)."""
    both = layers.sheet
    for part in _strips(cord.shape):
        if cord[part].any():
            clear = cv2.subtract(1.0, sheet[part])
            cv2.add(both[part], cv2.multiply(layers.cord[part], cv2.merge([clear] * 4)), dst=both[part])
    return both


def _lay(
    photo: RgbImage, both: FloatArray, alpha: FloatArray, shadow: FloatArray, noise: FloatArray | None, light: Light
) -> RgbImage:
    """Lays mask and cords over a strip of a photo.

    Args:
        photo: (h, w, 3) uint8, RGB; changed in place.
        both: (h, w, 4) premultiplied.
        alpha: (h, w) of the sheet alone.
        shadow: (h, w) of `contact_shadow`.
        noise: (h, w, 3) of unit strength; None for none.
        light: on the face.

    Returns:
        (h, w) uint8, 255 where the photo may have changed.
    """
    opacity = cv2.extractChannel(both, 3)
    # The mask's own shadow falls on the skin, not on itself.
    lit = cv2.subtract(1.0, cv2.multiply(shadow, cv2.subtract(1.0, alpha)))
    kept = cv2.multiply(cv2.subtract(1.0, opacity), lit, dst=lit)
    linear = to_linear(photo)
    cv2.multiply(linear, _thrice(kept), dst=linear)
    cv2.add(linear, cv2.cvtColor(both, cv2.COLOR_RGBA2RGB), dst=linear)
    srgb = to_srgb(linear)
    if noise is not None:
        cv2.add(srgb, cv2.multiply(noise, _thrice(opacity), scale=light.grain), dst=srgb)
    changed = cv2.compare(cv2.max(opacity, shadow), LEAST, cv2.CMP_GT)
    # Rounds, and stays within 0..255.
    cv2.copyTo(cv2.add(srgb, 0.0, dtype=cv2.CV_8U), changed, dst=photo)
    return np.asarray(changed)


def _thrice(plane: FloatArray) -> FloatArray:
    return np.asarray(cv2.merge([plane, plane, plane]))


def _soften(layer: FloatArray, sigma: float) -> FloatArray:
    if sigma <= 0:
        return layer
    # 2.2 sigma hold 97 % of a Gaussian; OpenCV's own choice for floats is 4, and its own function takes twice as long.
    kernel = cv2.getGaussianKernel(2 * int(np.ceil(2.2 * sigma)) + 1, sigma, cv2.CV_32F)
    return np.asarray(cv2.sepFilter2D(layer, -1, kernel, kernel))


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
    # To whole cells: means of parts of pixels would cost five times as much.
    whole = cv2.copyMakeBorder(alpha, 0, -height % shrink, 0, -width % shrink, cv2.BORDER_REPLICATE)
    size = whole.shape[1] // shrink, whole.shape[0] // shrink
    small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
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
    shadow = cv2.resize(cv2.min(both, DARKEST), whole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(shadow[:height, :width])


def _save_again(picture: RgbImage, region: Region, changed: RgbImage, quality: int, zoom: float) -> None:
    """Gives the changed pixels the marks of the file format that the rest of the photo has; in place."""
    # On the photo's own blocks, for the marks lie on their borders.
    left, top, width, height = cv2.boundingRect(changed)
    if not width:
        return
    there = Region(region.x0 + left, region.y0 + top, region.x0 + left + width, region.y0 + top + height)
    y0, x0 = there.y0 // CELL * CELL, there.x0 // CELL * CELL
    part = np.ascontiguousarray(picture[y0 : there.y1 + CELL, x0 : there.x1 + CELL])
    saved = as_jpeg(part, quality) if zoom == 1.0 else as_enlarged_jpeg(part, quality, zoom)
    y, x = there.y0 - y0, there.x0 - x0
    here = np.ascontiguousarray(picture[there.slices])
    again = np.ascontiguousarray(saved[y : y + height, x : x + width])
    picture[there.slices] = cv2.copyTo(again, changed[top : top + height, left : left + width], dst=here)
