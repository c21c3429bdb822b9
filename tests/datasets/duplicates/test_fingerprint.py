from __future__ import annotations

import numpy as np
import pytest

from datasets.duplicates.candidates import shared_words
from datasets.duplicates.fingerprint import BITS, POINTS, SIDE, TABLES, fingerprint
from tests.datasets.duplicates.scenes import copied, decoded, scene


def test_shapes_and_ranges():
    print_ = fingerprint(scene(0))
    count = len(print_.words)
    assert 20 < count <= POINTS
    assert (print_.words.shape, print_.words.dtype) == ((count, TABLES), np.uint32)
    assert (print_.places.shape, print_.places.dtype) == ((count, 3), np.float32)
    assert print_.words.max() < 2**BITS
    assert np.abs(print_.places[:, :2]).max() <= SIDE / 2
    again = fingerprint(scene(0))
    assert (again.words == print_.words).all()
    assert (again.places == print_.places).all()


def test_a_mirrored_picture_has_the_same_words_at_mirrored_places():
    plain, mirrored = (
        fingerprint(scene(1, (256, 256))),
        fingerprint(np.ascontiguousarray(scene(1, (256, 256))[:, ::-1])),
    )
    where = {tuple(words): place for words, place in zip(plain.words.tolist(), plain.places, strict=True)}
    both = [
        (where[tuple(words)], place)
        for words, place in zip(mirrored.words.tolist(), mirrored.places, strict=True)
        if tuple(words) in where
    ]
    assert len(both) > len(plain.words) / 8
    near = [np.abs(one * [-1, 1, 1] - other).max() < 2 for one, other in both]
    assert np.mean(near) > 0.9


def test_a_picture_without_structure_has_no_words():
    blank = fingerprint(np.full((50, 40, 3), 200, np.uint8))
    assert blank.words.shape == (0, TABLES)
    assert blank.places.shape == (0, 3)


@pytest.mark.parametrize("mirrored", [False, True])
def test_copies_are_candidates_and_strangers_are_not(mirrored):
    pictures = [scene(seed) for seed in range(30)]
    boxes = [(0, 0, 1, 1), (0.2, 0.2, 1, 1), (0, 0.1, 0.75, 0.9)]
    copies = [decoded(copied(pictures[i], box=box, mirrored=mirrored)) for i, box in enumerate(boxes)]
    pairs = shared_words([fingerprint(picture) for picture in [*pictures, *copies]])
    assert pairs.tolist() == [[0, 30], [1, 31], [2, 32]]


def test_nothing_is_shared_by_nothing():
    blank = fingerprint(np.zeros((20, 20, 3), np.uint8))
    assert shared_words([]).shape == (0, 2)
    assert shared_words([blank, blank]).shape == (0, 2)
    assert shared_words([fingerprint(scene(1))]).shape == (0, 2)
