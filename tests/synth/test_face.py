from __future__ import annotations

import numpy as np
import pytest

from synth.errors import SynthUsageError
from synth.face import Face
from synth.shape import MEAN_FACE
from tests.synth.builders import view


def face() -> Face:
    return Face.from_landmarks(view().project(MEAN_FACE))


@pytest.mark.parametrize("shape", [(5, 2), (68, 3), (68,), (0, 2)])
def test_landmarks_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SynthUsageError, match=r"\(68, 2\)"):
        Face.from_landmarks(np.zeros(shape))
    with pytest.raises(SynthUsageError, match=r"\(68, 2\)"):
        Face(np.zeros(4), np.zeros(shape))


def test_a_box_of_another_shape_is_refused() -> None:
    with pytest.raises(SynthUsageError, match="box"):
        Face(np.zeros(3), np.zeros((68, 2)))


def test_the_box_of_given_landmarks_is_theirs() -> None:
    given = face()
    np.testing.assert_allclose(given.box, [*given.landmarks.min(0), *given.landmarks.max(0)])
    assert given.detector == "given"
    assert given.area == pytest.approx(np.prod(np.ptp(given.landmarks, axis=0)))


def test_a_box_turned_inside_out_has_no_area() -> None:
    assert Face(np.array([50.0, 50.0, 10.0, 10.0]), np.zeros((68, 2))).area == 0


def test_moving_scales_landmarks_box_and_eye_distance() -> None:
    given = face()
    moved = given.moved(np.array([[2.0, 0.0, 5.0], [0.0, 2.0, -7.0]]))
    np.testing.assert_allclose(moved.landmarks, given.landmarks * 2 + [5, -7])
    np.testing.assert_allclose(moved.box, given.box * 2 + [5, -7, 5, -7])
    assert moved.eye_distance == pytest.approx(2 * given.eye_distance)
