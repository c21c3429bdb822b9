"""The classifiers that look for fingerprints: they find what is there and nothing where nothing is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("sklearn")

from benchmarks.residuals import Floats, Picture, classify, features


def textures(sigma: float) -> list[Picture]:
    """Forty pictures of noise, softened."""
    made = []
    for number in range(40):
        noise = np.random.default_rng(number).normal(128, 40, (96, 96, 3))
        made.append(np.clip(cv2.GaussianBlur(noise, (0, 0), sigma), 0, 255).astype(np.uint8))
    return made


def test_histograms_each_sum_to_one_and_nothing_is_lost() -> None:
    found = features(textures(1.0)[0])
    assert np.isfinite(found).all()
    assert [found[start : start + 125].sum() for start in (0, 125, 250)] == pytest.approx([1, 1, 1])
    assert found[375:-14].reshape(-1, 21).sum(1) == pytest.approx(1)


def rows(sigma: float) -> Floats:
    return np.stack([features(picture) for picture in textures(sigma)])


@pytest.mark.parametrize("kind", ["linear", "trees"])
def test_a_difference_is_found_and_none_is_not(kind: str) -> None:
    found = classify(kind, rows(1.0), rows(1.2), draws=3)
    assert found.low <= found.value <= found.high
    assert found.value > 0.95
    assert found.tells_apart
    assert not classify(kind, rows(1.0), rows(1.0), draws=3).tells_apart
