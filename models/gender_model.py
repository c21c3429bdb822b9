"""A calibrated guess at gender from a face embedding, that knows when to say nothing."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from datasets.labels import GENDERS
from models.errors import EmbeddingError, GenderModelError

FloatArray = NDArray[np.float64]

AGE_BANDS = {"under 20": (0.0, 20.0), "20 to 59": (20.0, 60.0), "60 and over": (60.0, np.inf)}
"""Years, from and below. The very young and the old are hardest to tell apart."""

NEVER = 2.0
"""A threshold that no confidence reaches."""

_FORMAT = 3
_CHUNK = 4096
_ARRAYS = ("mean", "scale", "support", "dual")
_SCALARS = ("width", "intercept", "platt_slope", "platt_offset", "threshold")


class Decision(NamedTuple):
    """Of one person.

    Attributes:
        gender: None where the confidence is below the threshold.
        confidence: in the likelier gender, 0.5 to 1.
        said: the likelier gender.
    """

    gender: str | None
    confidence: float
    said: str


@dataclass(frozen=True, eq=False)
class GenderModel:
    """Support vector machines with radial kernels, one for each part of a face's numbers, whose scores are added up;
    Platt's calibration, and a threshold to abstain below.

    It is plain arrays, so that it is saved without pickle and predicts without scikit-learn.

    Attributes:
        mean: (D,) subtracted from a face's numbers.
        scale: (D,) they are then divided by.
        support: (S, D) support vectors, standardised.
        dual: (B, S) their coefficients in each of the B machines; positive ones pull towards female.
        blocks: lengths of the B parts, which add up to D.
        width: of the kernels exp(-width |x - s|^2 / d), over the d numbers of a part.
        intercept: of the score.
        platt_slope: P(female) = 1 / (1 + exp(-(slope * score + offset))).
        platt_offset: see `platt_slope`.
        threshold: confidence, 0.5 to 1, at and above which a decision is made; above 1 it never is.
        by_age: slope, offset and threshold of bands of `AGE_BANDS`, for people whose age is known, where a band has
            its own.
        held_out: what was measured on people left out of the fit; see `learn_gender`.
    """

    mean: FloatArray
    scale: FloatArray
    support: FloatArray
    dual: FloatArray
    blocks: tuple[int, ...]
    width: float
    intercept: float
    platt_slope: float
    platt_offset: float
    threshold: float
    by_age: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    held_out: dict[str, Any] = field(default_factory=dict)

    def score(self, faces: NDArray[Any]) -> FloatArray:
        """Signed distances from the boundary, (N,); positive is female.

        Args:
            faces: (N, D), finite.

        Raises:
            EmbeddingError: the array has another shape, or is not finite.
        """
        vectors = check_faces(faces, len(self.mean))
        chunks = [self._score_chunk(vectors[at : at + _CHUNK]) for at in range(0, len(vectors), _CHUNK)]
        return np.concatenate(chunks) if chunks else np.zeros(0)

    def _score_chunk(self, vectors: FloatArray) -> FloatArray:
        x = (vectors - self.mean) / self.scale
        scores = np.full(len(x), self.intercept)
        for dual, part in zip(self.dual, parts(self.blocks), strict=True):
            scores += kernel(x[:, part], self.support[:, part], self.width) @ dual
        return scores

    def probability_of_score(self, scores: FloatArray, ages: NDArray[Any] | None = None) -> FloatArray:
        """P(female) of (N,) scores, calibrated; ages in years, nan where unknown, as all are without."""
        slope, offset, _ = self._by_age(ages, len(scores))
        return sigmoid(slope * scores + offset)

    def predict_proba(self, faces: NDArray[Any], ages: NDArray[Any] | None = None) -> FloatArray:
        """Calibrated probabilities, (N, 2), columns in the order of `datasets.labels.GENDERS`; ages as above."""
        female = self.probability_of_score(self.score(faces), ages)
        return np.stack([1 - female, female], axis=1)

    def thresholds_for(self, ages: NDArray[Any]) -> FloatArray:
        """The thresholds for people of these ages in years, nan where unknown; (N,)."""
        thresholds: FloatArray = self._by_age(ages, len(ages))[2]
        return thresholds

    def _by_age(self, ages: NDArray[Any] | None, count: int) -> FloatArray:
        """Slopes, offsets and thresholds for so many people, (3, N)."""
        years = np.full(count, np.nan) if ages is None else np.asarray(ages, dtype=np.float64)
        whole = (self.platt_slope, self.platt_offset, self.threshold)
        rows: FloatArray = np.array([self.by_age.get(age_band(age), whole) for age in years], dtype=np.float64)
        return np.ascontiguousarray(rows.reshape(-1, 3).T)

    def decide(self, scores: FloatArray, age: float | None = None) -> Decision:
        """One decision for one person from the scores of their photos.

        Args:
            scores: (N,) of `score`, N at least 1; they are averaged. The calibration is of single photos, so that of
                several is on the careful side.
            age: in years, where it is known.

        Returns:
            The decision.
        """
        ages = np.array([np.nan if age is None else age])
        female = float(self.probability_of_score(np.array([np.mean(scores)]), ages)[0])
        confidence = max(female, 1 - female)
        said = GENDERS[int(female >= 0.5)]
        return Decision(said if confidence >= self.thresholds_for(ages)[0] else None, confidence, said)

    def save(self, path: Path) -> None:
        """Writes the model as one `.npz`, atomically and without pickle."""
        told = {"held_out": self.held_out, "by_age": self.by_age, "blocks": self.blocks}
        head = {"format": _FORMAT, **told, **{name: getattr(self, name) for name in _SCALARS}}
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        with atomic_write(path) as temporary, Path(temporary).open("wb") as handle:
            np.savez(handle, head=np.array(json.dumps(head)), **arrays)

    @classmethod
    def load(cls, path: Path) -> GenderModel:
        """Reads what `save` wrote.

        Raises:
            GenderModelError: the file is missing, broken, or of another format.
        """
        if not Path(path).is_file():
            raise GenderModelError(f"no gender model at {path}: pass the file that GenderModel.save wrote")
        try:
            with np.load(path, allow_pickle=False) as held:
                head = json.loads(str(held["head"]))
                values: dict[str, Any] = {name: np.asarray(held[name], dtype=np.float64) for name in _ARRAYS}
            values |= {name: float(head[name]) for name in _SCALARS}
            by_age = {str(name): (float(a), float(b), float(c)) for name, (a, b, c) in head["by_age"].items()}
            blocks = tuple(int(size) for size in head["blocks"])
            model = cls(**values, blocks=blocks, by_age=by_age, held_out=dict(head["held_out"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise GenderModelError(f"{path} is not a saved gender model ({error}): fit and save it again") from error
        _check_shapes(model, path, head)
        return model


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


def parts(blocks: Sequence[int]) -> list[slice]:
    """Where each of the parts of a face's numbers lies."""
    ends = np.cumsum(blocks).tolist()
    return [slice(end - size, end) for size, end in zip(blocks, ends, strict=True)]


def kernel(one: FloatArray, other: FloatArray, width: float) -> FloatArray:
    """exp(-width |x - s|^2 / d) of (N, d) and (S, d) numbers, as (N, S)."""
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    values: FloatArray = np.exp(-width / one.shape[1] * np.maximum(squared, 0))
    return values


def age_band(age: float) -> str:
    """The name in `AGE_BANDS` for an age in years; empty where it is unknown."""
    return next((name for name, (low, high) in AGE_BANDS.items() if low <= age < high), "")


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), without overflow."""
    values: FloatArray = 0.5 * (1 + np.tanh(0.5 * x))
    return values


def _check_shapes(model: GenderModel, path: Path, head: dict[str, Any]) -> None:
    rows = model.dual.shape[1] if model.dual.ndim == 2 and len(model.dual) == len(model.blocks) else -1
    size = sum(model.blocks)
    expected = ((size,), (size,), (rows, size))
    if head.get("format") != _FORMAT or (model.mean.shape, model.scale.shape, model.support.shape) != expected:
        raise GenderModelError(f"{path} holds a gender model of another format: fit and save it again")
