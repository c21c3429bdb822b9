"""Faces with a mask drawn on them."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import cv2
import numpy as np
import pytest

from datasets.portraits.draw import draw_person
from datasets.portraits.person import Person
from models.face_views import SIZE, FaceViews
from pipelines.faces import embedder_version
from pipelines.masked_views import MaskedViews, refound
from synth import Face, FaceFinder, MaskEngine, PhotoRefusedError

Found = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def face() -> Found:
    """A drawn portrait and its landmarks."""
    rgb = np.ascontiguousarray(draw_person(Person("p1", "female", 35), seed=1))
    return rgb, FaceFinder().find(rgb, rivals=1.0)[0].landmarks


def test_a_masked_face_is_described_otherwise_and_always_the_same(face: Found) -> None:
    views = MaskedViews()
    masked, bare = views.embed(*face), FaceViews().embed(*face)
    assert masked.shape == bare.shape == (SIZE,)
    assert np.isfinite(masked).all()
    assert np.linalg.norm((masked - bare).astype(float)[:128]) > 0.1
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(views)).embed(*face), masked)


def test_a_face_that_no_mask_can_be_drawn_on_has_no_numbers(face: Found) -> None:
    rgb, landmarks = face
    tiny = np.ascontiguousarray(rgb[::24, ::24])
    told = MaskedViews().embed(tiny, landmarks / 24)
    assert told.shape == (SIZE,)
    assert np.isnan(told).all()


def test_the_cache_knows_it_from_bare_faces_and_across_processes() -> None:
    assert embedder_version(MaskedViews()) == embedder_version(pickle.loads(pickle.dumps(MaskedViews())))
    assert embedder_version(MaskedViews()) != embedder_version(FaceViews())


def beside(face: Found, factor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photo of two people: somebody else, and the face so many times smaller; its landmarks and the other's."""
    rgb, landmarks = face
    other = np.ascontiguousarray(draw_person(Person("p2", "male", 50), seed=2))
    small = cv2.resize(rgb, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    both = np.full((other.shape[0], other.shape[1] + small.shape[1], 3), 120, np.uint8)
    both[:, : other.shape[1]] = other
    both[: small.shape[0], other.shape[1] :] = small
    return both, landmarks / factor + [other.shape[1], 0], FaceFinder().find(other, rivals=1.0)[0].landmarks


class Asked(MaskEngine):
    """An engine that refuses all, and remembers what was asked for."""

    def mask(self, photo: Any, **wanted: Any) -> Any:
        self.__dict__.setdefault("asked", []).append((wanted["wear"], wanted["seed"]))
        raise PhotoRefusedError("folded", "not today")


def test_which_mask_is_drawn_goes_by_the_pixels_and_one_in_five_leaves_the_nose_out(face: Found) -> None:
    views, engine = MaskedViews(), Asked()
    views._engine = engine
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(300)]
    for rgb in [*pictures, *pictures]:
        assert np.isnan(views.embed(rgb, face[1])).all()
    first, again = engine.__dict__["asked"][:300], engine.__dict__["asked"][300:]
    assert first == again
    assert len({seed for _, seed in first}) == 300
    styles = Counter(wear for wear, _ in first)
    assert set(styles) == {"correct", "nose_out"}
    assert 0.12 < styles["nose_out"] / 300 < 0.28


@pytest.mark.parametrize("smaller", [1.15, 3.0])
def test_of_two_people_the_one_who_was_masked_is_described(face: Found, smaller: float) -> None:
    rgb, ours, theirs = beside(face, smaller)
    found = FaceFinder().find(rgb, rivals=1.0)
    assert found
    # The finder is content with the larger one.
    assert found[0].landmarks[:, 0].max() < ours[:, 0].min()
    bare, views, told = FaceViews(), MaskedViews(), 0
    for gray in range(20):
        # The mask goes by the pixels, and the finder doesn't see every drawn face behind one.
        rgb[-1] = gray
        seen = views.embed(rgb, ours)[:128].astype(float)
        if np.isfinite(seen).all():
            near, far = (np.linalg.norm(seen - bare.embed(rgb, each)[:128]) for each in (ours, theirs))
            assert near < far
            told += 1
    assert told >= 1


def test_where_the_mask_hides_the_face_a_bystander_is_not_taken_for_it(face: Found) -> None:
    rgb, ours, theirs = beside(face, 1.15)
    views = MaskedViews()
    views._engine = MaskEngine(finder=Half(theirs))
    assert np.isnan(views.embed(rgb, ours)).all()
    assert np.isfinite(views.embed(rgb, theirs)).all()


class Half(FaceFinder):
    """A finder that knows of one face only."""

    def __init__(self, landmarks: np.ndarray) -> None:
        super().__init__()
        self.only = Face.from_landmarks(landmarks)

    def find(self, rgb: Any, rivals: Any = 1.0, aside: Any = None) -> list[Face]:
        return [self.only]


def test_the_face_nearest_to_where_it_was_is_the_one() -> None:
    known = np.random.default_rng(0).uniform([100, 100], [200, 220], (68, 2))
    known[:2] = [[100, 100], [200, 220]]

    def at(x: float, y: float, half: float = 40.0) -> Face:
        return Face(np.array([x - half, y - half, x + half, y + half]), known)

    near, nearer, larger = at(130, 140), at(160, 165, half=20), at(20, 160, half=90)
    assert refound([larger, near, nearer], known) is nearer
    assert refound([larger, near], known) is near
    assert refound([larger], known) is None
    assert refound([at(150, 90), at(150, 230), at(210, 160)], known) is None
    assert refound([], known) is None
