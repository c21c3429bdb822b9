"""Portraits: a detector finds them, the truth about their landmarks holds, and the same person stays the same."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest

from datasets.portraits import Light, Person, Portrait, Pose, WornMask, draw_person, draw_portrait, sample_traits
from datasets.portraits.camera import make_camera, rotation
from datasets.portraits.hair import STYLES
from datasets.portraits.head import head_sections, outward, wrap
from datasets.portraits.masks import KINDS
from datasets.portraits.masks import STYLES as WEAR_STYLES
from datasets.portraits.person import HAIR_OF_MEN, HAIR_OF_WOMEN
from datasets.portraits.raster import rasterise

AGES = (4, 19, 31, 44, 58, 66, 73, 84)
EYES, MOUTH, CHIN = slice(36, 48), slice(48, 68), 8
UPRIGHT = Light(azimuth=20.0, elevation=30.0)


def someone(number: int = 0, gender: str = "female", age: float = 30) -> Person:
    return Person(f"someone {number}", gender, age, seed=3)


@pytest.fixture(scope="module")
def bare() -> list[Portrait]:
    return [draw_portrait(someone(i, ("female", "male")[i % 2], AGES[i % 8]), seed=i) for i in range(16)]


@pytest.fixture(scope="module")
def found(bare: list[Portrait]) -> list[tuple[Portrait, np.ndarray]]:
    """Those that dlib's frontal detector finds exactly once, with dlib's 68 points."""
    spec = importlib.util.find_spec("face_recognition_models")
    assert spec is not None
    assert spec.origin is not None
    model = Path(spec.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model))
    pairs = []
    for portrait in bare:
        boxes = detector(portrait.rgb, 0)
        if len(boxes) == 1:
            shape = predictor(portrait.rgb, boxes[0])
            pairs.append((portrait, np.array([(shape.part(i).x, shape.part(i).y) for i in range(68)])))
    return pairs


def pupil_distance(landmarks: np.ndarray) -> float:
    return float(np.linalg.norm(landmarks[36:42].mean(0) - landmarks[42:48].mean(0)))


def test_the_frontal_detector_finds_every_bare_face_once(
    bare: list[Portrait], found: list[tuple[Portrait, np.ndarray]]
) -> None:
    assert len(found) == len(bare)


@pytest.mark.parametrize(("part", "worst"), [(EYES, 0.06), (MOUTH, 0.08), ([CHIN], 0.10)])
def test_landmarks_found_lie_where_the_renderer_put_them(
    found: list[tuple[Portrait, np.ndarray]], part: slice | list[int], worst: float
) -> None:
    errors = [
        np.linalg.norm(p.landmarks[part] - seen[part], axis=1).mean() / pupil_distance(p.landmarks) for p, seen in found
    ]
    assert np.mean(errors) < worst


def test_portraits_hold_light_and_shade(bare: list[Portrait]) -> None:
    for portrait in bare:
        assert portrait.rgb.shape == (512, 384, 3)
        assert portrait.rgb.dtype == np.uint8
        x0, y0 = portrait.landmarks.min(0).astype(int)
        x1, y1 = portrait.landmarks.max(0).astype(int)
        face = portrait.rgb[y0:y1, x0:x1].astype(float).mean(-1)
        assert face.std() > 20  # a flat drawing has next to none
        assert (portrait.rgb > 252).all(-1).mean() < 0.02


def test_the_key_light_brightens_the_side_it_comes_from() -> None:
    person, pose = someone(2, "male", 30), Pose()
    cheeks = []
    for azimuth in (50.0, -50.0):
        portrait = draw_portrait(person, pose=pose, light=Light(azimuth=azimuth), seed=1)
        (left, right), y = portrait.landmarks[[4, 12], 0], int(portrait.landmarks[33, 1])
        nose = portrait.landmarks[33, 0]
        patches = [
            portrait.rgb[y - 8 : y + 8, int(x) - 8 : int(x) + 8].mean() for x in ((left + nose) / 2, (right + nose) / 2)
        ]
        cheeks.append(patches[1] - patches[0])
    assert cheeks[0] > 10
    assert cheeks[1] < -10


def test_equal_arguments_give_equal_pixels_and_others_do_not() -> None:
    first = draw_person(someone(), seed=5)
    assert np.array_equal(first, draw_person(someone(), seed=5))
    assert not np.array_equal(first, draw_person(someone(), seed=6))
    assert not np.array_equal(first, draw_person(someone(1), seed=5))


def test_traits_belong_to_the_person_and_not_to_the_photo() -> None:
    assert sample_traits(someone(4)) == sample_traits(someone(4))
    assert sample_traits(someone(4)) != sample_traits(replace(someone(4), seed=9))


def test_age_shows_in_wrinkles_and_grey_hair_and_gender_in_tendencies() -> None:
    def average(name: str, gender: str, age: float) -> float:
        return float(np.mean([getattr(sample_traits(someone(i, gender, age)), name) for i in range(60)]))

    for name in ("wrinkle", "sag", "grey", "spots"):
        assert average(name, "male", 75) > average(name, "male", 45) + 0.05 > 0.05
    for name in ("jaw", "brow_thick", "ridge", "beard", "neck"):
        assert average(name, "male", 35) > average(name, "female", 35)
    for name in ("lip_upper", "lashes"):
        assert average(name, "female", 35) > average(name, "male", 35)
    assert average("lower", "male", 5) < average("lower", "male", 30)


def test_every_haircut_of_the_samplers_can_be_drawn() -> None:
    assert set(HAIR_OF_MEN) | set(HAIR_OF_WOMEN) == set(STYLES)
    worn = {
        sample_traits(someone(i, gender, age)).hair
        for i in range(80)
        for gender in ("male", "female")
        for age in (25, 75)
    }
    assert worn == set(STYLES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_covers_what_its_wear_style_says(kind: str) -> None:
    person, pose = someone(3, "male", 30), Pose()
    without = draw_portrait(person, pose=pose, light=UPRIGHT, seed=2)
    points = {"nose": without.landmarks[30], "mouth": without.landmarks[[62, 66]].mean(0)}
    points["chin"] = without.landmarks[8] - (0, 0.12 * pupil_distance(without.landmarks))
    changed = {}
    for style in WEAR_STYLES:
        worn = draw_person(person, pose=pose, light=UPRIGHT, seed=2, mask=WornMask(kind, style))
        apart = np.abs(worn.astype(int) - without.rgb).max(-1)
        for name, (x, y) in points.items():
            changed[style, name] = np.median(apart[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4]) > 14
    expected = {
        **{("correct", name): True for name in points},
        **{("nose_out", "nose"): False, ("nose_out", "mouth"): True, ("nose_out", "chin"): True},
        **{("chin", "nose"): False, ("chin", "mouth"): False, ("chin", "chin"): True},
    }
    assert changed == expected


def test_a_mask_leaves_the_eyes_and_the_corners_of_the_picture() -> None:
    person, pose = someone(5, "male", 30), Pose()
    without = draw_portrait(person, pose=pose, light=UPRIGHT, seed=2)
    worn = draw_person(person, pose=pose, light=UPRIGHT, seed=2, mask=WornMask("surgical", "correct"))
    apart = np.abs(worn.astype(int) - without.rgb).max(-1)
    for x, y in without.landmarks[36:48]:
        assert apart[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].max() < 40
    assert apart[:60].max() == 0


@pytest.mark.parametrize("size", [(192, 256), (300, 340)])
def test_landmarks_follow_the_size_of_the_picture(size: tuple[int, int]) -> None:
    large = draw_portrait(someone(6), pose=Pose(yaw=6), light=UPRIGHT, seed=1)
    small = draw_portrait(someone(6), size=size, pose=Pose(yaw=6), light=UPRIGHT, seed=1)
    factor = min(size[0] / 384, size[1] / 512)
    assert small.rgb.shape == (size[1], size[0], 3)
    moved = (large.landmarks - np.array([384 * 0.5, 512 * 0.455])) * factor + np.array([size[0] * 0.5, size[1] * 0.455])
    assert np.abs(moved - small.landmarks)[17:].max() < 0.6


def test_a_turned_head_moves_the_nose_the_way_pose_says() -> None:
    def nose(pose: Pose) -> np.ndarray:
        landmarks = draw_portrait(someone(7), size=(96, 128), pose=pose, light=UPRIGHT).landmarks
        eyes = landmarks[36:48].mean(0)
        return np.asarray((landmarks[30] - eyes) / pupil_distance(landmarks))

    ahead = nose(Pose())
    assert nose(Pose(yaw=15))[0] > ahead[0] + 0.1
    assert nose(Pose(yaw=-15))[0] < ahead[0] - 0.1
    assert nose(Pose(pitch=12))[1] > ahead[1] + 0.05


def test_rotations_keep_lengths_and_handedness() -> None:
    turn = rotation(20, -11, 7)
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1, abs=1e-5)


def test_a_point_is_drawn_where_the_camera_projects_it() -> None:
    camera = make_camera((200, 240), Pose(yaw=10, pitch=5))
    traits = sample_traits(someone(8))
    surface = wrap(head_sections(traits, int(2.4 * camera.scale)), traits, int(1.9 * camera.scale))
    pixels = camera.project(camera.place(surface.points))
    seen = rasterise(pixels, camera.place(surface.points)[..., 2], (200, 240))
    assert seen is not None
    back = seen.sample(pixels)
    rows, cols = np.mgrid[seen.window]
    inner = cv2.erode(seen.cover, np.ones((5, 5))) > 0
    assert inner.sum() > 3000
    apart = np.hypot(back[..., 0] - cols, back[..., 1] - rows)[inner]
    assert np.median(apart) < 0.05
    assert np.quantile(apart, 0.97) < 0.5  # less exact only where the surface turns away


def test_nothing_in_the_picture_is_nothing_seen() -> None:
    x, y = np.meshgrid(np.arange(-60.0, -20.0), np.arange(-60.0, -20.0))
    pixels = np.dstack([x, y]).astype(np.float32)
    assert rasterise(pixels, np.zeros(pixels.shape[:2], np.float32), (50, 50)) is None


def test_normals_of_the_head_point_outward() -> None:
    surface = wrap(head_sections(sample_traits(someone(9)), 120), sample_traits(someone(9)), 100)
    middle = surface.points[60, 50]
    assert outward(surface.points)[60, 50] @ np.array([0, 0, 1]) > 0.9
    assert middle[2] > 1
    assert np.allclose(np.linalg.norm(surface.normals[5:-5, 5:-5], axis=-1), 1, atol=1e-3)
