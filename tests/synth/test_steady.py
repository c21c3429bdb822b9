"""Doubtful landmarks: they come right from a box that is off, and are told where there is nothing to stand on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from datasets.portraits import Portrait
from synth import FaceFinder
from synth.arrays import FloatArray
from synth.face import STEADY
from synth.predictor import place_landmarks, upright_box
from synth.steady import CALM, CANVAS, WINDOW, _smoothed, steady_landmarks

FINDER = FaceFinder()
Box = tuple[FloatArray, float, float]


def box_of(portrait: Portrait, shift: tuple[float, float] = (0, 0), grown: float = 1.0) -> Box:
    """The box that the detector would give the drawn face, moved by a share of its side."""
    middle, side = upright_box(portrait.landmarks.astype(np.float64), 0.0)
    return middle + np.array(shift) * side, side * grown, 0.0


def steadied(rgb: np.ndarray, box: Box, sound: bool) -> tuple[FloatArray, float]:
    points = place_landmarks(FINDER._predictor, rgb, *box)
    return steady_landmarks(FINDER._hog, FINDER._predictor, rgb, points, box, sound)


def miss(found: FloatArray, portrait: Portrait) -> float:
    wide = np.linalg.norm(portrait.landmarks[45] - portrait.landmarks[36])
    return float(np.linalg.norm(found - portrait.landmarks, axis=1).mean() / wide)


def test_landmarks_that_hardly_move_are_kept_as_they_are(drawn: tuple[Portrait, ...]) -> None:
    for portrait in drawn:
        box = box_of(portrait)
        points, spread = steadied(portrait.rgb, box, sound=True)
        assert spread < STEADY
        if spread < CALM:
            assert np.array_equal(points, place_landmarks(FINDER._predictor, portrait.rgb, *box))


@pytest.mark.parametrize(("shift", "grown"), [((0.1, 0.0), 1.0), ((0.0, -0.1), 1.0), ((-0.06, 0.06), 1.15)])
def test_a_box_that_is_off_leads_to_the_face(
    drawn: tuple[Portrait, ...], shift: tuple[float, float], grown: float
) -> None:
    for portrait in drawn:
        points, spread = steadied(portrait.rgb, box_of(portrait, shift, grown), sound=False)
        assert spread < STEADY
        assert miss(points, portrait) < 0.12


def test_where_the_detector_sees_no_face_none_is_believed(drawn: tuple[Portrait, ...]) -> None:
    noise = np.random.default_rng(3).integers(0, 255, drawn[0].rgb.shape, dtype=np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 4), dtype=np.uint8)
    assert steadied(smooth, box_of(drawn[0]), sound=False)[1] >= STEADY


def test_the_same_photo_gives_the_same_landmarks(drawn: tuple[Portrait, ...]) -> None:
    box = box_of(drawn[0], (0.1, 0.1))
    first, second = (steadied(drawn[0].rgb, box, sound=False) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1]


@pytest.mark.parametrize("middle", [(300, 400), (20, 780), (-500, 300), (650, 1500)])
@pytest.mark.parametrize(("side", "turn"), [(60.0, 0.3), (200.0, 0.0), (330.0, -0.4), (800.0, 2.0)])
def test_smoothing_what_is_seen_shows_what_smoothing_the_whole_photo_does(
    middle: tuple[int, int], side: float, turn: float
) -> None:
    rough = np.random.default_rng(2).integers(0, 255, (200, 150, 3), dtype=np.uint8)
    rgb = np.asarray(cv2.resize(rough, (600, 800)), dtype=np.uint8)
    matrix = np.zeros((2, 3))
    matrix[:, :2] = WINDOW / side * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix[:, 2] = CANVAS / 2 - matrix[:, :2] @ middle
    coarse = int(side / WINDOW)

    def shown(source: np.ndarray, there: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.warpAffine(source, there, (CANVAS, CANVAS), borderMode=cv2.BORDER_REPLICATE))

    whole = shown(cv2.blur(rgb, (coarse, coarse)) if coarse > 1 else rgb, matrix)
    assert np.array_equal(shown(*_smoothed(rgb, matrix, coarse)), whole)
