"""Telling two ways of making a picture apart by what is left when the picture is taken away: noise residuals.

Features as in forensic work, but fewer: co-occurrences of quantised high-pass residuals (Fridrich and Kodovsky,
"Rich models for steganalysis of digital images", 2012) and histograms of the JPEG blocks' cosine coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

FOLDS, RESAMPLED = 5, 4000
INTERVAL = 99.0
"""Per cent. Of eight intervals of 95 % one lies off chance by chance in every fifth run or so."""

STEPS = 2
"""Residuals are cut off at so many steps either way."""

COEFFICIENTS = [(i, j) for i in range(5) for j in range(5) if 0 < i + j < 5]


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve of pictures not learned from, and its interval over resampled pictures."""

    value: float
    low: float
    high: float

    @property
    def tells_apart(self) -> bool:
        """Chance does not explain it."""
        return self.low > 0.5


def luma(picture: Picture) -> NDArray[np.float32]:
    """(H, W) of an RGB picture."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def features(picture: Picture) -> Floats:
    """(F,) residual co-occurrences and cosine histograms of an RGB picture, each summing to 1."""
    gray = luma(picture)
    return np.concatenate([*(_cooccurrence(gray, order) for order in (1, 2, 3)), _cosines(gray), _energies(gray)])


def _cooccurrence(gray: NDArray[np.float32], order: int) -> Floats:
    """Of three residuals in a row, along rows and columns together: the order-th differences, in steps of order."""
    counts = np.zeros((2 * STEPS + 1) ** 3)
    for turned in (gray, gray.T):
        residual = np.diff(turned, n=order, axis=1) / order
        steps = np.clip(np.round(residual), -STEPS, STEPS).astype(np.int64) + STEPS
        codes = (steps[:, :-2] * (2 * STEPS + 1) + steps[:, 1:-1]) * (2 * STEPS + 1) + steps[:, 2:]
        counts += np.bincount(codes.ravel(), minlength=counts.size)
    return np.asarray(counts / counts.sum())


def _cosines(gray: NDArray[np.float32]) -> Floats:
    """Histograms of the low cosine coefficients of the aligned 8x8 blocks, rounded, -10 to 10."""
    height, width = (side // 8 * 8 for side in gray.shape)
    blocks = gray[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2) - 128
    spectra = np.clip(np.round(dctn(blocks, axes=(2, 3), norm="ortho")), -10, 10).astype(np.int64) + 10
    found = [np.bincount(spectra[:, :, i, j].ravel(), minlength=21) for i, j in COEFFICIENTS]
    return np.asarray(np.concatenate(found) / (spectra.shape[0] * spectra.shape[1]))


def _energies(gray: NDArray[np.float32]) -> Floats:
    spread = [np.abs(np.diff(gray, n=order, axis=axis)).mean() for order in (1, 2, 3, 4) for axis in (0, 1)]
    energies = np.log(np.array(spread) + 1e-3)
    return np.concatenate([energies, energies[2:] - energies[:-2]])


def classify(kind: str, rows: Floats, labels: NDArray[np.int64], seed: int = 0) -> Auc:
    """How well a classifier tells pictures of label 1 from those of label 0 that it has not learned from.

    Args:
        kind: one of KINDS.
        rows: (N, F) `features` of the pictures, each of another person.
        labels: (N,) 0 or 1.
        seed: of folds, learning and resampling.
    """
    scores, learn = np.zeros(len(labels)), KINDS[kind]
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels):
        found = learn(rows[train], labels[train], rows[test], seed)
        scores[test] = np.argsort(np.argsort(found)) / len(found)  # ranks: folds have scales of their own
    return _area(scores[labels == 1], scores[labels == 0], np.random.default_rng(seed))


def _area(ones: Floats, zeros: Floats, rng: np.random.Generator) -> Auc:
    """How often a picture of label 1 scores higher than one of label 0, and how that varies with who was drawn."""
    higher = (ones[:, None] > zeros) + 0.5 * (ones[:, None] == zeros)
    # Pictures drawn with replacement, as the number of times that each was drawn.
    ones_drawn, zeros_drawn = (rng.multinomial(n, np.full(n, 1 / n), RESAMPLED) for n in higher.shape)
    drawn = ((ones_drawn @ higher) * zeros_drawn).sum(1) / higher.size
    low, high = np.percentile(drawn, [50 - INTERVAL / 2, 50 + INTERVAL / 2])
    return Auc(float(higher.mean()), float(low), float(high))


def _learn_linear(rows: Floats, labels: NDArray[np.int64], test: Floats, seed: int) -> Floats:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500, random_state=seed))
    return np.asarray(model.fit(rows, labels).decision_function(test))


def _learn_trees(rows: Floats, labels: NDArray[np.int64], test: Floats, seed: int) -> Floats:
    model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, min_samples_leaf=10, random_state=seed)
    return np.asarray(model.fit(rows, labels).predict_proba(test)[:, 1])


KINDS = {"linear": _learn_linear, "trees": _learn_trees}
"""The classifiers: (learning rows, labels, rows to score, seed) to scores, greater for label 1."""
