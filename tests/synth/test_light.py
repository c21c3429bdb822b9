"""Light read off a painted face, and a mask's colours under it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth import MaskEngine
from synth.arrays import RgbImage
from synth.framing import Size
from synth.light import LUMA, Light, to_linear, to_srgb
from synth.lit import lit_colour
from synth.quality import as_jpeg
from tests.synth.builders import paint

ENGINE = MaskEngine()
FACE = paint()


def light_of(rgb: RgbImage) -> Light:
    return ENGINE.prepare(rgb, landmarks=FACE.landmarks).light


def scaled(factor: float) -> RgbImage:
    return np.asarray(np.clip(np.round(FACE.rgb * factor), 0, 255), np.uint8)


def test_linear_light_and_back_is_the_same_picture() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(np.round(to_srgb(to_linear(levels))), levels)
    assert to_linear(np.uint8(0)) == 0
    assert to_linear(np.uint8(255)) == 1


def test_a_face_lit_from_one_side_says_so() -> None:
    columns = np.linspace(1.0, 0.35, 300)[None, :, None]
    from_left = light_of(np.asarray(FACE.rgb * columns, np.uint8))
    from_right = light_of(np.asarray(FACE.rgb * columns[:, ::-1], np.uint8))
    assert from_left.direction[0] < -0.05 < 0.05 < from_right.direction[0]
    facing_left = np.array([-0.7, 0.0, 0.7])
    assert from_left.shade(facing_left) > from_left.shade(facing_left * [-1, 1, 1])


def test_a_darker_photo_has_less_exposure() -> None:
    assert light_of(scaled(0.3)).exposure < light_of(scaled(0.6)).exposure < light_of(FACE.rgb).exposure


def test_a_warm_photo_has_a_warm_tint() -> None:
    warm = np.asarray(FACE.rgb * np.array([1.0, 0.85, 0.6]), np.uint8)
    tint = light_of(warm).tint
    assert tint[0] > tint[2]
    assert tint.mean() == pytest.approx(1, abs=0.05)


def test_a_blurred_photo_is_told_from_a_sharp_one() -> None:
    rng = np.random.default_rng(0)
    detailed = np.clip(FACE.rgb + 40 * rng.integers(-1, 2, (85, 75, 1)).repeat(4, 0).repeat(4, 1), 0, 255)
    sharp = np.asarray(detailed, np.uint8)
    soft = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.5), np.uint8)
    assert light_of(soft).blur > 1.5 * light_of(sharp).blur


@pytest.mark.parametrize("sigma", [4.0, 8.0])
def test_grain_is_about_the_noise_in_the_photo(sigma: float) -> None:
    noise = np.random.default_rng(1).normal(0, sigma, FACE.rgb.shape[:2])[..., None]
    grain = light_of(np.asarray(np.clip(FACE.rgb + noise, 0, 255), np.uint8)).grain
    assert grain == pytest.approx(sigma, rel=0.4)


def test_only_a_photo_of_one_colour_has_a_tone() -> None:
    gray = np.asarray(cv2.cvtColor(cv2.cvtColor(FACE.rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    sepia = np.asarray(gray * np.array([1.0, 0.86, 0.7]), np.uint8)
    assert light_of(FACE.rgb).tone is None
    tone = light_of(gray).tone
    assert tone is not None
    np.testing.assert_allclose(tone, 1, atol=0.02)
    brown = light_of(sepia).tone
    assert brown is not None
    assert brown[0] > brown[1] > brown[2]


def test_under_one_tone_every_mask_has_that_colour() -> None:
    gray = replace(light_of(FACE.rgb), tone=np.ones(3, np.float32), black=0.0)
    colour = lit_colour(np.array([[0.1, 0.3, 0.9]]), np.ones(1), gray)
    assert np.ptp(colour) < 1e-6


@settings(max_examples=40, deadline=None, derandomize=True)
@given(albedo=st.tuples(*[st.floats(0.005, 0.98)] * 3), low=st.floats(0.2, 1.0), more=st.floats(1.0, 2.0))
def test_brighter_light_never_darkens_and_colours_stay_in_range(
    albedo: tuple[float, float, float], low: float, more: float
) -> None:
    light = light_of_face()
    dim, bright = (lit_colour(np.array([albedo]), np.array([b]), light) for b in (low, low * more))
    assert (bright >= dim - 1e-6).all()
    assert (dim >= 0).all()
    assert np.isfinite(to_srgb(bright)).all()


_LIGHT: list[Light] = []


def light_of_face() -> Light:
    if not _LIGHT:
        _LIGHT.append(light_of(FACE.rgb))
    return _LIGHT[0]


@pytest.mark.parametrize("level", [0, 255])
def test_flat_pictures_give_finite_light(level: int) -> None:
    light = light_of(np.full_like(FACE.rgb, level))
    values = [light.ambient, *light.direction, light.exposure, *light.tint, light.black, light.blur, light.grain]
    assert np.isfinite(values).all()
    assert LUMA.sum() == pytest.approx(1)


def test_a_shadow_across_half_the_face_is_in_the_pattern_and_the_direction() -> None:
    shadow = 1 / (1 + np.exp((np.arange(300) - 150) / 4.0))
    half = np.asarray(FACE.rgb * (0.45 + 0.55 * shadow)[None, :, None], np.uint8)
    light = light_of(half)
    assert light.direction[0] < -0.05
    assert light.pattern is not None
    across = light.pattern(np.array([[125.0, 170.0], [175.0, 170.0]]))
    even = light_of(FACE.rgb).pattern
    assert even is not None
    usual = even(np.array([[125.0, 170.0], [175.0, 170.0]]))
    assert across[0] / across[1] > 1.1 * usual[0] / usual[1]


def test_a_pattern_has_an_answer_everywhere_and_stays_near_one() -> None:
    pattern = light_of(FACE.rgb).pattern
    assert pattern is not None
    far = pattern(np.array([[-500.0, 20.0], [900.0, 900.0], [150.0, 150.0]]))
    assert np.isfinite(far).all()
    assert (far > 0.2).all()
    assert (far < 1.7).all()


def test_where_skin_is_burnt_out_white_is_brighter_than_white() -> None:
    assert light_of(scaled(2.5)).exposure > 1.1
    assert light_of(FACE.rgb).exposure < 1.0


def test_white_beside_dark_skin_is_hardly_darker_than_beside_light_skin() -> None:
    skin = (np.abs(FACE.rgb.astype(int) - [205, 160, 135]) < 60).all(-1)
    fair = FACE.rgb.copy()
    fair[:60] = 235
    dark = np.asarray(np.where(skin[..., None], fair * 0.6, fair), np.uint8)
    bright, dim = light_of(fair).exposure, light_of(dark).exposure
    assert 0.6 * bright < dim < bright


def test_a_yellow_thing_does_not_colour_the_light() -> None:
    shirt = FACE.rgb.copy()
    shirt[-60:] = (250, 230, 20)
    before, after = light_of(FACE.rgb).tint, light_of(shirt).tint
    np.testing.assert_allclose(before, after, atol=0.04)


def test_the_quality_is_the_opened_photos() -> None:
    saved = as_jpeg(FACE.rgb, 50)
    ready = ENGINE.prepare(saved, landmarks=FACE.landmarks)
    again = ENGINE.prepare(saved, landmarks=FACE.landmarks, size=Size(240, 320))
    assert ready.light.jpeg_quality == again.light.jpeg_quality == 50
    assert ready.light.zoom == 1
    assert again.light.zoom == again.zoom
    assert light_of(FACE.rgb).jpeg_quality is None


def test_flat_light_says_nothing() -> None:
    flat = Light.flat()
    normals = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_array_equal(flat.shade(normals), 1)
    albedo = np.array([[0.2, 0.5, 0.9]])
    np.testing.assert_allclose(lit_colour(albedo, np.ones(1), flat), albedo, rtol=1e-6)


def test_another_exposure_is_the_same_light_otherwise() -> None:
    light = light_of(FACE.rgb)
    told, made = replace(light, exposure=light.exposure * 1.25), light.exposed(1.25)
    assert vars(made) == vars(told)
    assert made.exposure != light.exposure
