"""The perceptual hash: the very bytes of Pillow's resize, the very digits of imagehash."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image

from synth.hashing import phash, shrunk
from tests.synth.builders import paint

SIZES = [(384, 512), (224, 224), (512, 384), (97, 641), (1000, 33), (32, 32), (31, 64), (20, 9), (1, 1)]


def noisy(size: tuple[int, int], seed: int) -> Image.Image:
    """Smooth shades with noise of every strength, burnt out here and there."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 5, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    noise = rng.normal(0, rng.uniform(0, 60), (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(coarse) * 1.3 - 40 + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("size", SIZES)
def test_it_shrinks_to_the_bytes_that_pillow_shrinks_to(size: tuple[int, int]) -> None:
    for seed in range(6):
        gray = noisy(size, seed).convert("L")
        expected = np.asarray(gray.resize((32, 32), Image.Resampling.LANCZOS))
        np.testing.assert_array_equal(shrunk(np.asarray(gray)), expected)


@pytest.mark.parametrize("size", SIZES)
def test_it_is_imagehashs(size: tuple[int, int]) -> None:
    for seed in range(6):
        image = noisy(size, seed)
        assert phash(image) == str(imagehash.phash(image))


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P"])
def test_of_every_mode(mode: str) -> None:
    image = noisy((60, 80), 1).convert(mode)
    assert phash(image) == str(imagehash.phash(image))


def test_hard_edges_overshoot_and_are_cut_off_alike() -> None:
    board = np.kron(np.indices((8, 6)).sum(0) % 2, np.ones((61, 53))).astype(np.uint8) * 255
    expected = np.asarray(Image.fromarray(board).resize((32, 32), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(shrunk(board), expected)


def test_a_painted_face() -> None:
    image = Image.fromarray(paint().rgb)
    assert phash(image) == str(imagehash.phash(image))
