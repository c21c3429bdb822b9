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
from scipy.stats import t as student
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

FOLDS, DRAWS = 5, 7
INTERVAL = 99.0
"""Per cent, of Student's t over the draws. Of eight intervals of 95 % one lies off chance in every fifth run or so."""

STEPS = 2
"""Residuals are cut off at so many steps either way."""

COEFFICIENTS = [(i, j) for i in range(5) for j in range(5) if 0 < i + j < 5]


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve of pictures not learned from: its mean over the draws, and the mean's interval."""

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


def classify(kind: str, first: Floats, second: Floats, seed: int = 0, draws: int = DRAWS) -> Auc:
    """How well a classifier tells the second way from the first by pictures that it has not learned from.

    Half of the people, drawn by chance, go the second way and the others the first, so that nobody is on both sides;
    who happens to go which way decides much with few people, so that this is drawn anew several times.

    Args:
        kind: one of KINDS.
        first, second: (N, F) `features` of the same N people's pictures, by either way.
        seed: of who goes which way, of folds and of learning.
        draws: how often who goes which way is drawn.
    """
    rng = np.random.default_rng(seed)
    areas = []
    for draw in range(draws):
        labels = rng.permutation(len(first)) % 2
        rows = np.where(labels[:, None] == 1, second, first)
        scores = np.zeros(len(labels))
        for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed + draw).split(labels, labels):
            found = KINDS[kind](rows[train], labels[train], rows[test], seed)
            scores[test] = np.argsort(np.argsort(found)) / len(found)  # ranks: folds have scales of their own
        areas.append(roc_auc_score(labels, scores))
    mean, error = float(np.mean(areas)), float(np.std(areas, ddof=1) / np.sqrt(draws))
    reach = float(student.ppf(0.5 + INTERVAL / 200, draws - 1)) * error
    return Auc(mean, mean - reach, mean + reach)


def _learn_linear(rows: Floats, labels: NDArray[np.int64], test: Floats, seed: int) -> Floats:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500, random_state=seed))
    return np.asarray(model.fit(rows, labels).decision_function(test))


def _learn_trees(rows: Floats, labels: NDArray[np.int64], test: Floats, seed: int) -> Floats:
    model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, min_samples_leaf=10, random_state=seed)
    return np.asarray(model.fit(rows, labels).predict_proba(test)[:, 1])


KINDS = {"linear": _learn_linear, "trees": _learn_trees}
"""The classifiers: (learning rows, labels, rows to score, seed) to scores, greater for label 1."""
