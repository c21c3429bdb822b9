from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from models.transforms import PRESETS, PhotoTransform, central_square

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def picture(height: int = 50, width: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_colours_stay_in_order_and_are_normalised() -> None:
    flat = np.full((40, 40, 3), (255, 0, 51), dtype=np.uint8)
    seen = PhotoTransform(32, MEAN, STD)(flat)
    assert seen.shape == (3, 32, 32)
    assert seen.dtype == np.float32
    expected = (np.array([1.0, 0.0, 0.2]) - MEAN) / STD
    np.testing.assert_allclose(seen.reshape(3, -1).mean(axis=1), expected, atol=1e-3)


def test_scoring_changes_nothing_by_chance() -> None:
    transform = PhotoTransform(32, MEAN, STD)
    np.testing.assert_array_equal(transform(picture(), seed=1), transform(picture(), seed=2))


@pytest.mark.parametrize("augment", ["light", "strong", "faces"])
def test_a_seed_fixes_the_augmentation_whatever_came_before(augment: str) -> None:
    first, second = (PhotoTransform(32, MEAN, STD, augment) for _ in range(2))  # type: ignore[arg-type]
    for seed in range(5):
        second(picture(seed=9), seed)
    np.testing.assert_array_equal(first(picture(), seed=7), second(picture(), seed=7))
    assert len({first(picture(), seed=seed).tobytes() for seed in range(20)}) == 20


def test_steps_fire_apart_from_each_other() -> None:
    # A flip is as likely with a second change as without: one shared number would fire them together.
    ramp = np.tile(np.linspace(0, 255, 32).astype(np.uint8)[None, :, None], (32, 1, 3))
    transform = PhotoTransform(32, (0.0,) * 3, (1.0,) * 3, "light")
    seen = [transform(ramp, seed) for seed in range(200)]
    flipped = np.array([each[:, :, :8].mean() > each[:, :, -8:].mean() for each in seen])
    coloured = np.array([np.ptp(each.mean(axis=(1, 2))) > 1e-4 for each in seen])
    assert 0.3 < flipped.mean() < 0.7
    assert abs(coloured[flipped].mean() - coloured[~flipped].mean()) < 0.25


@pytest.mark.parametrize("shape", [(16, 4000), (4000, 16), (16, 16), (33, 32)])
def test_any_shape_of_photo_becomes_the_square(shape: tuple[int, int]) -> None:
    assert PhotoTransform(24, MEAN, STD, "light")(picture(*shape)).shape == (3, 24, 24)


def test_the_square_is_cut_from_the_middle() -> None:
    tall = np.arange(12, dtype=np.uint8)[:, None, None].repeat(6, axis=1).repeat(3, axis=2)
    np.testing.assert_array_equal(central_square(tall)[:, 0, 0], np.arange(3, 9))


def test_albumentations_is_told_not_to_ask_the_network() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "NO_ALBUMENTATIONS_UPDATE"}
    script = "import os, models.transforms; print(os.environ['NO_ALBUMENTATIONS_UPDATE'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "1"


def test_a_place_moves_before_the_resize_so_that_a_zoom_is_as_sharp_as_the_photo() -> None:
    for augment in ("light", "strong", "faces"):
        before, after = PRESETS[augment](32)  # type: ignore[index]
        assert [type(each).__name__ for each in before] == ["HorizontalFlip", "Affine"]
        assert not {type(each).__name__ for each in after} & {"HorizontalFlip", "Affine"}


@pytest.mark.parametrize("augment", ["light", "strong", "faces"])
@pytest.mark.parametrize("size", [32, 96])
def test_no_augmentation_hides_what_a_label_is_read_from(augment: str, size: int) -> None:
    """Dark above, bright below, as a mask's upper edge is: it stays where it was, about, and the halves stay apart."""
    face = np.full((120, 120, 3), 60, dtype=np.uint8)
    face[60:] = 190
    transform = PhotoTransform(size, (0.0,) * 3, (1.0,) * 3, augment)  # type: ignore[arg-type]
    third = size // 3
    for seed in range(150):
        seen = transform(face, seed)
        above, below = seen[:, : third // 2, third:-third], seen[:, -third // 2 :, third:-third]
        assert np.median(below) - np.median(above) > 0.2


def test_patches_are_smaller_than_a_nose() -> None:
    plain = np.full((100, 100, 3), 128, dtype=np.uint8)
    _, after = PRESETS["faces"](100)
    (patches,) = [each for each in after if type(each).__name__ == "CoarseDropout"]
    patches.p = 1.0
    covered = [np.any(patches(image=plain)["image"] != 128, axis=2) for _ in range(100)]
    assert max(each.mean() for each in covered) <= 3 * 0.09**2 + 1e-3
    assert min(each.sum() for each in covered) > 0
