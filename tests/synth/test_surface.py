"""The sheet a mask is drawn on: before the face, evenly spaced, seen from the front."""

from __future__ import annotations

import numpy as np
import pytest

from synth.forms import lift
from synth.looks import list_mask_types, mask_type
from synth.shape import MEAN_FACE
from synth.surface import Outline, envelope_depth, sheet, tabled_depth
from synth.wear import get_wear_style

PLAIN = Outline(top=0.12, bottom=1.38, top_side=0.36, bottom_side=0.9, top_half=0.77, bottom_half=0.62)


def test_no_part_of_the_lower_face_sticks_out_of_the_envelope() -> None:
    lower = MEAN_FACE[[*range(2, 15), *range(27, 36), *range(48, 68)]]
    depth = envelope_depth(lower[:, 0], lower[:, 1])
    assert (lower[:, 2] <= depth + 0.06).all()


def test_the_envelope_is_symmetric_and_convex() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.uniform([-0.7, 0.1], [0.7, 1.2], (2, 200, 2))
    np.testing.assert_allclose(envelope_depth(one[:, 0], one[:, 1]), envelope_depth(-one[:, 0], one[:, 1]), atol=1e-6)
    middle = (one + other) / 2
    ends = (envelope_depth(one[:, 0], one[:, 1]) + envelope_depth(other[:, 0], other[:, 1])) / 2
    assert (envelope_depth(middle[:, 0], middle[:, 1]) >= ends - 1e-6).all()


@pytest.mark.parametrize("brow", [False, True])
def test_the_table_of_depths_is_the_envelope(brow: bool) -> None:
    x, y = np.random.default_rng(0).uniform([-0.8, -0.5], [0.8, 1.6], (2000, 2)).T
    exact = envelope_depth(x, y, brow=brow)
    slope = np.abs(envelope_depth(x + 0.01, y, brow=brow) - exact) + np.abs(
        envelope_depth(x, y + 0.01, brow=brow) - exact
    )
    assert (np.abs(tabled_depth(x, y, brow=brow) - exact) <= 0.001 + 0.1 * slope).all()
    beyond = np.array([2.5, 0.0]), np.array([0.0, 4.0])
    np.testing.assert_array_equal(tabled_depth(*beyond, brow=brow), envelope_depth(*beyond, brow=brow))


@pytest.mark.parametrize("style", ["correct", "nose_out", "chin"])
@pytest.mark.parametrize("kind", list_mask_types())
def test_a_sheet_floats_before_the_face_and_is_seen_from_the_front(kind: str, style: str) -> None:
    for seed in range(5):
        placed = get_wear_style(style).place(mask_type(kind).cut, np.random.default_rng(seed))
        made = sheet(placed)
        assert np.isfinite(made.points).all()
        np.testing.assert_allclose(np.linalg.norm(made.normals, axis=-1), 1, atol=1e-6)
        under = made.normals[2:-2, 3:-3, 2] <= -0.1
        # Where it hangs free of the head, its lower corners may turn under, and nothing else may.
        assert not under[: len(under) // 2].any()
        assert under.mean() <= (0.1 if placed.drapes else 0)
        depth = envelope_depth(made.points[..., 0], made.points[..., 1])
        # A cup's corners are cut away by its look and may dip into the face.
        kept = lift(placed.form, *depth.shape) > 0
        kept[[0, -1]] = kept[:, [0, -1]] = False
        assert (made.points[..., 2] >= depth - 0.05)[kept].all()
        assert 0.5 < made.aspect < 8


def test_edges_are_where_the_outline_says() -> None:
    made = sheet(PLAIN)
    middle = made.points.shape[1] // 2
    assert made.points[0, middle, 1] == pytest.approx(PLAIN.top, abs=0.06)
    assert made.points[-1, middle, 1] == pytest.approx(PLAIN.bottom, abs=0.1)
    assert made.points[0, 0, 0] < 0 < made.points[0, -1, 0]


def test_without_tilt_or_shift_both_halves_are_alike() -> None:
    points = sheet(PLAIN).points
    np.testing.assert_allclose(points[:, ::-1] * [-1, 1, 1], points, atol=1e-6)


def test_columns_are_evenly_spaced_along_the_cloth() -> None:
    points = sheet(PLAIN).points
    steps = np.linalg.norm(np.diff(points[8], axis=0), axis=1)
    assert steps.max() / steps.min() < 1.6
