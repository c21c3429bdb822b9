"""The canvas of a picture in all sizes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from synth.pyramid import AROUND, BACK, BETWEEN, LOWEST, MOVED, RATE, drawn, laid_out

SIZES = [(32, 32), (220, 220), (300, 300), (124, 220), (220, 124), (33, 300), (300, 33), (101, 173)]


def ramp(height: int, width: int) -> np.ndarray:
    """Columns in one channel, rows in the other."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows], axis=2).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_copies_shrink_by_one_rate_and_keep_their_distance(height: int, width: int) -> None:
    layout = laid_out(height, width)
    assert layout.places[0] == (AROUND, AROUND, width, height)
    for (_, _, wide, high), (_, _, narrow, low) in pairwise(layout.places):
        assert (narrow, low) == (int(RATE * wide), int(RATE * high))
    taken = np.zeros((layout.height, layout.width), dtype=int)
    for left, top, wide, high in layout.places:
        assert high >= LOWEST
        assert min(left, top, layout.width - left - wide, layout.height - top - high) >= AROUND - 1
        taken[top : top + high, left : left + wide] += 1
    assert taken.max() == 1
    # Those of the first column are as far apart as was asked for.
    first = [place for place in layout.places if place[0] == AROUND]
    for (_, top, _, high), (_, below, _, _) in pairwise(first):
        assert below == top + high + BETWEEN


@pytest.mark.parametrize(("height", "width"), [(220, 220), (300, 200)])
def test_two_columns_hold_what_one_does_not(height: int, width: int) -> None:
    layout = laid_out(height, width)
    lefts = {place[0] for place in layout.places}
    assert len(lefts) > 1
    assert layout.height < sum(high + BETWEEN for _, _, _, high in layout.places)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_what_is_drawn_runs_from_corner_to_corner_in_every_copy(height: int, width: int) -> None:
    layout = laid_out(height, width)
    canvas = drawn(ramp(height, width), layout)
    assert canvas.shape == (layout.height, layout.width, 2)
    assert canvas.dtype == np.float32
    for left, top, wide, high in layout.places:
        copy = canvas[top : top + high, left : left + wide]
        np.testing.assert_allclose(copy[0, :, 0], np.linspace(0, width - 1, wide) if wide > 1 else 0, atol=1e-3)
        np.testing.assert_allclose(copy[:, 0, 1], np.linspace(0, height - 1, high), atol=1e-3)
        canvas[top : top + high, left : left + wide] = 0
    assert not canvas.any()


def test_a_box_on_a_copy_is_that_of_the_picture() -> None:
    layout = laid_out(220, 180)
    for level, (left, top, wide, high) in enumerate(layout.places[:8]):
        box = np.array([[left, top, left + wide - 1.0, top + high - 1.0]])
        grown = box.reshape(2, 2) - [left, top]
        for _ in range(level):
            grown = grown * BACK + MOVED
        found = layout.to_picture(box)[0]
        np.testing.assert_allclose(found, grown.ravel(), atol=0.5)
        # About the picture's own: sides are rounded down at every level.
        np.testing.assert_allclose(found, [0, 0, 179, 219], atol=2 + 3 * level)


def test_a_box_between_copies_is_of_the_nearer_one() -> None:
    layout = laid_out(220, 180)
    (_, top, _, high), (_, below, _, _) = layout.places[:2]
    assert below - (top + high) == BETWEEN

    def size(middle: float) -> float:
        box = layout.to_picture(np.array([[80, middle - 20, 120, middle + 20]]))[0]
        return float(box[2] - box[0])

    assert size(top + high + 2) == 40
    assert size(below - 2) == 40 * BACK


def test_halves_are_rounded_away_from_zero_as_dlib_does() -> None:
    layout = laid_out(100, 100)
    boxes = np.array([[AROUND - 4.5, AROUND + 10.5, AROUND + 80.5, AROUND + 90.49]])
    assert layout.to_picture(boxes).tolist() == [[-5, 11, 81, 90]]


def test_no_boxes_stay_none() -> None:
    assert laid_out(100, 100).to_picture(np.zeros((0, 4))).shape == (0, 4)
