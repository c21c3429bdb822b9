"""The gate: each reason on a face made to deserve it, and none on faces that don't."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from datasets.portraits import Person, Portrait, Pose, WornMask, draw_portrait
from synth import Face, MaskEngine, PhotoRefusedError, SynthUsageError
from synth.arrays import FloatArray, RgbImage
from synth.gate import REASONS, Gate, check_face, skin_below
from synth.pose import fit_pose
from tests.synth.builders import paint, view

ENGINE = MaskEngine()


def refusal(rgb: RgbImage, landmarks: FloatArray | None = None, **options: str) -> PhotoRefusedError:
    engine = replace(ENGINE, **options) if options else ENGINE
    with pytest.raises(PhotoRefusedError) as caught:
        engine.prepare(rgb, landmarks=landmarks)
    assert caught.value.reason in REASONS
    return caught.value


def test_a_good_face_passes() -> None:
    face = paint()
    ready = ENGINE.prepare(face.rgb, landmarks=face.landmarks)
    assert ready.rgb is face.rgb
    assert ready.zoom == 1


def test_no_face_in_a_flat_picture() -> None:
    assert refusal(np.full((120, 100, 3), 128, np.uint8)).reason == "no_face"


def test_five_people_side_by_side_are_several(drawn: tuple[Portrait, ...]) -> None:
    row = np.hstack([drawn[i % 3].rgb for i in range(5)])
    error = refusal(row)
    assert error.reason == "several_faces"
    assert "5" in error.detail


def test_an_unknown_policy_lists_the_known() -> None:
    with pytest.raises(SynthUsageError, match=r"auto, largest, all, refuse"):
        MaskEngine(faces="smallest")


@pytest.mark.parametrize("unit", [8, 12, 18])
def test_small_faces_are_refused_with_the_figures(unit: float) -> None:
    face = paint(size=(100, 120), unit=unit)
    error = refusal(face.rgb, face.landmarks)
    assert error.reason == "face_too_small"
    assert "14" in error.detail


def test_a_small_face_that_is_turned_is_told_from_a_far_one() -> None:
    # A turned head's eyes are close together in the picture; what counts is the head's size.
    face = paint(yaw=45, size=(140, 160), unit=36)
    assert Face.from_landmarks(face.landmarks).eye_distance < 20
    ENGINE.prepare(face.rgb, landmarks=face.landmarks)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll", "named"),
    [(60, 0, 0, "yaw"), (-60, 0, 0, "yaw"), (0, 42, 0, "pitch"), (0, -42, 0, "pitch"), (0, 0, 110, "roll")],
)
def test_heads_turned_too_far_are_refused_by_name(yaw: float, pitch: float, roll: float, named: str) -> None:
    face = paint(yaw, pitch, roll)
    error = refusal(face.rgb, face.landmarks)
    assert error.reason == "extreme_pose"
    assert error.detail.startswith(named)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(40, 0, 0), (-40, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, -45), (0, 0, 90)]
)
def test_heads_turned_as_people_do_pass(yaw: float, pitch: float, roll: float) -> None:
    face = paint(yaw, pitch, roll)
    assert ENGINE.prepare(face.rgb, landmarks=face.landmarks).pose.angles == pytest.approx((yaw, pitch, roll), abs=3)


@pytest.mark.parametrize("rows", [185, 200])
def test_a_chin_outside_the_photo_is_cut_off(rows: int) -> None:
    face = paint()
    assert face.landmarks[48:60, 1].max() > rows
    assert refusal(face.rgb[:rows], face.landmarks).reason == "cut_off"


def test_a_forehead_outside_the_photo_is_no_matter() -> None:
    face = paint()
    top = int(face.landmarks[17:27, 1].min()) + 4
    ready = ENGINE.prepare(face.rgb[top:], landmarks=face.landmarks - [0, top])
    assert ready.face.landmarks[17:27, 1].min() < 0


@pytest.mark.parametrize("seed", range(3))
def test_landmarks_that_miss_a_face_are_ambiguous(seed: int) -> None:
    face = paint()
    bent = face.landmarks + np.random.default_rng(seed).normal(0, 14, (68, 2))
    assert refusal(face.rgb, bent).reason == "ambiguous_face"


def test_landmarks_that_follow_the_detectors_box_are_ambiguous() -> None:
    face = paint()
    loose = replace(Face.from_landmarks(face.landmarks), spread=0.3)
    with pytest.raises(PhotoRefusedError, match="ambiguous_face"):
        check_face(face.rgb, loose, face.pose, Gate())


def test_a_face_forty_pixels_wide_is_large_enough() -> None:
    face = paint(size=(84, 96), unit=25.6)
    assert np.ptp(face.landmarks[:17, 0]) == pytest.approx(40, abs=1)
    ENGINE.prepare(face.rgb, landmarks=face.landmarks)


def test_landmarks_that_are_no_face_at_all_are_refused() -> None:
    face = paint()
    mixed = refusal(face.rgb, face.landmarks[np.random.default_rng(0).permutation(68)])
    line = refusal(face.rgb, np.linspace([40, 40], [240, 250], 68))
    assert {mixed.reason, line.reason} <= {"ambiguous_face", "extreme_pose", "face_too_small", "cut_off"}


@pytest.mark.parametrize("colour", [(120, 160, 200), (235, 235, 235), (25, 25, 28), (40, 110, 60)])
def test_a_covered_lower_face_is_refused(colour: tuple[int, int, int]) -> None:
    face = paint()
    covered = face.rgb.copy()
    outline = np.concatenate([face.landmarks[3:14], face.landmarks[[29]]])
    cv2.fillConvexPoly(covered, cv2.convexHull(np.round(outline).astype(np.int32)), colour)
    assert refusal(covered, face.landmarks).reason == "already_covered"


@pytest.mark.parametrize("kind", ["surgical", "kf94", "black", "cloth"])
def test_people_who_wear_a_mask_already_are_refused(kind: str) -> None:
    # The drawing knows the landmarks beneath the mask: the gate is asked even where the detector would find nobody.
    portrait = draw_portrait(
        Person("wearer", "female", 33), size=(240, 320), pose=Pose(), mask=WornMask(kind, "correct"), seed=2
    )
    assert refusal(portrait.rgb, portrait.landmarks).reason == "already_covered"


def test_no_photo_of_a_wearer_gets_a_second_mask() -> None:
    for seed, kind in enumerate(("surgical", "black")):
        portrait = draw_portrait(
            Person(f"w{seed}", "male", 30), size=(240, 320), mask=WornMask(kind, "correct"), seed=seed
        )
        faces = ENGINE.finder.find(portrait.rgb)
        assert faces
        for face in faces:
            assert refusal(portrait.rgb, face.landmarks).reason in ("already_covered", "ambiguous_face")


@pytest.mark.parametrize("number", range(3))
def test_bare_faces_are_skin_all_over(drawn: tuple[Portrait, ...], number: int) -> None:
    assert skin_below(drawn[number].rgb, Face.from_landmarks(drawn[number].landmarks.astype(float))) > 0.5


def test_a_grayscale_photo_says_nothing_of_skin(drawn: tuple[Portrait, ...]) -> None:
    gray = cv2.cvtColor(cv2.cvtColor(drawn[0].rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert skin_below(np.asarray(gray, np.uint8), Face.from_landmarks(drawn[0].landmarks.astype(float))) > 0.9


def test_limits_are_the_gates() -> None:
    face = paint(yaw=20)
    known, pose = Face.from_landmarks(face.landmarks), fit_pose(face.landmarks)
    check_face(face.rgb, known, pose, Gate())
    with pytest.raises(PhotoRefusedError, match="yaw"):
        check_face(face.rgb, known, pose, Gate(max_yaw=10))
    with pytest.raises(PhotoRefusedError, match="face_too_small"):
        check_face(face.rgb, known, pose, Gate(min_eye_distance=200))
    assert view(yaw=20).angles[0] == pytest.approx(20)
