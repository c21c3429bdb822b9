"""Laying a mask over a photo: what changes, and how."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synth.arrays import FloatArray, RgbImage
from synth.blend import DARKEST, Layer, blend, contact_shadow
from synth.light import Light
from synth.quality import as_jpeg
from synth.warp import Region

REGION = Region(20, 30, 100, 120)
SHADY = replace(Light.flat(), contact=1.0)


def photo() -> RgbImage:
    return np.asarray(np.random.default_rng(0).integers(60, 200, (150, 140, 3)), np.uint8)


def square() -> FloatArray:
    """(90, 80, 4): a gray square, opaque, in the region's middle."""
    layer = np.zeros((90, 80, 4), np.float32)
    layer[30:60, 25:55] = (0.2, 0.2, 0.2, 1.0)
    return layer


def laid(light: Light, sheet: FloatArray | None = None) -> tuple[RgbImage, FloatArray, FloatArray]:
    layer = Layer(square() if sheet is None else sheet, REGION)
    return blend(photo(), REGION, layer, [], light, 60.0, np.random.default_rng(1))


@pytest.mark.parametrize(
    "light",
    [
        Light.flat(),
        SHADY,
        replace(SHADY, blur=1.3, grain=4.0),
        replace(SHADY, jpeg_quality=40),
        replace(SHADY, jpeg_quality=40, zoom=2.3),
    ],
)
def test_outside_of_what_is_touched_every_pixel_is_the_photos(light: Light) -> None:
    picture, alpha, touched = laid(light)
    whole = np.zeros(picture.shape[:2], bool)
    whole[REGION.slices] = touched
    assert np.array_equal(picture[~whole], photo()[~whole])
    assert touched[alpha > 0.01].all()
    assert 0 <= alpha.min() <= alpha.max() <= 1 + 1e-5


def test_flat_light_pastes_the_colour_as_it_is() -> None:
    picture, _, touched = laid(Light.flat())
    inside = picture[REGION.slices][touched]
    assert touched.sum() == 30 * 30
    assert np.ptp(inside) == 0
    assert inside[0, 0] == 124  # 0.2 linear in sRGB


def test_nothing_laid_over_changes_nothing() -> None:
    picture, _, touched = laid(replace(SHADY, jpeg_quality=30), np.zeros((90, 80, 4), np.float32))
    assert not touched.any()
    assert np.array_equal(picture, photo())


def test_a_shadow_is_darkest_at_the_mask_and_deeper_on_the_side_away_from_the_light() -> None:
    alpha = square()[..., 3]
    lit_from_left = replace(SHADY, direction=np.array([-0.6, 0.0, 0.2]))
    shadow = contact_shadow(alpha, lit_from_left, 60.0)
    assert 0 <= shadow.min() <= shadow.max() <= DARKEST + 1e-6
    row = shadow[45]
    assert row[56] > row[58] > row[62]
    assert row[57] > row[22]
    assert contact_shadow(alpha, Light.flat(), 60.0).max() == 0


def test_a_shadow_falls_beneath_more_than_above() -> None:
    shadow = contact_shadow(square()[..., 3], SHADY, 60.0)[:, 40]
    assert shadow[61] > shadow[28]


def test_blur_softens_the_edge_and_grain_roughens_the_inside() -> None:
    _, alpha, _ = laid(replace(SHADY, blur=2.0))
    assert ((alpha > 0.1) & (alpha < 0.9)).sum() > 200
    rough = laid(replace(SHADY, grain=5.0))[0][REGION.slices][35:55, 30:50]
    assert rough.std() == pytest.approx(5.0, rel=0.3)


def test_a_jpegs_marks_lie_on_the_photos_blocks() -> None:
    light = replace(Light.flat(), grain=6.0)
    plain, _, touched = laid(light)
    saved = laid(replace(light, jpeg_quality=30))[0]
    expected = as_jpeg(plain[16:144, 16:128], 30)[14:104, 4:84]
    assert np.array_equal(saved[REGION.slices][touched], expected[touched])


SOFT = replace(SHADY, blur=1.3, grain=4.0, jpeg_quality=40)


def cord(colour: float = 0.5) -> Layer:
    """A gray cord from left to right across the square, in a piece of its own."""
    layer = np.zeros((14, 80, 4), np.float32)
    layer[4:8] = (colour, colour, colour, 1.0)
    return Layer(layer, Region(20, 68, 100, 82))


def cut(layer: FloatArray, x0: int, y0: int, x1: int, y1: int) -> Layer:
    """A part of a layer over the whole region."""
    return Layer(layer[y0:y1, x0:x1], Region(20 + x0, 30 + y0, 20 + x1, 30 + y1))


@pytest.mark.parametrize("light", [Light.flat(), SHADY, SOFT])
def test_a_layer_that_is_no_larger_than_needed_lays_the_same(light: Light) -> None:
    def blended(layer: Layer) -> RgbImage:
        return blend(photo(), REGION, layer, [cord()], light, 60.0, np.random.default_rng(1))[0]

    assert np.array_equal(blended(Layer(square(), REGION)), blended(cut(square(), 20, 25, 60, 65)))


def test_cords_lie_under_the_sheet() -> None:
    picture, alpha, touched = blend(
        photo(), REGION, Layer(square(), REGION), [cord()], Light.flat(), 60.0, np.random.default_rng(1)
    )
    seen = picture[REGION.slices]
    assert (seen[42:46, 25:55] == 124).all()  # 0.2 linear in sRGB
    assert (seen[42:46, :25] == 188).all()  # 0.5
    assert touched[42:46].all()
    assert alpha[42:46, :25].max() == 0


def test_a_large_mask_is_laid_in_strips_that_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    def blended() -> RgbImage:
        layer = cut(square(), 20, 25, 60, 65)
        return blend(photo(), REGION, layer, [cord()], SOFT, 60.0, np.random.default_rng(1))[0]

    whole = blended()
    monkeypatch.setattr("synth.blend.STRIP", 80 * 7)
    assert np.array_equal(blended(), whole)


def test_same_generator_same_bytes() -> None:
    light = replace(SHADY, grain=3.0, blur=1.0, jpeg_quality=60)
    assert np.array_equal(laid(light)[0], laid(light)[0])
