"""The head's pose from exact and from noisy landmarks."""

from __future__ import annotations

import numpy as np
import pytest

from synth.arrays import FloatArray
from synth.errors import PhotoRefusedError
from synth.pose import fit_pose
from synth.shape import MEAN_FACE
from tests.synth.builders import head_shape, view

ANGLES = [(0, 0, 0), (20, 0, 0), (-40, 0, 0), (0, 20, 0), (0, -25, 0), (0, 0, 40), (25, 10, -30), (-30, -15, 55)]


def between(one: FloatArray, other: FloatArray) -> float:
    """Angle between two rotations, degrees."""
    return float(np.degrees(np.arccos(np.clip((np.trace(one.T @ other) - 1) / 2, -1, 1))))


@pytest.mark.parametrize(("yaw", "pitch", "roll"), ANGLES)
def test_a_known_turn_is_recovered(yaw: float, pitch: float, roll: float) -> None:
    true = view(yaw, pitch, roll)
    fitted = fit_pose(true.project(MEAN_FACE))
    assert between(true.rotation, fitted.rotation) < 4
    np.testing.assert_allclose(fitted.angles, true.angles, atol=4)
    assert fitted.error < 0.01


@pytest.mark.parametrize(("yaw", "pitch", "roll"), ANGLES)
def test_its_own_landmarks_are_where_it_projects_the_mean_face(yaw: float, pitch: float, roll: float) -> None:
    true = view(yaw, pitch, roll)
    landmarks = true.project(MEAN_FACE)
    np.testing.assert_allclose(fit_pose(landmarks).project(MEAN_FACE), landmarks, atol=0.02 * true.pixels_per_unit)


@pytest.mark.parametrize(("index", "sign"), [(0, "right"), (1, "down"), (2, "clockwise")])
def test_angles_are_positive_as_stated(index: int, sign: str) -> None:
    given = [0.0, 0.0, 0.0]
    given[index] = 20.0
    assert view(*given).angles == pytest.approx(given, abs=1e-9), sign


def test_the_nose_points_where_the_head_looks() -> None:
    ahead = view().project(MEAN_FACE)[30]
    assert view(yaw=25).project(MEAN_FACE)[30, 0] > ahead[0] + 5
    assert view(pitch=15).project(MEAN_FACE)[30, 1] > ahead[1] + 5


@pytest.mark.parametrize("person", range(1, 5))
def test_other_faces_and_unsteady_landmarks_move_it_little(person: int) -> None:
    true = view(15, 5, -10)
    noise = np.random.default_rng(person).normal(0, 0.01 * true.pixels_per_unit, (68, 2))
    fitted = fit_pose(true.project(head_shape(person)) + noise)
    assert between(true.rotation, fitted.rotation) < 8
    assert fitted.error < 0.06


def test_size_and_place_in_the_photo_leave_the_angles_alone() -> None:
    landmarks = view(15, 5, -10).project(MEAN_FACE)
    here, there = fit_pose(landmarks), fit_pose(landmarks * 7.5 + [1000, -300])
    np.testing.assert_allclose(here.angles, there.angles, atol=0.01)
    assert there.pixels_per_unit == pytest.approx(7.5 * here.pixels_per_unit, rel=1e-3)


def refused(landmarks: FloatArray) -> str:
    with pytest.raises(PhotoRefusedError) as caught:
        fit_pose(landmarks)
    return caught.value.reason


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, 1e8])
def test_landmarks_of_no_photo_are_refused(value: float) -> None:
    landmarks = view().project(MEAN_FACE)
    landmarks[7, 1] = value
    assert refused(landmarks) == "ambiguous_face"


def test_landmarks_in_one_place_are_refused() -> None:
    assert refused(np.full((68, 2), 40.0)) == "ambiguous_face"


@pytest.mark.parametrize("scale", [0.4, 1.7])
def test_a_pose_moves_with_its_photo(scale: float) -> None:
    landmarks, shift = view(20, -10, 15).project(head_shape(1)), np.array([31.0, -12.0])
    moved, fitted = fit_pose(landmarks).moved(scale, shift), fit_pose(scale * landmarks + shift)
    np.testing.assert_allclose(moved.project(MEAN_FACE), fitted.project(MEAN_FACE), atol=0.01)
    assert moved.error == pytest.approx(fitted.error, rel=1e-3)
