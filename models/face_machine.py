"""What is learned from faces' numbers: support vector machines with radial kernels, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.calibration import Codes, FloatArray
from models.errors import EmbeddingError, SettingsError

_CHUNK = 4096
ARRAYS: Final = ("mean", "scale", "support", "dual")
SCALARS: Final = ("width", "intercept")


@dataclass(frozen=True, eq=False)
class FaceMachine:
    """Support vector machines with radial kernels, one for each part of a face's numbers, whose scores are added up.

    It is plain arrays, so that it is saved without pickle and predicts without scikit-learn.

    Attributes:
        mean: (D,) subtracted from a face's numbers.
        scale: (D,) they are then divided by.
        support: (S, D) support vectors, standardised.
        dual: (B, S) their coefficients in each of the B machines; positive ones pull towards yes.
        blocks: lengths of the B parts, which add up to D.
        width: of the kernels exp(-width |x - s|^2 / d), over the d numbers of a part.
        intercept: of the score.
    """

    mean: FloatArray
    scale: FloatArray
    support: FloatArray
    dual: FloatArray
    blocks: tuple[int, ...]
    width: float
    intercept: float

    def score(self, faces: NDArray[Any]) -> FloatArray:
        """Signed distances from the boundary, (N,); positive is yes.

        Args:
            faces: (N, D), finite.

        Raises:
            EmbeddingError: the array has another shape, or is not finite.
        """
        vectors = check_faces(faces, len(self.mean))
        chunks = [self._score_chunk(vectors[at : at + _CHUNK]) for at in range(0, len(vectors), _CHUNK)]
        return np.concatenate(chunks) if chunks else np.zeros(0)

    def _score_chunk(self, vectors: FloatArray) -> FloatArray:
        x = standardised(vectors, self.mean, self.scale)
        scores = np.full(len(x), self.intercept)
        for dual, part in zip(self.dual, parts(self.blocks), strict=True):
            scores += kernel(x[:, part], self.support[:, part], self.width) @ dual
        return scores

    def fits(self) -> bool:
        """Whether the arrays' shapes go together."""
        rows = self.dual.shape[1] if self.dual.ndim == 2 and len(self.dual) == len(self.blocks) else -1
        size = sum(self.blocks)
        return (self.mean.shape, self.scale.shape, self.support.shape) == ((size,), (size,), (rows, size))

    def arrays(self) -> dict[str, FloatArray]:
        """Those of `ARRAYS`, by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    def scalars(self) -> dict[str, Any]:
        """Everything else, as JSON takes it."""
        return {"blocks": list(self.blocks), **{name: getattr(self, name) for name in SCALARS}}


def machine_from(scalars: Mapping[str, Any], arrays: Mapping[str, Any]) -> FaceMachine:
    """A machine of what `FaceMachine.scalars` and `arrays` gave; whether it `fits` is for the caller to ask."""
    values: dict[str, Any] = {name: np.asarray(arrays[name], dtype=np.float64) for name in ARRAYS}
    values |= {name: float(scalars[name]) for name in SCALARS}
    return FaceMachine(**values, blocks=tuple(int(size) for size in scalars["blocks"]))


def check_faces(faces: NDArray[Any], length: int | None = None) -> FloatArray:
    """The numbers of faces as (N, D) float64.

    Args:
        faces: to check.
        length: that D must be; any without.

    Raises:
        EmbeddingError: the array has another shape, or is not finite.
    """
    vectors = np.asarray(faces, dtype=np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != (length or vectors.shape[1]) or vectors.shape[1] == 0:
        raise EmbeddingError(f"expected embeddings of shape (N, {length or 'D'}), got {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise EmbeddingError("some embeddings hold values that are not finite: embed those photos again")
    return vectors


def check_labelled(
    faces: NDArray[Any],
    labels: NDArray[Any],
    persons: NDArray[Any],
    words: Sequence[str],
    what: str,
    length: int | None = None,
) -> tuple[FloatArray, Codes, NDArray[np.str_]]:
    """Faces that are learned from: their numbers, their labels as positions in the words, and who is in each.

    Args:
        faces: (N, D), as `check_faces` takes them.
        labels: (N,) of the words.
        persons: (N,).
        words: that a label may be.
        what: labels are of, in the plural, for messages.
        length: that D must be; any without.

    Raises:
        EmbeddingError: the faces have another shape, or are not finite.
        SettingsError: a label is none of the words, or the arrays' lengths differ.
    """
    vectors = check_faces(faces, length)
    names, people = np.asarray(labels, dtype=str), np.asarray(persons, dtype=str)
    if not len(vectors) == len(names) == len(people):
        raise SettingsError(f"{len(vectors)} embeddings, {len(names)} {what} and {len(people)} persons: give one each")
    unknown = sorted(set(names.tolist()) - set(words))
    if unknown:
        raise SettingsError(f"{what} must be {' or '.join(words)}, not {', '.join(unknown)}")
    return vectors, np.array([words.index(name) for name in names.tolist()], dtype=np.int64), people


def standardised(vectors: FloatArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """(N, D) numbers of faces as kernels take them; `mean` and `scale` are those of `FaceMachine`."""
    return np.asarray((vectors - mean) / scale, dtype=np.float64)


def parts(blocks: Sequence[int]) -> list[slice]:
    """Where each of the parts of a face's numbers lies."""
    ends = np.cumsum(blocks).tolist()
    return [slice(end - size, end) for size, end in zip(blocks, ends, strict=True)]


def kernel(one: FloatArray, other: FloatArray, width: float) -> FloatArray:
    """exp(-width |x - s|^2 / d) of (N, d) and (S, d) numbers, as (N, S)."""
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    values: FloatArray = np.exp(-width / one.shape[1] * np.maximum(squared, 0))
    return values
