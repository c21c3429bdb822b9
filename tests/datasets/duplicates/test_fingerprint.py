from __future__ import annotations

import numpy as np
import pytest

from datasets.duplicates.candidates import shared_words
from datasets.duplicates.fingerprint import BITS, POINTS, SIDE, TABLES, Fingerprint, fingerprint
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


def three_patches(across=(0.0, 0.0, 0.0), down=(0.0, 0.0, 0.0), octaves=(0.0, 0.0, 0.0)):
    """A photo of three patches that all such photos have, moved and scaled as told: pixels, and bins of 0.6 octaves."""
    words = np.arange(3 * TABLES, dtype=np.uint32).reshape(3, TABLES)
    sizes = 8 * 2 ** (0.6 * np.array(octaves))
    return Fingerprint(words, np.stack([across, down, sizes], axis=1).astype(np.float32))


def test_words_that_very_many_patches_have_say_nothing():
    hundred = [three_patches()] * 100
    assert len(shared_words(hundred)) == 100 * 99 // 2
    assert shared_words([*hundred, three_patches()]).shape == (0, 2)


EDGE = (-0.1, 0.1, 0.1)
PIXELS = tuple(SIDE / 4 * share for share in EDGE)


@pytest.mark.parametrize(
    "moved",
    [
        {"across": PIXELS},
        {"down": PIXELS},
        {"octaves": EDGE},
        {"across": PIXELS, "down": PIXELS},
        {"across": PIXELS, "down": PIXELS, "octaves": EDGE},
    ],
)
def test_patches_on_both_sides_of_a_bins_edge_agree(moved):
    assert shared_words([three_patches(), three_patches(**moved)]).tolist() == [[0, 1]]


@pytest.mark.parametrize("far", [{"across": (-150, 0, 150)}, {"down": (-150, 0, 150)}, {"octaves": (-2, 0, 2)}])
def test_patches_in_another_arrangement_do_not(far):
    assert shared_words([three_patches(), three_patches(**far)]).shape == (0, 2)
