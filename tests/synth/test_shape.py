"""The mean face: symmetric, in its stated unit and axes."""

from __future__ import annotations

import numpy as np

from synth.shape import CHIN, LEFT_EYE, MEAN_FACE, NOSE_TIP, OUTER_MOUTH, RIGHT_EYE

# The landmark of the other half of the face, for each of the 68.
MIRRORED = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *(35, 34, 33, 32, 31),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
        *(64, 63, 62, 61, 60, 67, 66, 65),
    ]
)


def test_the_face_is_its_own_mirror_image() -> None:
    assert sorted(MIRRORED) == list(range(68))
    np.testing.assert_allclose(MEAN_FACE[MIRRORED] * [-1, 1, 1], MEAN_FACE, atol=1e-9)


def test_the_unit_is_the_distance_between_the_outer_eye_corners() -> None:
    np.testing.assert_allclose(MEAN_FACE[45] - MEAN_FACE[36], [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(MEAN_FACE[45] + MEAN_FACE[36], [0, 0, 0], atol=1e-9)


def test_x_points_right_y_down_and_z_towards_the_camera() -> None:
    assert (MEAN_FACE[LEFT_EYE, 0] < 0).all()
    assert (MEAN_FACE[RIGHT_EYE, 0] > 0).all()
    assert MEAN_FACE[NOSE_TIP, 1] < MEAN_FACE[OUTER_MOUTH, 1].min() < MEAN_FACE[CHIN, 1]
    assert MEAN_FACE[:, 2].argmax() == NOSE_TIP
