"""Blur, grain and JPEG marks: told from a picture, and put on one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from synth.arrays import RgbImage
from synth.quality import as_enlarged_jpeg, as_jpeg, grain, jpeg_quality, sharpness


def scene(side: int = 224) -> RgbImage:
    """Soft shapes of many sizes and a little noise, which no JPEG has seen."""
    rng = np.random.default_rng(3)
    total = np.zeros((side, side, 3))
    for cells in (4, 9, 24, 60):
        total += cv2.resize(rng.uniform(0, 50, (cells, cells, 3)), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(total + rng.normal(0, 1.5, total.shape), 0, 255), np.uint8)


@pytest.mark.parametrize("quality", [30, 50, 70, 75, 80])
def test_the_quality_of_a_saved_picture_is_found(quality: int) -> None:
    assert jpeg_quality(as_jpeg(scene(), quality)) == quality


def test_a_picture_that_was_never_saved_or_was_resized_since_has_none() -> None:
    assert jpeg_quality(scene()) is None
    saved = as_jpeg(scene(), 60)
    assert jpeg_quality(np.asarray(cv2.resize(saved, (190, 190), interpolation=cv2.INTER_AREA))) is None


@pytest.mark.parametrize("side", [1, 8, 47])
def test_of_a_tiny_picture_nothing_is_said(side: int) -> None:
    assert jpeg_quality(np.zeros((side, side, 3), np.uint8)) is None


@pytest.mark.parametrize("zoom", [0.6, 1.7, 4.0])
def test_resized_marks_change_a_picture_little_and_keep_its_size(zoom: float) -> None:
    before = scene(101)
    after = as_enlarged_jpeg(before, 50, zoom)
    assert after.shape == before.shape
    difference = np.abs(after.astype(int) - before)
    assert 0 < difference.mean() < 12


def test_noise_is_of_unit_strength_and_alike_in_the_channels_of_a_gray_photo() -> None:
    noise = grain((200, 230), coloured=False, soft=False, rng=np.random.default_rng(0))
    assert noise.shape == (200, 230, 3)
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert np.ptp(noise, axis=-1).max() == 0
    assert np.ptp(grain((9, 9), coloured=True, soft=True, rng=np.random.default_rng(0)), axis=-1).min() > 0


def test_soft_noise_is_as_strong_and_reaches_further() -> None:
    soft = grain((250, 250), coloured=False, soft=True, rng=np.random.default_rng(0))[..., 0]
    assert soft.std() == pytest.approx(1, abs=0.15)
    assert np.mean(soft[:, 1:] * soft[:, :-1]) > 0.3


def test_noise_is_the_same_for_the_same_generator_and_as_large_as_asked_for() -> None:
    one, two = (grain((700, 30), coloured=True, soft=False, rng=np.random.default_rng(5)) for _ in range(2))
    other = grain((700, 30), coloured=True, soft=False, rng=np.random.default_rng(6))
    assert one.shape == (700, 30, 3)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("sigma", [0.0, 3.0, 7.0])
def test_noise_in_a_smooth_picture_is_measured(sigma: float) -> None:
    smooth = np.full((160, 160, 3), 128.0) + np.linspace(-40, 40, 160)[:, None]
    noisy = smooth + np.random.default_rng(0).normal(0, sigma, (160, 160, 1))
    found = sharpness(np.asarray(np.clip(np.round(noisy), 0, 255), np.uint8), 100.0)[1]
    assert found == pytest.approx(sigma, rel=0.15, abs=0.3)


@pytest.mark.parametrize("shape", [(1, 1), (4, 300), (9, 9)])
def test_the_smallest_pictures_give_finite_values(shape: tuple[int, int]) -> None:
    assert np.isfinite(sharpness(np.zeros((*shape, 3), np.uint8), 1.0)).all()
