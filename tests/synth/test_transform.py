"""Masks inside a training loader."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from synth import SynthUsageError
from synth.engine import MaskEngine
from tests.synth.builders import Painted, paint

pytest.importorskip("albumentations")
import albumentations as A  # noqa: N812

from synth.transform import MaskTransform


@pytest.fixture(scope="module")
def face() -> Painted:
    return paint()


def call(transform: Any, face: Painted, **others: Any) -> dict[str, Any]:
    return transform(image=face.rgb, landmarks=face.landmarks, **others)


def test_a_mask_is_put_on_and_the_label_follows(face: Painted) -> None:
    before = face.rgb.copy()
    done = call(MaskTransform("nose_out", ["kf94"], p=1), face, mask_state="not_wear", gender="female")
    assert np.any(done["image"] != before)
    assert np.array_equal(face.rgb, before)
    assert (done["image"].shape, done["image"].dtype) == (before.shape, before.dtype)
    assert (done["mask_state"], done["wear_style"], done["gender"]) == ("incorrect", "nose_out", "female")


def test_it_is_the_engines_picture(face: Painted) -> None:
    transform = MaskTransform("correct", ["kf94"], p=1)
    transform.set_random_seed(4)
    done = call(transform, face)
    rng = np.random.default_rng(4)
    rng.choice(1, p=[1.0])
    rng.integers(1)
    seed = int(rng.integers(2**62))
    expected = MaskEngine().mask(face.rgb, wear="correct", mask="kf94", seed=seed, landmarks=face.landmarks)
    assert np.array_equal(done["image"], expected.rgb)


def test_not_applied_and_bare_leave_the_pixels(face: Painted) -> None:
    idle = call(MaskTransform(p=0), face, mask_state="wear")
    assert np.array_equal(idle["image"], face.rgb)
    assert (idle["mask_state"], idle["wear_style"]) == ("wear", None)
    bare = call(MaskTransform("not_wear", p=1), face)
    assert np.array_equal(bare["image"], face.rgb)
    assert (bare["mask_state"], bare["wear_style"]) == ("not_wear", "not_wear")


@pytest.mark.parametrize("cache", [0, 2])
def test_a_refused_photo_stays_and_says_why(face: Painted, cache: int) -> None:
    transform = MaskTransform(p=1, cache=cache)
    for _ in range(2):
        done = transform(image=face.rgb, landmarks=face.landmarks / 20, mask_state="not_wear")
        assert np.array_equal(done["image"], face.rgb)
        assert (done["mask_state"], done["wear_style"], transform.refused) == ("not_wear", None, "face_too_small")
    assert call(transform, face)["mask_state"] == "wear"
    assert not transform.refused


def test_a_seeded_pipeline_repeats_itself_and_draws_by_weights(face: Painted) -> None:
    def styles(seed: int) -> tuple[list[str], list[bytes]]:
        augment = A.Compose([MaskTransform({"correct": 1, "chin": 3}, p=1, cache=1)], seed=seed)
        done = [call(augment, face) for _ in range(12)]
        return [each["wear_style"] for each in done], [each["image"].tobytes() for each in done]

    assert styles(3) == styles(3) != styles(4)
    drawn, pictures = styles(3)
    assert drawn.count("chin") > drawn.count("correct") > 0
    assert len(set(pictures)) == 12


@pytest.mark.parametrize("heads", [{"tilt": 15.0}, {"turn": 15.0}, {"tilt": 10.0, "turn": 15.0}])
def test_heads_are_tilted_bare_or_not(face: Painted, heads: dict[str, float]) -> None:
    level, tilted = MaskTransform("not_wear", p=1), MaskTransform("not_wear", p=1, **heads)
    tilted.set_random_seed(3)
    assert np.array_equal(call(level, face)["image"], face.rgb)
    done = call(tilted, face)
    assert np.any(done["image"] != face.rgb)
    assert (done["mask_state"], done["wear_style"]) == ("not_wear", "not_wear")
    assert np.any(call(tilted, face)["image"] != done["image"])
    worn = MaskTransform("correct", ["kf94"], p=1, **heads)
    assert call(worn, face)["mask_state"] == "wear"


def test_a_type_is_only_worn_as_it_can_be() -> None:
    transform = MaskTransform(["hanging", "chin"], ["scarf", "kf94"], p=1, cache=1)
    transform.set_random_seed(1)
    drawn = {transform._drawn() for _ in range(40)}
    assert drawn == {("hanging", "kf94"), ("chin", "kf94"), ("chin", "scarf")}


def test_landmarks_as_keypoints_follow_earlier_transforms(face: Painted) -> None:
    where = A.KeypointParams("xy", remove_invisible=False)
    shift = A.Affine(translate_px={"x": 12, "y": -5}, p=1)
    augment = A.Compose([shift, MaskTransform(landmarks_key="keypoints", p=1)], keypoint_params=where, seed=1)
    done = augment(image=face.rgb, keypoints=face.landmarks, mask_state="not_wear")
    assert done["mask_state"] == "wear"
    moved = np.array([12, -5])
    assert np.allclose(done["keypoints"], face.landmarks + moved, atol=0.01)
    changed = np.argwhere(np.any(done["image"] != A.Compose([shift], seed=1)(image=face.rgb)["image"], axis=-1))
    mouth = face.landmarks[48:60].mean(0) + moved
    assert np.all(np.abs(changed.mean(0)[::-1] - mouth) < 0.25 * face.pose.pixels_per_unit)


def test_a_remembered_photo_gives_the_same_masks(face: Painted) -> None:
    pictures = []
    for cache in (0, 1):
        transform = MaskTransform(p=1, cache=cache)
        transform.set_random_seed(2)
        pictures.append([call(transform, face)["image"] for _ in range(3)])
    assert np.array_equal(*pictures)
    other = paint(person=3)
    assert not np.array_equal(call(transform, other)["image"], pictures[1][-1])
    assert len(transform._ready) == 1


def test_it_is_pickled_after_use_and_goes_on_alike(face: Painted) -> None:
    transform = MaskTransform(["correct", "chin"], p=1, cache=3)
    call(transform, face)
    assert transform.engine
    copy = pickle.loads(pickle.dumps(transform))
    assert not copy._ready
    assert np.array_equal(call(copy, face)["image"], call(transform, face)["image"])


def test_it_is_serialised() -> None:
    transform = MaskTransform({"correct": 2, "chin": 1}, ["kf94"], p=0.3, landmarks_key="points", cache=5)
    again = A.from_dict(A.to_dict(transform))
    assert isinstance(again, MaskTransform)
    assert (again.wear, again.types, again.p) == ({"correct": 2, "chin": 1}, ["kf94"], 0.3)
    assert (again.landmarks_key, again.cache) == ("points", 5)
    assert "kf94" in repr(again)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"wear": "cheek"}, "unknown wear style"),
        ({"wear": []}, "at least one"),
        ({"wear": {"correct": 0}}, "above 0"),
        ({"types": ["veil"]}, "unknown mask type"),
        ({"wear": ["chin", "hanging"], "types": ["scarf", "n95_cup"]}, "worn hanging: scarf, n95_cup"),
        ({"faces": "both"}, "unknown face policy"),
        ({"tilt": 25}, "0 to 20 degrees"),
        ({"turn": -1}, "a turn of heads of 0 to 20 degrees"),
    ],
)
def test_arguments_that_mean_nothing(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SynthUsageError, match=told):
        MaskTransform(**given)


def test_pictures_of_another_kind(face: Painted) -> None:
    with pytest.raises(SynthUsageError, match="uint8"):
        MaskTransform(p=1)(image=face.rgb.astype(np.float32), landmarks=face.landmarks)
    with pytest.raises(SynthUsageError, match="landmarks"):
        MaskTransform(p=1)(image=face.rgb, landmarks=face.landmarks.ravel())


def test_without_albumentations_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['albumentations'] = None; import synth.transform"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'palette-faces[train]'" in done.stderr.splitlines()[-1]
