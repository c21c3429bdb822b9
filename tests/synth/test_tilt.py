"""Heads raised, lowered and turned: the pose that comes of it, pixels that follow the landmarks, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from synth import MaskEngine, PhotoRefusedError, SynthUsageError
from synth.arrays import FloatArray, RgbImage
from synth.gate import REASONS
from synth.pose import Pose, fit_pose
from synth.tilt import FARTHEST, TURNED, _rotation, check_tilt, tilt_head
from tests.synth.builders import Painted, paint

ENGINE = MaskEngine()
TURNS = st.tuples(st.floats(-20, 20), st.floats(-20, 20))


def wide(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, person: int = 0) -> Painted:
    """A face with room around it."""
    return paint(yaw, pitch, roll, size=(500, 560), centre=(250.0, 230.0), unit=70.0, person=person)


@pytest.mark.parametrize("roll", [0.0, 25.0])
@pytest.mark.parametrize("yaw", [0.0, 8.0])
@pytest.mark.parametrize("degrees", [-15.0, -6.0, 6.0, 15.0])
def test_the_head_turns_about_its_own_axis_from_ear_to_ear(degrees: float, yaw: float, roll: float) -> None:
    face = wide(yaw, 2.0, roll, person=1)
    _, points = tilt_head(face.rgb, face.landmarks, degrees)
    before, after = fit_pose(face.landmarks).rotation, fit_pose(points).rotation
    turn = np.degrees(Rotation.from_matrix(before.T @ after).as_rotvec())
    # The fit takes a part of it for another shape of the face.
    assert turn == pytest.approx((-degrees, 0, 0), abs=5)


@pytest.mark.parametrize("before", [-20.0, 0.0, 20.0])
@pytest.mark.parametrize(("pitch", "yaw"), [(0, 15), (0, -15), (12, 12), (-15, 15), (20, -20), (-20, 0)])
def test_yaw_and_pitch_grow_by_what_is_asked_and_the_head_does_not_roll(before: float, pitch: int, yaw: int) -> None:
    turned = Pose(view_of(before), np.zeros(3), 1.0, np.zeros(2), 0.0).rotation @ _rotation(pitch, yaw)
    angles = Pose(turned, np.zeros(3), 1.0, np.zeros(2), 0.0).angles
    np.testing.assert_allclose(angles, (before + yaw, pitch, 0), atol=1e-9)


def view_of(yaw: float) -> FloatArray:
    """(3, 3) rotation of a level head."""
    return np.asarray(Rotation.from_euler("y", yaw, degrees=True).as_matrix())


@pytest.mark.parametrize("roll", [0.0, 25.0])
@pytest.mark.parametrize(("pitch", "yaw"), [(0.0, 15.0), (0.0, -15.0), (10.0, 12.0), (-10.0, 12.0), (15.0, 15.0)])
def test_the_head_turns_to_the_side_about_its_neck(pitch: float, yaw: float, roll: float) -> None:
    face = wide(3.0, 2.0, roll, person=1)
    _, points = tilt_head(face.rgb, face.landmarks, pitch, yaw)
    before, after = fit_pose(face.landmarks).rotation, fit_pose(points).rotation
    expected = Rotation.from_matrix(_rotation(pitch, yaw))
    # The fit takes a part of it for another shape of the face.
    assert np.degrees((expected.inv() * Rotation.from_matrix(before.T @ after)).magnitude()) < 6


@pytest.mark.parametrize(
    ("pitch", "yaw"), [(-18.0, 0.0), (-8.0, 0.0), (8.0, 0.0), (16.0, 0.0), (0.0, 18.0), (0.0, -14.0), (12.0, 12.0)]
)
def test_the_picture_follows_the_landmarks(pitch: float, yaw: float) -> None:
    face = wide(5, 0, 0)
    tilted, points = tilt_head(face.rgb, face.landmarks, pitch, yaw)
    assert tilted.shape == face.rgb.shape
    assert tilted.dtype == np.uint8
    for part in (slice(36, 42), slice(42, 48), slice(48, 60)):
        before, after = colour_at(face.rgb, face.landmarks[part]), colour_at(tilted, points[part])
        assert np.abs(before - after).max() < 40
    assert np.abs(points - face.landmarks).max() > 5


def colour_at(rgb: RgbImage, points: FloatArray) -> FloatArray:
    """Of the points' middle."""
    x, y = points.mean(0).round().astype(int)
    return rgb[y, x].astype(float)


@pytest.mark.parametrize(("pitch", "yaw"), [(-15.0, 0.0), (15.0, 0.0), (0.0, 15.0), (9.0, -18.0)])
def test_the_face_stays_in_its_place(pitch: float, yaw: float) -> None:
    face = wide(5, 0, 10)
    _, points = tilt_head(face.rgb, face.landmarks, pitch, yaw)
    np.testing.assert_allclose(points.mean(0), face.landmarks.mean(0), atol=1e-6)


def test_what_is_far_from_the_head_stays() -> None:
    face = paint(0, 0, 0, size=(700, 700), centre=(350.0, 330.0), unit=70.0)
    tilted, _ = tilt_head(face.rgb, face.landmarks, -15.0)
    away = np.hypot(*(np.indices(face.rgb.shape[:2]) - np.array([330 + 35, 350])[:, None, None])) > 4.6 * 70
    assert away.sum() > 10_000
    np.testing.assert_array_equal(tilted[away], face.rgb[away])
    assert (tilted != face.rgb)[250:450, 250:450].mean() > 0.2


def test_without_a_tilt_the_photo_is_all_but_itself() -> None:
    face = wide()
    tilted, points = tilt_head(face.rgb, face.landmarks, 0.0)
    np.testing.assert_allclose(points, face.landmarks, atol=1e-6)
    assert np.abs(tilted.astype(int) - face.rgb).max() <= 1


def test_turned_heads_and_far_tilts_are_refused() -> None:
    turned, ahead = wide(TURNED + 8, 0, 0), wide()
    with pytest.raises(PhotoRefusedError, match=r"extreme_pose.*yaw"):
        tilt_head(turned.rgb, turned.landmarks, 5.0)
    with pytest.raises(PhotoRefusedError, match="extreme_pose: a head is tilted and turned by up to 20 degrees"):
        tilt_head(ahead.rgb, ahead.landmarks, FARTHEST + 1)
    with pytest.raises(PhotoRefusedError, match="extreme_pose"):
        tilt_head(ahead.rgb, ahead.landmarks, 0.0, -FARTHEST - 1)
    for angles in ((np.nan, 5.0), (5.0, np.nan)):
        with pytest.raises(PhotoRefusedError, match="extreme_pose"):
            tilt_head(ahead.rgb, ahead.landmarks, *angles)
    with pytest.raises(PhotoRefusedError, match="ambiguous_face"):
        tilt_head(ahead.rgb, np.zeros((68, 2)), 5.0)
    with pytest.raises(SynthUsageError, match=r"0 to 20 degrees.*got 25"):
        check_tilt(25.0)
    check_tilt(FARTHEST)


def tried(
    rgb: RgbImage, landmarks: FloatArray, degrees: tuple[float, float]
) -> tuple[RgbImage, FloatArray] | PhotoRefusedError:
    try:
        return tilt_head(rgb, landmarks, *degrees)
    except PhotoRefusedError as refused:
        return refused


def assert_sound(rgb: RgbImage, landmarks: FloatArray, degrees: tuple[float, float]) -> None:
    """Either a valid picture or a refusal with a known reason; warnings are errors in these tests."""
    made = tried(rgb, landmarks, degrees)
    if isinstance(made, PhotoRefusedError):
        assert made.reason in REASONS
        assert made.detail
        return
    assert made[0].shape == rgb.shape
    assert made[0].dtype == np.uint8
    assert np.isfinite(made[1]).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    landmarks=arrays(np.float64, (68, 2), elements=st.floats(-50, 250) | st.floats(width=64)),
    degrees=TURNS,
)
def test_any_points_give_a_picture_or_a_refusal(landmarks: FloatArray, degrees: tuple[float, float]) -> None:
    assert_sound(paint(10, 5, 5, size=(150, 170), unit=46).rgb, landmarks, degrees)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    angles=st.tuples(st.floats(-30, 30), st.floats(-30, 30), st.floats(-180, 180)),
    degrees=TURNS,
    size=st.tuples(st.integers(1, 220), st.integers(1, 220)),
)
def test_faces_of_any_turn_in_any_frame_give_a_picture_or_a_refusal(
    angles: tuple[float, float, float], degrees: tuple[float, float], size: tuple[int, int]
) -> None:
    face = paint(*angles, size=size, unit=46)
    assert_sound(face.rgb, face.landmarks, degrees)


@pytest.mark.parametrize("style", ["correct", "nose_out", "chin"])
@pytest.mark.parametrize(("pitch", "yaw"), [(-14.0, 0.0), (12.0, 0.0), (0.0, 16.0), (8.0, -12.0)])
def test_masks_sit_on_a_tilted_head_as_on_any(style: str, pitch: float, yaw: float) -> None:
    face = wide(person=2)
    level = ENGINE.prepare(face.rgb, landmarks=face.landmarks)
    tilted = ENGINE.tilt(level, pitch, yaw)
    assert tilted.pose.angles[1] - level.pose.angles[1] == pytest.approx(pitch, abs=4)
    assert tilted.pose.angles[0] - level.pose.angles[0] == pytest.approx(yaw, abs=5)
    made = ENGINE.mask(tilted, wear=style, mask="surgical", seed=1)
    assert made.wear_style == style
    outside = ~made.touched
    np.testing.assert_array_equal(made.rgb[outside], tilted.rgb[outside])
    np.testing.assert_array_equal(ENGINE.mask(tilted, wear="not_wear").rgb, tilted.rgb)


def test_what_cannot_be_tilted_so_far_is_tilted_by_half_or_stays() -> None:
    raised = wide(0, -22, 0)
    level = ENGINE.prepare(raised.rgb, landmarks=raised.landmarks)
    # The gate draws on heads raised by up to 30 degrees: 15 more are too many, half of that isn't.
    half = ENGINE.tilt(level, -15.0)
    assert half.pose.angles[1] - level.pose.angles[1] == pytest.approx(-7.5, abs=2)
    assert ENGINE.tilt(level, 0.0) is level
    turned = wide(TURNED + 8, 0, 0)
    ready = ENGINE.prepare(turned.rgb, landmarks=turned.landmarks)
    assert ENGINE.tilt(ready, 10.0) is ready
    assert ENGINE.tilt(ready, 0.0, 10.0) is ready
