from __future__ import annotations

import cv2
import numpy as np
import pytest

from datasets.duplicates.alike import LEAST_CORRELATION, LEAST_POINTS, Likeness, _is_copy, compare
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


@pytest.mark.parametrize(
    ("correlation", "overlap", "points", "same"),
    [
        (0.76, 0.5, 0, True),  # sure of itself
        (0.74, 0.5, 0, False),
        (0.62, 0.5, 28, True),  # fair, and held by many points
        (0.62, 0.5, 16, False),
        (0.58, 0.5, 200, False),
        (0.95, 0.2, 200, False),  # of too little
    ],
)
def test_a_fair_likeness_needs_points_and_every_one_overlap(correlation, overlap, points, same):
    assert Likeness(correlation, overlap, False, points).same_picture is same


def test_a_sheared_picture_is_no_copy():
    """Its points lie on the original's by a transform that makes no copies."""
    original, shear = scene(1), 0.3
    height, width = original.shape[:2]
    size = (width + round(shear * height), height)
    sheared = cv2.warpAffine(original, np.array([[1, shear, 0], [0, 1, 0]]), size, borderMode=cv2.BORDER_REFLECT)
    assert not compare(original, sheared).same_picture


def test_points_are_counted_where_they_laid_the_pictures():
    assert compare(scene(1), decoded(copied(scene(1), box=(0.3, 0.25, 1, 1)))).points >= LEAST_POINTS
    smooth = np.repeat(np.linspace(0, 255, 200).astype(np.uint8)[None, :, None], 150, axis=0).repeat(3, axis=2)
    assert compare(smooth, smooth).points == 0


def turned(degrees):
    angle = np.deg2rad(degrees)
    return [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]


@pytest.mark.parametrize(
    ("linear", "copy"),
    [
        ([[1, 0], [0, 1]], True),
        ([[0.3, 0], [0, 0.3]], True),
        ([[1.2, 0], [0, 1]], True),
        (turned(5), True),
        ([[1, 0.3], [0, 1]], False),  # sheared
        ([[-1, 0], [0, 1]], False),  # mirrored, which is tried by itself
        ([[1, 0], [0, -1]], False),
        (turned(180), False),
        ([[1.5, 0], [0, 1]], False),  # stretched
        ([[1, 0], [0, 1.5]], False),
        ([[0.05, 0], [0, 0.05]], False),
        ([[12, 0], [0, 12]], False),
    ],
)
def test_which_transforms_make_copies(linear, copy):
    assert _is_copy(np.column_stack([np.array(linear, dtype=np.float64), [3.0, 4.0]])) is copy
