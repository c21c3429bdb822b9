"""Perceptual hashes that differ by a few bits, found without comparing each with every other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIRROR: Final = 0x5555555555555555
"""`imagehash.phash` has a bit for each of 8 x 8 cosines, set where it is above their median, which is near zero. The
mirror image turns the sign of every second one (the odd ones across), and so these bits."""
RADIUS: Final = 4
"""Bits. Of 150 real photos re-encoded and resized all stayed within 2; half of the mirrored ones within 4."""

_BLOCKS: Final = RADIUS + 2  # two of them are equal if all differ by no more than RADIUS bits
_EDGES: Final = tuple(round(block * 64 / _BLOCKS) for block in range(_BLOCKS + 1))
_MOST: Final = 64
"""Neighbours that a hash is compared with where very many share two blocks, as hashes of blank pictures do."""

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]


def to_numbers(hashes: Sequence[str]) -> Hashes:
    """Returns hashes of 16 hex digits as (N,) uint64."""
    return np.array([int(text, 16) for text in hashes], dtype=np.uint64)


def near_hashes(hashes: Hashes) -> Pairs:
    """Finds pairs of hashes that differ by at most RADIUS bits, as they are or mirrored.

    The 64 bits are cut into RADIUS + 2 blocks. Hashes as near as that agree in two whole blocks at least, so those that
    do are found by sorting, once for every two blocks, and only they are compared: each with the _MOST that follow it
    in order, so that of crowds that share two blocks not every pair is found.

    Args:
        hashes: (N,) uint64.

    Returns:
        (M, 2) int64 positions, the smaller first, sorted, each pair once.
    """
    count = len(hashes)
    if count < 2:
        return np.zeros((0, 2), np.int64)
    both = np.concatenate([hashes, hashes ^ np.uint64(MIRROR)])
    found = []
    for first, second in combinations(range(_BLOCKS), 2):
        mask = np.uint64(_ones(first) | _ones(second))
        pairs = _within(both, both & mask, count)
        if len(pairs):
            found.append(pairs)
    if not found:
        return np.zeros((0, 2), np.int64)
    pairs = np.sort(np.concatenate(found) % count, axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _ones(block: int) -> int:
    return (1 << _EDGES[block + 1]) - (1 << _EDGES[block])


def _within(both: Hashes, keys: Hashes, count: int) -> Pairs:
    """Pairs with the same key and within RADIUS, less those of which both are mirrored."""
    order = np.lexsort((both, keys))
    keys, ordered = keys[order], both[order]
    found = []
    at = np.arange(len(order) - 1)
    for step in range(1, _MOST + 1):
        at = at[at + step < len(order)]
        at = at[keys[at] == keys[at + step]]
        if not len(at):
            break
        near = at[np.bitwise_count(ordered[at] ^ ordered[at + step]) <= RADIUS]
        pairs = np.stack([order[near], order[near + step]], axis=1)
        found.append(pairs[(pairs < count).any(axis=1)])
    return np.concatenate(found) if found else np.zeros((0, 2), np.int64)
