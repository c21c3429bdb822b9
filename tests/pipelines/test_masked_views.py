"""Faces with a mask drawn on them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from datasets.portraits.draw import draw_person
from datasets.portraits.person import Person
from models.face_views import SIZE, FaceViews
from pipelines.faces import embedder_version
from pipelines.masked_views import MaskedViews
from synth import FaceFinder

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
