from __future__ import annotations

import numpy as np

import datasets.duplicates.persons as persons_module
from datasets.duplicates.persons import near_faces


def test_every_near_pair_of_different_persons_is_found(monkeypatch):
    monkeypatch.setattr(persons_module, "_BLOCK", 7)
    rng = np.random.default_rng(0)
    faces = rng.normal(size=(40, 16)).astype(np.float32)
    faces[20:30] = faces[:10] + rng.normal(scale=0.02, size=(10, 16)).astype(np.float32)
    persons = np.array([f"p{i}" for i in range(40)], dtype=object)
    persons[20] = persons[0]
    pairs, distances = near_faces(faces, persons, 0.5)
    assert pairs.tolist() == [[i, i + 20] for i in range(1, 10)]
    np.testing.assert_allclose(distances, [np.linalg.norm(faces[i] - faces[i + 20]) for i in range(1, 10)], rtol=1e-6)


def test_no_faces_no_pairs():
    pairs, distances = near_faces(np.zeros((0, 128), np.float32), np.array([], dtype=object), 0.5)
    assert pairs.shape == (0, 2)
    assert distances.shape == (0,)
