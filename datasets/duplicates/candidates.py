"""Pairs of photos that share enough local words, in the same arrangement, to be worth opening again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datasets.duplicates.fingerprint import BITS, SIDE, TABLES, Fingerprint

LEAST_VOTES: Final = 3
"""Patches that two photos must share, in one arrangement."""
MOST_ALIKE: Final = 100
"""A word that more patches than this have says nothing: eyes and collars look alike all over the world."""

_OCTAVE: Final = 0.6  # width of a bin of log2 scale; SIFT's sizes step by a third
_SHIFT: Final = SIDE / 4  # width of a bin of translation, pixels
_PARTS: Final = 16  # the words are gone through by their highest bits, so that little is in memory at once

Pairs = NDArray[np.int64]


def shared_words(prints: Sequence[Fingerprint]) -> Pairs:
    """Finds pairs of photos with at least LEAST_VOTES patches in common that agree on scale and place.

    Words are sorted and equal neighbours paired, so that the work grows with the number of photos and of matches, not
    with its square.

    Args:
        prints: One a photo.

    Returns:
        (M, 2) int64 positions in `prints`, the smaller first, sorted, each pair once.
    """
    counts = [len(each.words) for each in prints]
    if not sum(counts):
        return np.zeros((0, 2), np.int64)
    words = np.concatenate([each.words for each in prints])
    places = np.concatenate([each.places for each in prints])
    photo = np.repeat(np.arange(len(prints), dtype=np.int64), counts)
    matches = _matches(words, photo)
    return _agreeing(matches, photo, places, len(prints))


def _matches(words: NDArray[np.uint32], photo: Pairs) -> Pairs:
    """Returns (M, 2) patches that share a word, the one of the earlier photo first, each pair once."""
    found = []
    for part in range(_PARTS):
        of_part = [_equal_neighbours(words, photo, table, part) for table in range(TABLES)]
        found.append(np.unique(np.concatenate(of_part), axis=0))
    return np.asarray(np.unique(np.concatenate(found), axis=0), dtype=np.int64)


def _equal_neighbours(words: NDArray[np.uint32], photo: Pairs, table: int, part: int) -> Pairs:
    column = words[:, table]
    mine = np.flatnonzero(column >> (BITS - 4) == part)
    order = mine[np.argsort(column[mine], kind="stable")]
    ordered = column[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    useful = (lengths > 1) & (lengths <= MOST_ALIKE)
    left = np.repeat(lengths * useful, lengths) - 1  # how many of its run may still follow each
    left -= np.arange(len(ordered)) - np.repeat(starts, lengths)
    found, step, at = [], 1, np.flatnonzero(left > 0)
    while len(at):
        found.append(np.stack([order[at], order[at + step]], axis=1))
        step += 1
        at = at[left[at] >= step]
    pairs = np.concatenate(found) if found else np.zeros((0, 2), np.int64)
    return np.asarray(pairs[photo[pairs[:, 0]] != photo[pairs[:, 1]]], dtype=np.int64)


def _agreeing(matches: Pairs, photo: Pairs, places: NDArray[np.float32], photos: int) -> Pairs:
    """Keeps the pairs of photos of which enough matches agree, a Hough vote over scale, place and mirroring."""
    both = photo[matches[:, 0]] * photos + photo[matches[:, 1]]
    _, inverse, votes = np.unique(both, return_inverse=True, return_counts=True)
    often = votes[inverse] >= LEAST_VOTES
    names, pair = np.unique(both[often], return_inverse=True)
    first, second = places[matches[often, 0]], places[matches[often, 1]]
    scale = second[:, 2] / first[:, 2]
    octave = np.log2(scale) / _OCTAVE
    down = (second[:, 1] - scale * first[:, 1]) / _SHIFT
    agreed = []
    for mirrored in (1.0, -1.0):
        across = (second[:, 0] - mirrored * scale * first[:, 0]) / _SHIFT
        for half in range(8):  # bins are laid twice in each direction, so that no cluster is cut by an edge
            bins = [
                np.floor(value + 0.5 * ((half >> bit) & 1)).astype(np.int64) + 64
                for bit, value in enumerate((octave, across, down))
            ]
            key = ((pair * 128 + bins[0]) * 128 + np.clip(bins[1], 0, 127)) * 128 + np.clip(bins[2], 0, 127)
            same, counts = np.unique(key, return_counts=True)
            agreed.append(same[counts >= LEAST_VOTES] >> 21)
    kept = names[np.unique(np.concatenate(agreed))]
    return np.stack([kept // photos, kept % photos], axis=1)
