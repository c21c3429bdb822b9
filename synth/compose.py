"""Putting a mask on a face: where it lies in the photo, its texture there, its loops; `synth.blend` lays them over."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synth.arrays import BoolArray, FloatArray, RgbImage
from synth.blend import Layer, blend, softened_reach
from synth.errors import PhotoRefusedError
from synth.light import Light
from synth.lit import lit_colour, lit_texture
from synth.looks import Look, draw_look, mask_type
from synth.looks.registry import strap_colour, strap_of
from synth.loops import Cords, cords, draw_loops
from synth.surface import Outline, Sheet, length, sheet
from synth.warp import SEEN, HeadToPicture, Region, folds, texture_map, visible_cover, within_head

TEXELS_PER_PIXEL = 1.0
LARGEST_TEXTURE = 1400
MAX_FOLDED = 0.03
"""Share of the pixels of a mask that may run backwards: the hem of a hanging cloth turns under, and nobody sees it."""

SPARE = 0.05
"""How far past its standoff a mask may reach beyond the far cheek, in head units: landmarks err by as much."""

SURER = (0.15, 0.25)
"""Where the map folds for points near the outline of the head, these facing cosines leave them out one after another:
crowded together they leave a spline no smooth way."""

LEAST_SEEN = 0.1
"""Share of a mask's points that must face the camera: too few say nothing of where the others' texture belongs."""

UNSURE = 0.12
"""Standard deviation of the light's exposure as read off a face, in its logarithm: what really worn white masks differ
in brightness beyond what skin and scene explain, less what their own whites differ."""


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
        rng: for what the light leaves open, and the grain.

    Raises:
        PhotoRefusedError: `folded` or `off_photo`.
    """
    worn = sheet(outline)
    held = cords(worn, strap_of(look).attach, outline.hangs)
    placed, tied = _place(worn, held, to_picture)
    seen = to_picture.facing(worn.points, worn.normals)
    # Four times: where the outline cuts, points a little inside it still tell of the texture.
    seen = np.minimum(seen, 4 * within_head(placed, to_picture, 1.3 * outline.standoff + SPARE))
    share = np.count_nonzero(seen > SEEN) / seen.size
    if share < LEAST_SEEN:
        raise PhotoRefusedError("folded", f"{share:.0%} of the mask is turned to the camera")
    unit = to_picture.pose.pixels_per_unit
    region = _region(placed, tied, unit, rgb.shape)
    if light.contact > 0:
        light = light.exposed(float(np.exp(rng.normal(0, UNSURE))))
    canvas = draw_look(look, _texels(placed), worn.aspect, crumple, halved=outline.hangs != 0)
    gain = light.pattern(placed) if light.pattern is not None else None
    texture = lit_texture(canvas, worn, to_picture.pose, light, mask_type(look.mask_type).gloss, gain)
    reach = softened_reach(light)
    layer = _laid(texture, placed, seen, region, reach)
    drawn = draw_loops(held, to_picture, region, strap_of(look), tied, reach)
    picture, alpha, touched = blend(rgb, region, layer, _coloured(drawn, look, light), light, unit, rng)
    return Composition(picture, alpha, region, touched)


def _place(
    worn: Sheet, held: tuple[FloatArray, FloatArray], to_picture: HeadToPicture
) -> tuple[FloatArray, FloatArray]:
    """Pixels of the sheet's points, (R, C, 2), and of the cords', (K, N, 2), in one call: that is what it costs."""
    lines = held[1]
    flat = to_picture(np.concatenate([worn.points.reshape(-1, 3), lines.reshape(-1, 3)]))
    count = worn.points.shape[0] * worn.points.shape[1]
    return flat[:count].reshape(*worn.points.shape[:2], 2), flat[count:].reshape(*lines.shape[:2], 2)


def _region(placed: FloatArray, tied: FloatArray, unit: float, shape: tuple[int, ...]) -> Region:
    points = np.concatenate([placed.reshape(-1, 2), tied.reshape(-1, 2)])
    if not np.isfinite(points).all():
        raise PhotoRefusedError("folded", "the mask's place can't be computed")
    region = Region.around(points, 0.12 * unit + 4, shape)
    if region.width < 8 or region.height < 8:
        raise PhotoRefusedError("off_photo", "none of the mask lies inside the photo")
    return region


def _texels(placed: FloatArray) -> int:
    """How wide a texture has to be for a sheet whose points, (R, C, 2), lie at these pixels."""
    return int(min(max(length(placed[len(placed) // 2]) * TEXELS_PER_PIXEL, 48), LARGEST_TEXTURE))


def _laid(texture: FloatArray, placed: FloatArray, seen: FloatArray, region: Region, reach: int) -> Layer:
    """The sheet where it lies in the photo, with `reach` clear pixels around it.

    Raises:
        PhotoRefusedError: `folded`.
    """
    tight = Region.around(placed, 2, (region.y1, region.x1)).cut(region)
    if tight.width < 2 or tight.height < 2:
        return Layer(np.zeros((region.height, region.width, 4), dtype=np.float32), region)
    covers = cv2.merge([visible_cover(placed, seen, tight)] * 4)
    wide = Region(tight.x0 - reach, tight.y0 - reach, tight.x1 + reach, tight.y1 + reach).cut(region)
    layer = np.zeros((wide.height, wide.width, 4), dtype=np.float32)
    sampled = layer[tight.within(wide)]
    # One ring of the border's colour without opacity, so that the edge fades instead of ending.
    framed = cv2.copyMakeBorder(texture, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    for least in (SEEN, *SURER):
        # In texels of the framed texture, whose first pixel's centre is at 0.
        mapping = texture_map(placed, seen, tight, least, texture.shape[1::-1], 0.5)
        # Where that leads out of the frame stays what it is, clear: to say so is dearer to OpenCV.
        cv2.remap(framed, mapping, None, cv2.INTER_LINEAR, dst=sampled, borderMode=cv2.BORDER_TRANSPARENT)
        cv2.multiply(sampled, covers, dst=sampled)
        folded = folds(mapping, sampled[..., 3])
        if folded <= MAX_FOLDED:
            break
        sampled[...] = 0
    else:
        raise PhotoRefusedError("folded", f"{folded:.1%} of the mask's pixels run backwards")
    return Layer(layer, wide)


def _coloured(drawn: list[Cords], look: Look, light: Light) -> list[Layer]:
    """The cords in their colour under the light."""
    if not drawn:
        return []
    strap = list(lit_colour(strap_colour(look), np.asarray(0.9, dtype=np.float32), light))
    layers = []
    for each in drawn:
        bright = each.brightness * each.alpha
        rgba = cv2.merge([*(bright * part for part in strap), each.alpha])
        layers.append(Layer(np.asarray(rgba), each.region))
    return layers
