from __future__ import annotations

import imagehash
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets.duplicates.hashes import MIRROR, RADIUS, near_hashes, to_numbers
from tests.datasets.duplicates.scenes import scene

HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=0, max_size=12)
FLIPS = st.lists(st.tuples(st.sets(st.integers(0, 63), max_size=RADIUS + 2), st.booleans()), max_size=6)


def all_pairs(hashes):
    near = set()
    for i, one in enumerate(hashes):
        for j in range(i + 1, len(hashes)):
            apart = one ^ hashes[j]
            if min(apart.bit_count(), (apart ^ MIRROR).bit_count()) <= RADIUS:
                near.add((i, j))
    return near


@settings(deadline=None, max_examples=60)
@given(HASHES, FLIPS)
def test_every_pair_within_the_radius_is_found_and_no_other(hashes, flips):
    for number, (bits, mirrored) in enumerate(flips):
        if hashes:
            changed = hashes[number % len(hashes)] ^ sum(1 << bit for bit in bits)
            hashes = [*hashes, changed ^ MIRROR if mirrored else changed]
    found = near_hashes(np.array(hashes, dtype=np.uint64))
    assert {tuple(pair) for pair in found.tolist()} == all_pairs(hashes)


def test_the_hash_of_a_mirrored_picture_is_near_the_mirrored_hash():
    for seed in range(5):
        picture = Image.fromarray(scene(seed))
        one, other = to_numbers(
            [str(imagehash.phash(each)) for each in (picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))]
        )
        assert np.bitwise_count(one ^ other) > 20
        assert np.bitwise_count(one ^ other ^ np.uint64(MIRROR)) <= 10


def test_very_many_equal_hashes_are_chained_not_crossed():
    pairs = near_hashes(np.zeros(1000, dtype=np.uint64))
    assert len(pairs) < 1000 * 64 * 2
    assert set(pairs.ravel().tolist()) == set(range(1000))
