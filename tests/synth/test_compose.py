"""Drawing one mask: what its parts must be."""

from __future__ import annotations

import numpy as np
import pytest

from synth import MaskEngine, PhotoRefusedError
from synth.compose import Composition, compose
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
