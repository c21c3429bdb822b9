"""The looks: registered, sampled in range, drawable at any size."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from synth.errors import SynthUsageError
from synth.looks import draw_look, list_mask_types, mask_type, sample_look
from synth.looks.canvas import Canvas, lab_to_linear, noise
from synth.looks.registry import strap_colour

KINDS = list_mask_types()


def test_the_types_the_design_names_are_there_in_order() -> None:
    assert {"surgical", "kf94", "kn95", "cloth", "black", "printed"} <= set(KINDS)
    assert sorted(KINDS) == KINDS
    assert all(mask_type(kind).name == kind for kind in KINDS)


@pytest.mark.parametrize("ask", [mask_type, lambda name: sample_look(name, np.random.default_rng(0))])
def test_an_unknown_type_lists_the_known(ask) -> None:
    with pytest.raises(SynthUsageError) as caught:
        ask("veil")
    assert all(kind in str(caught.value) for kind in KINDS)


@pytest.mark.parametrize("width", [8, 48, 200, 1400])
@pytest.mark.parametrize("kind", KINDS)
def test_every_type_is_drawable_at_every_size(kind: str, width: int) -> None:
    look = sample_look(kind, np.random.default_rng(width))
    for aspect, crumple in ((0.7, 0.0), (1.6, 0.3), (6.0, 1.0)):
        if width == 1400 and aspect < 1:
            continue
        canvas = draw_look(look, width, aspect, crumple)
        assert canvas.alpha.shape[1] == width
        assert canvas.albedo.shape == (*canvas.alpha.shape, 3)
        for array, low, high in ((canvas.alpha, 0, 1), (canvas.albedo, 0, 1), (canvas.height, -0.5, 0.5)):
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
            assert array.min() >= low
            assert array.max() <= high


@pytest.mark.parametrize("kind", KINDS)
def test_the_middle_is_opaque_and_the_corners_are_cut(kind: str) -> None:
    alpha = draw_look(sample_look(kind, np.random.default_rng(1)), 200, 1.6, 0.2).alpha
    rows, columns = alpha.shape
    assert alpha[rows // 4 : -rows // 4, columns // 4 : -columns // 4].min() == 1
    assert max(alpha[0, 0], alpha[0, -1], alpha[-1, 0], alpha[-1, -1]) < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_look_is_drawn_the_same_and_at_other_sizes_alike(kind: str) -> None:
    look = sample_look(kind, np.random.default_rng(2))
    one, same, larger = draw_look(look, 160, 1.6, 0.2), draw_look(look, 160, 1.6, 0.2), draw_look(look, 320, 1.6, 0.2)
    np.testing.assert_array_equal(one.albedo, same.albedo)
    np.testing.assert_array_equal(one.height, same.height)
    np.testing.assert_allclose(one.albedo.mean((0, 1)), larger.albedo.mean((0, 1)), atol=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_hardly_two_are_alike(kind: str) -> None:
    rng = np.random.default_rng(3)
    looks = [sample_look(kind, rng) for _ in range(30)]
    assert len({tuple(asdict(look).items()) for look in looks}) == 30
    for look in looks:
        assert 0 <= look.colour[0] <= 100
        assert look.pattern in mask_type(kind).patterns
        assert 0 <= strap_colour(look).min() <= strap_colour(look).max() <= 1


def test_black_is_dark_and_white_is_light() -> None:
    rng = np.random.default_rng(4)
    black = [draw_look(sample_look("black", rng), 60, 1.6, 0.1).albedo.mean() for _ in range(20)]
    kf94 = [draw_look(sample_look("kf94", rng), 60, 1.6, 0.1).albedo.mean() for _ in range(20)]
    assert np.median(black) < 0.06
    assert np.median(kf94) > 0.5


def test_lab_ends_are_black_and_white() -> None:
    assert lab_to_linear((0, 0, 0)).max() == pytest.approx(0, abs=1e-3)
    assert lab_to_linear((100, 0, 0)).min() == pytest.approx(1, abs=0.01)
    assert lab_to_linear((50, 80, -80)).min() >= 0


def test_noise_keeps_to_its_range_and_its_generator() -> None:
    one, same, other = (noise((40, 60), (4, 6), np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.abs(one).max() < 1.6


def test_a_band_is_full_inside_and_ends_within_a_texel() -> None:
    canvas = Canvas.blank(100, 1.0, np.ones(3))
    band = canvas.band(0.5, 0.1)
    assert band[50].min() == 1
    assert band[30].max() == band[70].max() == 0
    canvas.paint(band, np.array([1.0, 0.0, 0.0]))
    assert canvas.albedo[50, 50].tolist() == [1, 0, 0]
    assert canvas.albedo[5, 50].tolist() == [1, 1, 1]
