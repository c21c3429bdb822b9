"""Putting a mask on a face: texture, light, shadow, loops, edge and grain, within one region of the photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import BoolArray, FloatArray, RgbImage
from synth.errors import PhotoRefusedError
from synth.light import Light, lit_colour, lit_texture, to_linear, to_srgb
from synth.looks import Look, draw_look
from synth.looks.registry import strap_colour, strap_of
from synth.loops import cords, draw_loops
from synth.surface import Outline, Sheet, sheet
from synth.warp import HeadToPicture, Region, folds, texture_map, visible_cover

TEXELS_PER_PIXEL = 1.25
LARGEST_TEXTURE = 1400
MAX_FOLDED = 0.01

LEAST_SEEN = 0.1
"""Share of a mask's points that must face the camera: too few say nothing of where the others' texture belongs."""

SHADOW_WIDTH = 0.045
"""Reach of the contact shadow, in head units (4 mm)."""


@dataclass(frozen=True, eq=False)
class Composition:
    """A mask drawn into a photo.

    Attributes:
        rgb: (H, W, 3) uint8, RGB; equal to the photo outside `touched`.
        alpha: (h, w) float32 opacity of the mask's sheet (loops and shadow left out) in `region`.
        region: where alpha lies in the photo.
        touched: (h, w) bool in `region`: every pixel that was changed or could have been.
    """

    rgb: RgbImage
    alpha: FloatArray
    region: Region
    touched: BoolArray


def compose(
    rgb: RgbImage,
    to_picture: HeadToPicture,
    light: Light,
    look: Look,
    outline: Outline,
    crumple: float,
    rng: np.random.Generator,
) -> Composition:
    """Draws one mask into a photo.

    Args:
        rgb: (H, W, 3) uint8, RGB; not changed.
        to_picture: head coordinates to its pixels.
        light: read off the face.
        look: of the mask.
        outline: where its edges sit.
        crumple: how much it wrinkles, 0..1.
        rng: for the grain.

    Raises:
        PhotoRefusedError: `folded` or `off_photo`.
    """
    worn = sheet(outline)
    placed, seen = to_picture(worn.points), to_picture.facing(worn.points, worn.normals)
    if (seen > 0.08).mean() < LEAST_SEEN:
        raise PhotoRefusedError("folded", f"{(seen > 0.08).mean():.0%} of the mask is turned to the camera")
    region = _region(worn, placed, to_picture, rgb.shape, strap_of(look).attach)
    texture = _lit_look(look, worn, placed, crumple, to_picture, light)
    mapping = texture_map(placed, seen, region)
    layer = _look_up(texture, mapping) * visible_cover(placed, seen, region)[..., None]
    alpha = layer[..., 3]
    folded = folds(mapping, alpha)
    if folded > MAX_FOLDED:
        raise PhotoRefusedError("folded", f"{folded:.1%} of the mask's pixels run backwards")
    return _blend(rgb, region, layer, _Hanging(worn, to_picture, light, look), rng)


@dataclass(frozen=True, eq=False)
class _Hanging:
    """What the loops and the shadow need to know of the mask."""

    worn: Sheet
    to_picture: HeadToPicture
    light: Light
    look: Look

    @property
    def unit(self) -> float:
        return self.to_picture.pose.pixels_per_unit


def _region(worn: Sheet, placed: FloatArray, to_picture: HeadToPicture, shape: tuple[int, ...], attach: str) -> Region:
    lines = [to_picture(line) for _, line in cords(worn, attach)]
    points = np.concatenate([placed.reshape(-1, 2), *lines])
    if not np.isfinite(points).all():
        raise PhotoRefusedError("folded", "the mask's place can't be computed")
    region = Region.around(points, 0.12 * to_picture.pose.pixels_per_unit + 4, shape)
    if region.width < 8 or region.height < 8:
        raise PhotoRefusedError("off_photo", "none of the mask lies inside the photo")
    return region


def _lit_look(
    look: Look, worn: Sheet, placed: FloatArray, crumple: float, to_picture: HeadToPicture, light: Light
) -> FloatArray:
    """(h, w, 4) float32: linear RGB times opacity, and opacity."""
    middle = placed[len(placed) // 2]
    pixels = float(np.linalg.norm(np.diff(middle, axis=0), axis=1).sum())
    width = int(np.clip(pixels * TEXELS_PER_PIXEL, 48, LARGEST_TEXTURE))
    canvas = draw_look(look, width, worn.aspect, crumple)
    lit = lit_texture(canvas, worn, to_picture.pose, light)
    return np.dstack([lit * canvas.alpha[..., None], canvas.alpha]).astype(np.float32)


def _look_up(texture: FloatArray, mapping: FloatArray) -> FloatArray:
    """(h, w, 4) float32 of a region's pixels: linear RGB times opacity, and opacity."""
    height, width = texture.shape[:2]
    # One ring of the border's colour without opacity, so that the edge fades instead of ending.
    framed = cv2.copyMakeBorder(texture, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    at = mapping * np.array([width, height], dtype=np.float32) + np.float32(0.5)
    sampled = cv2.remap(framed, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
    return np.asarray(sampled)


def _blend(rgb: RgbImage, region: Region, layer: FloatArray, hung: _Hanging, rng: np.random.Generator) -> Composition:
    light, unit, alpha = hung.light, hung.unit, layer[..., 3]
    loops = draw_loops(hung.worn, hung.to_picture, region, strap_of(hung.look))
    strap = lit_colour(strap_colour(hung.look), np.asarray(0.9, dtype=np.float32), light)
    loop_alpha = loops.alpha * (1 - alpha)
    cord = np.dstack([strap * (loops.brightness * loop_alpha)[..., None], loop_alpha])
    both = np.maximum(alpha, 0.6 * loops.alpha)
    shadow = _contact_shadow(both, light, unit)
    # Premultiplied colours are blurred by the photo's own blur, so that the mask is as soft as the face beside it.
    soft_colour, soft_alpha = _soften(layer, light.blur)
    soft_strap, soft_loop = _soften(cord, light.blur)
    photo = to_linear(rgb[region.slices])
    under = photo * (1 - shadow * (1 - soft_alpha))[..., None]
    under = under * (1 - soft_loop)[..., None] + soft_strap
    linear = under * (1 - soft_alpha)[..., None] + soft_colour
    grain = _grain(alpha.shape, light, rng) * np.maximum(soft_alpha, soft_loop)[..., None]
    drawn = np.clip(np.round(to_srgb(linear) + grain), 0, 255).astype(np.uint8)
    touched = (soft_alpha > 0.004) | (soft_loop > 0.004) | (shadow > 0.004)
    result = rgb.copy()
    result[region.slices] = np.where(touched[..., None], drawn, rgb[region.slices])
    return Composition(result, soft_alpha, region, touched)


def _soften(layer: FloatArray, sigma: float) -> tuple[FloatArray, FloatArray]:
    """Premultiplied colour (h, w, 3) and opacity (h, w) of a blurred (h, w, 4) layer."""
    blurred = cv2.GaussianBlur(layer.astype(np.float32, copy=False), (0, 0), sigma)
    return blurred[..., :3], blurred[..., 3]


def _contact_shadow(alpha: FloatArray, light: Light, unit: float) -> FloatArray:
    """How much light the mask takes from the skin beside it, (h, w) in 0..0.5: all round, more on the far side."""
    reach = SHADOW_WIDTH * unit
    shift = np.array([-light.direction[0], 0.5 - light.direction[1]]) * 0.6 * reach
    moved = cv2.warpAffine(
        alpha.astype(np.float32),
        np.array([[1, 0, shift[0]], [0, 1, shift[1]]], dtype=np.float64),
        (alpha.shape[1], alpha.shape[0]),
    )
    cast = cv2.GaussianBlur(moved, (0, 0), max(reach, 0.5))
    return np.asarray(np.clip(0.6 * cast, 0, 0.5), dtype=np.float32)


def _grain(shape: tuple[int, ...], light: Light, rng: np.random.Generator) -> FloatArray:
    """(h, w, 3) noise in sRGB levels: like the photo's own, mostly the same in all channels."""
    common = rng.standard_normal((*shape, 1), dtype=np.float32)
    each = rng.standard_normal((*shape, 3), dtype=np.float32) * (0.35 if light.tone is None else 0.0)
    mixed = (common + each).astype(np.float32)
    if light.blur > 0.8:
        gain = 2 * np.sqrt(np.pi) * 0.6
        mixed = cv2.GaussianBlur(mixed, (0, 0), 0.6) * np.float32(gain)
        mixed = mixed if mixed.ndim == 3 else mixed[..., None]
    return np.asarray(mixed * np.float32(light.grain))
