"""A calibrated guess at gender from a face embedding, that knows when to say nothing."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from datasets.labels import GENDERS
from models.embedding import EMBEDDING_SIZE
from models.errors import EmbeddingError, GenderModelError

FloatArray = NDArray[np.float64]

_FORMAT = 1
_CHUNK = 4096
_ARRAYS = ("mean", "scale", "support", "dual")
_SCALARS = ("gamma", "intercept", "platt_slope", "platt_offset", "threshold")


@dataclass(frozen=True, eq=False)
class GenderModel:
    """A support vector machine with a radial kernel, Platt's calibration and a threshold to abstain below.

    It is plain arrays, so that it is saved without pickle and predicts without scikit-learn.

    Attributes:
        mean: (128,) subtracted from an embedding.
        scale: (128,) it is then divided by.
        support: (S, 128) support vectors, standardised.
        dual: (S,) their coefficients; positive ones pull towards female.
        gamma: of the kernel exp(-gamma |x - s|^2).
        intercept: of the score.
        platt_slope: P(female) = 1 / (1 + exp(-(slope * score + offset))).
        platt_offset: see `platt_slope`.
        threshold: confidence, 0.5 to 1, at and above which a decision is made; above 1 it never is.
        held_out: what was measured on people left out of the fit; see `fit_gender`.
    """

    mean: FloatArray
    scale: FloatArray
    support: FloatArray
    dual: FloatArray
    gamma: float
    intercept: float
    platt_slope: float
    platt_offset: float
    threshold: float
    held_out: dict[str, Any] = field(default_factory=dict)

    def score(self, embeddings: NDArray[Any]) -> FloatArray:
        """Signed distances from the boundary, (N,); positive is female.

        Args:
            embeddings: (N, 128), finite.

        Raises:
            EmbeddingError: the array has another shape, or is not finite.
        """
        vectors = check_embeddings(embeddings)
        chunks = [self._score_chunk(vectors[at : at + _CHUNK]) for at in range(0, len(vectors), _CHUNK)]
        return np.concatenate(chunks) if chunks else np.zeros(0)

    def _score_chunk(self, vectors: FloatArray) -> FloatArray:
        x = (vectors - self.mean) / self.scale
        squared = (x**2).sum(1)[:, None] + (self.support**2).sum(1)[None] - 2 * x @ self.support.T
        scores: FloatArray = np.exp(-self.gamma * np.maximum(squared, 0)) @ self.dual + self.intercept
        return scores

    def probability_of_score(self, scores: FloatArray) -> FloatArray:
        """P(female) of scores, calibrated; same shape."""
        return sigmoid(self.platt_slope * scores + self.platt_offset)

    def predict_proba(self, embeddings: NDArray[Any]) -> FloatArray:
        """Calibrated probabilities, (N, 2), columns in the order of `datasets.labels.GENDERS`."""
        female = self.probability_of_score(self.score(embeddings))
        return np.stack([1 - female, female], axis=1)

    def decide(self, scores: FloatArray) -> tuple[str | None, float]:
        """One decision for one person from the scores of their photos.

        Args:
            scores: (N,) of `score`, N at least 1; they are averaged. The calibration is of single photos, so that of
                several is on the careful side.

        Returns:
            The gender, or None below the threshold, and the confidence in the likelier one, 0.5 to 1.
        """
        female = float(self.probability_of_score(np.array([np.mean(scores)]))[0])
        confidence = max(female, 1 - female)
        gender = GENDERS[int(female >= 0.5)]
        return (gender if confidence >= self.threshold else None), confidence

    def save(self, path: Path) -> None:
        """Writes the model as one `.npz`, atomically and without pickle."""
        head = {"format": _FORMAT, "held_out": self.held_out, **{name: getattr(self, name) for name in _SCALARS}}
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
            model = cls(**values, held_out=dict(head.get("held_out", {})))
        except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise GenderModelError(f"{path} is not a saved gender model ({error}): fit and save it again") from error
        _check_shapes(model, path, head)
        return model


def check_embeddings(embeddings: NDArray[Any]) -> FloatArray:
    """The embeddings as (N, 128) float64.

    Raises:
        EmbeddingError: the array has another shape, or is not finite.
    """
    vectors = np.asarray(embeddings, dtype=np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != EMBEDDING_SIZE:
        raise EmbeddingError(f"expected embeddings of shape (N, {EMBEDDING_SIZE}), got {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise EmbeddingError("some embeddings hold values that are not finite: embed those photos again")
    return vectors


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), without overflow."""
    values: FloatArray = 0.5 * (1 + np.tanh(0.5 * x))
    return values


def _check_shapes(model: GenderModel, path: Path, head: dict[str, Any]) -> None:
    rows = len(model.dual) if model.dual.ndim == 1 else -1
    expected = ((EMBEDDING_SIZE,), (EMBEDDING_SIZE,), (rows, EMBEDDING_SIZE))
    if head.get("format") != _FORMAT or (model.mean.shape, model.scale.shape, model.support.shape) != expected:
        raise GenderModelError(f"{path} holds a gender model of another format: fit and save it again")
