"""Telling two ways of making a picture apart by what is left when the picture is taken away: noise residuals.

Features as in forensic work, but fewer: co-occurrences of quantised high-pass residuals (Fridrich and Kodovsky,
"Rich models for steganalysis of digital images", 2012) and histograms of the JPEG blocks' cosine coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

FOLDS = 5
STEPS = 2
"""Residuals are cut off at so many steps either way."""

COEFFICIENTS = [(i, j) for i in range(5) for j in range(5) if 0 < i + j < 5]
PATCH, PATCHES, EPOCHS = 64, 6, 24


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve of pictures not learned from, and its 95 % interval over resampled pictures."""

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


def classify(kind: str, pictures: list[Picture], labels: NDArray[np.int64], seed: int = 0) -> Auc:
    """How well a classifier tells pictures of label 1 from those of label 0 that it has not learned from.

    Args:
        kind: `linear`, `trees` or `cnn`.
        pictures: (H, W, 3) uint8, RGB, each of another person.
        labels: (N,) 0 or 1.
        seed: of folds, learning and resampling.
    """
    scores = np.zeros(len(labels))
    inputs = _patches(pictures, seed) if kind == "cnn" else np.stack([features(picture) for picture in pictures])
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels):
        learn = _learn_cnn if kind == "cnn" else _learn_linear if kind == "linear" else _learn_trees
        found = learn(inputs[train], labels[train], inputs[test], seed)
        scores[test] = np.argsort(np.argsort(found)) / len(found)  # ranks: folds have scales of their own
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(len(labels), size=len(labels)) for _ in range(1000)]
    resampled = [roc_auc_score(labels[each], scores[each]) for each in drawn]
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Auc(float(roc_auc_score(labels, scores)), float(low), float(high))


def _learn_linear(inputs: Floats, labels: NDArray[np.int64], test: Floats, seed: int) -> Floats:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500, random_state=seed))
    return np.asarray(model.fit(inputs, labels).decision_function(test))


def _learn_trees(inputs: Floats, labels: NDArray[np.int64], test: Floats, seed: int) -> Floats:
    model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, min_samples_leaf=10, random_state=seed)
    return np.asarray(model.fit(inputs, labels).predict_proba(test)[:, 1])


def _patches(pictures: list[Picture], seed: int) -> NDArray[np.float32]:
    """(N, PATCHES, 3, PATCH, PATCH): residuals of parts of each picture, cut at multiples of 8 as JPEG's blocks are."""
    rng = np.random.default_rng(seed)
    made = []
    for picture in pictures:
        height, width = picture.shape[:2]
        for _ in range(PATCHES):
            y, x = (8 * int(rng.integers((side - PATCH) // 8 + 1)) for side in (height, width))
            gray = luma(picture[y : y + PATCH, x : x + PATCH])
            parts = [
                cv2.Laplacian(gray, cv2.CV_32F),
                cv2.Sobel(gray, cv2.CV_32F, 2, 0),
                cv2.Sobel(gray, cv2.CV_32F, 0, 2),
            ]
            made.append(np.clip(np.stack(parts) / 4, -4, 4))
    return np.stack(made).reshape(len(pictures), PATCHES, 3, PATCH, PATCH).astype(np.float32)


def _learn_cnn(inputs: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32], seed: int) -> Floats:
    torch.manual_seed(seed)
    network = _network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=1e-3)
    flat = torch.from_numpy(inputs.reshape(-1, *inputs.shape[2:]))
    targets = torch.from_numpy(np.repeat(labels, PATCHES).astype(np.float32))
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(flat)), 16):
            loss = nn.functional.binary_cross_entropy_with_logits(network(flat[batch])[:, 0], targets[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    network.eval()
    with torch.no_grad():
        logits = [network(torch.from_numpy(parts))[:, 0].mean() for parts in test]
    return np.array([float(logit) for logit in logits])


def _network() -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in ((3, 8), (8, 16), (16, 16)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.AvgPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 1))
