from __future__ import annotations

import numpy as np
import pytest

from datasets.duplicates.alike import LEAST_CORRELATION, compare
from tests.datasets.duplicates.scenes import copied, decoded, scene

BOXES = [(0, 0, 1, 1), (0.3, 0.25, 1, 1), (0.1, 0, 0.8, 0.6), (0, 0.35, 0.65, 1)]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("box", BOXES)
def test_copies_are_the_same_picture(box, mirrored):
    original = scene(1)
    likeness = compare(original, decoded(copied(original, box=box, mirrored=mirrored)))
    assert likeness.same_picture
    assert likeness.mirrored is mirrored
    assert likeness.overlap > 0.9


def test_light_and_colour_do_not_count():
    original = scene(2)
    gray = np.repeat((original.mean(axis=2) * 0.6 + 60).astype(np.uint8)[..., None], 3, axis=2)
    assert compare(original, gray).same_picture


def test_other_pictures_are_not():
    for seed in range(3, 9):
        likeness = compare(scene(seed), scene(seed + 100))
        assert likeness.correlation < LEAST_CORRELATION / 2


def test_a_smooth_picture_is_compared_as_a_whole():
    across = np.linspace(0, 255, 200)
    ramp = np.repeat((across[None, :] * np.sin(np.linspace(0, 3, 150))[:, None]).astype(np.uint8)[..., None], 3, axis=2)
    assert compare(ramp, decoded(copied(ramp, quality=90))).same_picture
    assert compare(ramp, decoded(copied(ramp, mirrored=True, quality=90))).mirrored


def test_blank_pictures_show_nothing_alike():
    blank = np.full((60, 60, 3), 128, np.uint8)
    assert not compare(blank, blank).same_picture
    assert not compare(blank, scene(1)).same_picture
