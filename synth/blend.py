"""Laying a drawn mask over a photo: shadow, softness, grain and the file format's marks, as the photo has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from synth.arrays import BoolArray, FloatArray, RgbImage
from synth.light import Light, to_levels, to_linear, to_srgb
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
class Layer:
    """A piece that is laid over a photo.

    Attributes:
        rgba: (h, w, 4) float32, premultiplied: linear RGB times opacity, and opacity. Clear within the photo's blur
            (`softened_reach`) of its borders, but where those are the borders of the region it is laid in.
        region: the photo's pixels that it lies on.
    """

    rgba: FloatArray
    region: Region


def softened_reach(light: Light) -> int:
    """How far a layer's edges are softened, in pixels: 2.2 sigma hold 97 % of a Gaussian."""
    return int(np.ceil(2.2 * light.blur)) if light.blur > 0 else 0


def blend(
    rgb: RgbImage,
    region: Region,
    sheet: Layer,
    cords: Sequence[Layer],
    light: Light,
    unit: float,
    rng: np.random.Generator,
) -> tuple[RgbImage, FloatArray, BoolArray]:
    """Lays a mask over a photo.

    Args:
        rgb: (H, W, 3) uint8, RGB; not changed.
        region: all that may change; the layers lie within.
        sheet: the mask.
        cords: its loops, which lie under the sheet and beside each other.
        light: on the face.
        unit: pixels of a head unit.
        rng: for the grain.

    Returns:
        The picture, (H, W, 3) uint8; the sheet's opacity and what may have changed, (h, w) of the region.
    """
    hard = np.zeros((region.height, region.width), dtype=np.float32)
    hard[sheet.region.within(region)] = cv2.extractChannel(sheet.rgba, 3)
    beneath = []
    for cord in cords:
        there = cord.region.within(region)
        cast = cv2.extractChannel(cord.rgba, 3)
        cast *= np.float32(0.6)
        clear = np.float32(1) - hard[there]
        beneath.append(Layer(cv2.multiply(cord.rgba, cv2.merge([clear] * 4)), cord.region))
        # They cast their shadow too; none lies where another one does.
        hard[there] = cv2.max(hard[there], cast)
    shadow = contact_shadow(hard, light, unit)
    # Premultiplied colours are blurred by the photo's own blur, so that the mask is as soft as the face beside it.
    layers = [Layer(_soften(each.rgba, light), each.region) for each in (sheet, *beneath)]
    alpha = np.zeros(hard.shape, dtype=np.float32)
    alpha[sheet.region.within(region)] = cv2.extractChannel(layers[0].rgba, 3)
    opacity = alpha.copy() if cords else alpha
    for cord in layers[1:]:
        there = cord.region.within(region)
        opacity[there] += cv2.extractChannel(cord.rgba, 3)
    noise = None
    if light.grain > 0:
        noise = grain(alpha.shape, coloured=light.tone is None, soft=light.blur > 0.8, rng=rng)
    touched = cv2.max(opacity, shadow) > np.float32(LEAST)
    changed = touched.view(np.uint8)
    result, within = rgb.copy(), _box(changed, region)
    for strip in _strips(within):
        here = strip.within(region)
        parts = [part for part in (_cut(each, strip) for each in layers) if part is not None]
        planes = Planes(opacity[here], alpha[here], shadow[here], noise[here] if noise is not None else None)
        _lay(result[strip.slices], changed[here], parts, planes, light.grain)
    if light.jpeg_quality is not None and within.width:
        _save_again(result, within, changed[within.within(region)], light.jpeg_quality, light.zoom)
    return result, alpha, touched


def _box(changed: RgbImage, region: Region) -> Region:
    """Around all that is changed, (h, w) uint8, not 0, in a region."""
    left, top, width, height = cv2.boundingRect(changed)
    x0, y0 = region.x0 + left, region.y0 + top
    return Region(x0, y0, x0 + width, y0 + height)


def _strips(region: Region) -> Iterator[Region]:
    """A region's rows, so many at a time that what is reckoned of them stays in a core's cache."""
    rows = max(STRIP // max(region.width, 1), 1)
    for first in range(region.y0, region.y1, rows):
        yield Region(region.x0, first, region.x1, min(first + rows, region.y1))


def _cut(layer: Layer, strip: Region) -> tuple[FloatArray, tuple[slice, slice]] | None:
    """What of a layer lies in a strip of the region, and where there; None where nothing does."""
    both = layer.region.cut(strip)
    if both.width <= 0 or both.height <= 0:
        return None
    return layer.rgba[both.within(layer.region)], both.within(strip)


class Planes(NamedTuple):
    """What is known of each pixel of a strip.

    Attributes:
        opacity: (h, w) float32 of all that is laid over it.
        alpha: (h, w) float32 of the sheet alone.
        shadow: (h, w) float32 of `contact_shadow`.
        noise: (h, w, 3) float32 of unit strength; None for none.
    """

    opacity: FloatArray
    alpha: FloatArray
    shadow: FloatArray
    noise: FloatArray | None


def _lay(
    photo: RgbImage,
    changed: RgbImage,
    parts: Sequence[tuple[FloatArray, tuple[slice, slice]]],
    planes: Planes,
    grain: float,
) -> None:
    """Lays mask and cords over a strip of a photo.

    Args:
        photo: (h, w, 3) uint8, RGB; changed in place.
        changed: (h, w) uint8, 0 where it may not change.
        parts: of mask and cords, premultiplied, and where each lies.
        planes: of the strip.
        grain: strength of the noise.
    """
    opacity, alpha, shadow, noise = planes
    # The mask's own shadow falls on the skin, not on itself.
    lit = np.float32(1) - alpha
    clear = lit.copy() if opacity is alpha else np.float32(1) - opacity
    lit *= shadow
    np.subtract(np.float32(1), lit, out=lit)
    clear *= lit
    linear = to_linear(photo)
    cv2.multiply(linear, _thrice(clear), dst=linear)
    for rgba, there in parts:
        cv2.add(linear[there], cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), dst=linear[there])
    cv2.copyTo(_seen(linear, opacity, noise, grain), changed, dst=photo)


def _seen(linear: FloatArray, opacity: FloatArray, noise: FloatArray | None, grain: float) -> RgbImage:
    """The strip as the camera gives it, (h, w, 3) uint8 sRGB; with grain where something was laid."""
    if noise is None:
        return to_levels(linear)
    srgb = to_srgb(linear)
    cv2.add(srgb, cv2.multiply(noise, _thrice(opacity), scale=grain), dst=srgb)
    # Rounds, and stays within 0..255.
    return np.asarray(cv2.add(srgb, 0.0, dtype=cv2.CV_8U))


def _thrice(plane: FloatArray) -> FloatArray:
    return np.asarray(cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB))


def _soften(layer: FloatArray, light: Light) -> FloatArray:
    reach = softened_reach(light)
    if not reach:
        return layer
    # OpenCV's own choice for floats is 4 sigma, and its own function takes twice as long.
    kernel = cv2.getGaussianKernel(2 * reach + 1, light.blur, cv2.CV_32F)
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
    shrink = int(min(max(reach / 2, 1), 8))
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
    return np.asarray(shadow[:height, :width])


def _save_again(picture: RgbImage, there: Region, changed: RgbImage, quality: int, zoom: float) -> None:
    """Gives the changed pixels of a region the marks of the file format that the rest of the photo has; in place."""
    # On the photo's own blocks, for the marks lie on their borders.
    y0, x0 = there.y0 // CELL * CELL, there.x0 // CELL * CELL
    part = picture[y0 : there.y1 + CELL, x0 : there.x1 + CELL]
    saved = as_jpeg(part, quality) if zoom == 1.0 else as_enlarged_jpeg(part, quality, zoom)
    y, x = there.y0 - y0, there.x0 - x0
    cv2.copyTo(saved[y : y + there.height, x : x + there.width], changed, dst=picture[there.slices])
