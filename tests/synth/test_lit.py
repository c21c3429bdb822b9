"""A mask's colours under a face's light."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synth.arrays import FloatArray
from synth.light import LUMA, Light
from synth.lit import lit_texture
from synth.looks.canvas import Canvas
from synth.pose import Pose
from synth.surface import Outline, sheet
from tests.synth.builders import view

WORN = sheet(Outline(top=0.12, bottom=1.38, top_side=0.36, bottom_side=0.9, top_half=0.77, bottom_half=0.62))
SIDE = replace(Light.flat(0.5), ambient=0.8, direction=np.array([-0.4, 0.0, 0.25]))
SHADY = replace(Light.flat(0.5), contact=1.0)


def canvas(albedo: float = 0.8) -> Canvas:
    return Canvas.blank(160, WORN.aspect, np.array([albedo, albedo, 0.9 * albedo]))


def luminance(drawn: Canvas, light: Light, pose: Pose | None = None, **options: Any) -> FloatArray:
    lit = lit_texture(drawn, WORN, pose or view(), light, **options)
    assert lit.dtype == np.float32
    assert np.isfinite(lit).all()
    return np.asarray(lit[..., :3] @ LUMA)


def test_flat_light_shows_the_colour_as_it_is_whatever_the_relief() -> None:
    rough = canvas()
    rough.height += np.random.default_rng(0).uniform(0, 0.02, rough.height.shape).astype(np.float32)
    lit = lit_texture(rough, WORN, view(), Light.flat(0.5))
    np.testing.assert_allclose(lit[..., :3], 0.5 * rough.albedo, atol=1e-6)
    np.testing.assert_array_equal(lit[..., 3], rough.alpha)


def test_light_from_the_left_makes_the_left_brighter_also_on_a_rolled_head() -> None:
    lit = luminance(canvas(), SIDE)
    assert lit[:, :40].mean() > 1.2 * lit[:, -40:].mean()
    # Upside down the picture's left is the face's right.
    turned = luminance(canvas(), SIDE, view(roll=180))
    assert turned[:, -40:].mean() > 1.2 * turned[:, :40].mean()


def test_a_ridge_is_bright_towards_the_light_and_dark_behind() -> None:
    ridged = canvas()
    ridged.height += np.float32(0.03) * np.exp(-(((ridged.column - 0.5) / 0.03) ** 2)).astype(np.float32)
    change = luminance(ridged, SIDE) - luminance(canvas(), SIDE)
    assert change[40, 70:79].mean() > 0.01
    assert change[40, 81:90].mean() < -0.01


def test_a_hollow_is_darker_than_what_is_around_it() -> None:
    hollowed = canvas()
    hollowed.height -= np.float32(0.02) * (np.hypot(hollowed.column - 0.5, hollowed.row - 0.5) < 0.04)
    lit = luminance(hollowed, SHADY)
    assert lit[lit.shape[0] // 2, 80] < 0.95 * lit[lit.shape[0] // 2, 40]


def test_sheen_brightens_and_never_darkens() -> None:
    matt, glossy = luminance(canvas(0.03), SHADY), luminance(canvas(0.03), SHADY, gloss=0.5)
    assert (glossy >= matt - 1e-6).all()
    assert glossy.max() > 2 * matt.max()


def test_the_lights_pattern_goes_on_over_the_mask() -> None:
    gain = np.ones(WORN.points.shape[:2], np.float32)
    gain[:, 13:] = 0.4
    lit = luminance(canvas(), SHADY, gain=gain)
    assert lit[:, -40:].mean() == pytest.approx(0.4 * lit[:, :40].mean(), rel=0.05)


def test_under_one_tone_a_colourful_mask_has_that_colour() -> None:
    red = Canvas.blank(60, WORN.aspect, np.array([0.7, 0.1, 0.1]))
    lit = lit_texture(red, WORN, view(), replace(SHADY, tone=np.array([1.2, 1.0, 0.8], np.float32)))
    np.testing.assert_allclose(lit[..., 0] / lit[..., 2], 1.5, rtol=1e-3)
