"""Drawing one mask: what its parts must be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synth import MaskEngine, PhotoRefusedError
from synth.arrays import RgbImage
from synth.compose import Composition, compose
from synth.light import LUMA, Light, to_linear
from synth.looks import list_mask_types, mask_type, sample_look
from synth.surface import Outline
from synth.wear import get_wear_style
from tests.synth.builders import paint

FACE = paint(yaw=8)
READY = MaskEngine().prepare(FACE.rgb, landmarks=FACE.landmarks)


def drawn(kind: str = "surgical", style: str = "correct", seed: int = 0, outline: Outline | None = None) -> Composition:
    rng = np.random.default_rng(seed)
    look = sample_look(kind, rng)
    placed = outline or get_wear_style(style).place(mask_type(kind).cut, rng)
    return compose(READY.rgb, READY.to_picture, READY.light, look, placed, 0.2, rng)


@pytest.mark.parametrize("kind", list_mask_types())
def test_opacity_is_a_share_and_whole_in_the_middle(kind: str) -> None:
    made = drawn(kind)
    assert made.alpha.shape == (made.region.height, made.region.width) == made.touched.shape
    assert made.alpha.min() >= 0
    assert made.alpha.max() <= 1 + 1e-5
    x, y = (FACE.landmarks[62] - [made.region.x0, made.region.y0]).round().astype(int)
    assert made.alpha[y - 5 : y + 6, x - 5 : x + 6].min() > 0.99


@pytest.mark.parametrize("style", ["correct", "nose_out", "chin"])
def test_what_has_opacity_is_touched_and_the_region_holds_it_all(style: str) -> None:
    made = drawn(style=style)
    assert made.touched[made.alpha > 0.01].all()
    border = np.concatenate([made.alpha[0], made.alpha[-1], made.alpha[:, 0], made.alpha[:, -1]])
    assert border.max() < 0.01


def test_skin_beside_the_mask_is_darkened_never_lightened() -> None:
    made = drawn("black")
    before = READY.rgb[made.region.slices].astype(int)
    after = made.rgb[made.region.slices].astype(int)
    shadow = made.touched & (made.alpha < 0.002)
    difference = (after - before).sum(-1)[shadow]
    assert shadow.sum() > 100
    assert np.median(difference) < 0


def test_the_edge_is_soft() -> None:
    made = drawn("kf94")
    soft = (made.alpha > 0.1) & (made.alpha < 0.9)
    assert soft.sum() > 0.5 * np.hypot(*made.alpha.shape)


def test_a_mask_far_outside_the_photo_is_refused() -> None:
    away = Outline(top=40.0, bottom=41.3, top_side=40.3, bottom_side=40.8, top_half=0.7, bottom_half=0.6)
    with pytest.raises(PhotoRefusedError) as caught:
        drawn(outline=away)
    assert caught.value.reason in ("off_photo", "folded")


def white(rgb: RgbImage, kind: str = "kf94", colour: tuple[float, float, float] = (94, 0, 1)) -> Composition:
    """A mask of one colour on the painted face in this light."""
    ready = MaskEngine().prepare(rgb, landmarks=FACE.landmarks)
    rng = np.random.default_rng(4)
    look = replace(sample_look(kind, rng), colour=colour)
    return compose(
        ready.rgb,
        ready.to_picture,
        ready.light,
        look,
        get_wear_style("correct").place(mask_type(kind).cut, rng),
        0.2,
        rng,
    )


def at(picture: RgbImage, x: float, y: float) -> float:
    """Mean luminance, linear, around a pixel."""
    x0, y0 = round(x), round(y)
    return float((to_linear(picture[y0 - 4 : y0 + 5, x0 - 4 : x0 + 5]) @ LUMA).mean())


@pytest.mark.parametrize("factor", [0.25, 0.6, 1.0])
def test_a_white_mask_is_brighter_than_the_skin_in_any_light(factor: float) -> None:
    rgb = np.asarray(FACE.rgb * factor, np.uint8)
    made = white(rgb)
    forehead = at(made.rgb, *(FACE.landmarks[27] - [0, 25]))
    mask = at(made.rgb, *FACE.landmarks[62])
    # Really worn ones: 1.2 times light skin to 5 times dark skin.
    assert 1.1 < mask / forehead < 6


def test_a_black_mask_stays_dark_and_opaque() -> None:
    made = white(FACE.rgb, "black", (13, 0, -1))
    x, y = FACE.landmarks[62]
    assert at(made.rgb, x, y) < 0.05
    column, row = round(x) - made.region.x0, round(y) - made.region.y0
    assert made.alpha[row, column] > 0.99


def test_shading_follows_the_faces_from_left_to_right() -> None:
    ratios = []
    for ramp in (np.linspace(1.0, 0.4, 300), np.ones(300), np.linspace(0.4, 1.0, 300)):
        made = white(np.asarray(FACE.rgb * ramp[None, :, None], np.uint8))
        (x0, y0), (x1, y1) = FACE.landmarks[48] - [8, 0], FACE.landmarks[54] + [8, 0]
        ratios.append(at(made.rgb, x0, y0) / at(made.rgb, x1, y1))
    assert ratios[0] > 1.15 * ratios[1] > 1.15**2 * ratios[2]


def test_on_a_gray_photo_every_mask_is_gray() -> None:
    gray = np.repeat(FACE.rgb.mean(-1, keepdims=True), 3, axis=-1).astype(np.uint8)
    made = white(gray, "surgical", (80, -9, -16))
    assert np.ptp(made.rgb.astype(int), axis=-1).max() <= 1


def test_outside_of_what_is_touched_nothing_changes_and_the_photo_is_not_written_to() -> None:
    before = READY.rgb.copy()
    made = drawn("cloth")
    whole = np.zeros(before.shape[:2], bool)
    whole[made.region.slices] = made.touched
    assert np.array_equal(made.rgb[~whole], before[~whole])
    assert np.array_equal(READY.rgb, before)


def test_same_arguments_same_bytes() -> None:
    assert np.array_equal(drawn(seed=7).rgb, drawn(seed=7).rgb)
    assert not np.array_equal(drawn(seed=7).rgb, drawn(seed=8).rgb)


def test_flat_light_draws_without_shade_shadow_or_chance() -> None:
    rng = np.random.default_rng(0)
    look = replace(sample_look("black", rng), colour=(60, 0, 0))
    outline = get_wear_style("correct").place(mask_type("black").cut, rng)
    one, two = (
        compose(READY.rgb, READY.to_picture, Light.flat(0.8), look, outline, 0.0, np.random.default_rng(seed))
        for seed in (1, 2)
    )
    assert np.array_equal(one.rgb, two.rgb)
    inside = one.rgb[one.region.slices][one.alpha > 0.99]
    assert np.percentile(inside, 90) - np.percentile(inside, 10) < 25


def test_a_mask_on_a_turned_head_hangs_over_the_far_cheek_by_little() -> None:
    face = paint(yaw=32)
    ready = MaskEngine().prepare(face.rgb, landmarks=face.landmarks)
    rng = np.random.default_rng(0)
    look = sample_look("surgical", rng)
    outline = get_wear_style("correct").place(mask_type("surgical").cut, rng)
    made = compose(ready.rgb, ready.to_picture, ready.light, look, outline, 0.2, rng)
    furthest = np.flatnonzero((made.alpha > 0.5).any(0)).max() + made.region.x0
    limit = face.landmarks[:, 0].max() + (1.3 * outline.standoff + 0.08) * ready.pose.pixels_per_unit
    assert furthest <= limit
