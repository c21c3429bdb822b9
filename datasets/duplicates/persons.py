"""The same person in different pictures, by the distance between embeddings of their faces."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_BLOCK: Final = 2048

Pairs = NDArray[np.int64]


def near_faces(
    embeddings: NDArray[np.float32], persons: NDArray[Any], threshold: float
) -> tuple[Pairs, NDArray[np.float64]]:
    """Finds pairs of faces of different persons that lie within a distance of each other.

    Every pair is looked at, in blocks, so the time grows with the square of the number of faces: give one face a
    person where there are very many.

    Args:
        embeddings: (N, D) float32.
        persons: (N,) keys of the persons that the faces are known to belong to.
        threshold: Greatest Euclidean distance.

    Returns:
        (M, 2) int64 positions, the smaller first, sorted; and (M,) distances.
    """
    squares = np.einsum("nd,nd->n", embeddings, embeddings)
    limit = np.float32(threshold**2 + 1e-4)  # what is too far by rounding alone is measured again below
    found = []
    for top in range(0, len(embeddings), _BLOCK):
        rows = embeddings[top : top + _BLOCK]
        for left in range(top, len(embeddings), _BLOCK):
            columns = embeddings[left : left + _BLOCK]
            far = squares[top : top + _BLOCK, None] + squares[left : left + _BLOCK] - 2 * (rows @ columns.T)
            one, other = np.nonzero(far <= limit)
            found.append(np.stack([one + top, other + left], axis=1))
    pairs = np.concatenate(found) if found else np.zeros((0, 2), np.int64)
    pairs = pairs[(pairs[:, 0] < pairs[:, 1]) & (persons[pairs[:, 0]] != persons[pairs[:, 1]])]
    apart = embeddings[pairs[:, 0]].astype(np.float64) - embeddings[pairs[:, 1]]
    distances = np.linalg.norm(apart, axis=1)
    near = distances <= threshold
    pairs, distances = pairs[near], distances[near]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], distances[order]
