"""A machine by itself: what it makes of faces' numbers."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import EmbeddingError
from models.face_machine import check_faces, kernel
from tests.models.test_gender_model import plain_machine


def test_a_score_is_the_sum_over_parts_and_support_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, faces = plain_machine(), np.random.default_rng(1).normal(size=(7, 5))
    expected = []
    for face in (faces - machine.mean) / machine.scale:
        score = machine.intercept
        for dual, part in zip(machine.dual, (slice(0, 2), slice(2, 5)), strict=True):
            for weight, support in zip(dual, machine.support, strict=True):
                gap = ((face[part] - support[part]) ** 2).mean()
                score += weight * np.exp(-machine.width * gap)
        expected.append(score)
    np.testing.assert_allclose(machine.score(faces), expected, rtol=1e-12)
    monkeypatch.setattr("models.face_machine._CHUNK", 3)
    np.testing.assert_allclose(machine.score(faces), expected, rtol=1e-12)
    assert machine.score(faces[:0]).shape == (0,)


def test_faces_are_checked() -> None:
    assert check_faces(np.zeros((2, 3), np.float16)).dtype == np.float64
    for faces in (np.zeros((2, 0)), np.zeros(3), np.zeros((1, 2, 3))):
        with pytest.raises(EmbeddingError, match=r"expected embeddings of shape \(N, D\)"):
            check_faces(faces)
    with pytest.raises(EmbeddingError, match=r"\(N, 4\)"):
        check_faces(np.zeros((2, 3)), 4)


def test_the_kernel_is_one_of_a_face_with_itself_and_sinks_with_distance() -> None:
    faces = np.array([[0.0, 0.0], [1.0, 0.0], [30.0, 40.0]])
    np.testing.assert_allclose(kernel(faces, faces[:1], 0.5)[:, 0], [1, np.exp(-0.25), 0], atol=1e-12)
