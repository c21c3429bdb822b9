"""What each run counts in a weighted mean of runs, fitted on what they say out of fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.heads import HEADS, MISSING
from models.oof import OutOfFold

# Shares below this are no shares: members that add nothing get none, and are then not asked at all.
_LEAST_SHARE: Final = 1e-3
_PICKS: Final = 40
_ITERATIONS: Final = 300
_LARGEST: Final = 9.0
"""Of the logarithm of a weight: one run counts up to exp(9) times another's, and that one is then left out."""
_LEAST: Final = 1e-12


def fit_shares(tables: Mapping[str, OutOfFold]) -> dict[str, float]:
    """The shares, none negative and 1 together, of the weighted mean with the least log loss.

    The loss is convex in the shares, so that there is one least; SLSQP of scipy finds it.
    """
    from scipy.optimize import minimize

    told, _ = _of_the_truth(tables)
    count = len(tables)

    def loss(shares: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mixed = np.maximum(told @ shares, _LEAST)
        return float(-np.log(mixed).mean()), -(told / mixed[:, None]).mean(axis=0)

    found = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1, "jac": np.ones_like},
        options={"maxiter": _ITERATIONS, "ftol": 1e-10},
    )
    return _as_shares(tables, found.x)


def pick_shares(tables: Mapping[str, OutOfFold]) -> dict[str, float]:
    """Shares for macro F1 itself: runs are picked one after the other, again and again, the one that helps most.

    A run's share is how often it was picked, up to the pick that reached the most (Caruana and others, 2004, "Ensemble
    selection from libraries of models").
    """
    from models.ratios import macro_f1

    first = next(iter(tables.values()))
    known = first.labels != MISSING
    truth = first.labels[known]
    members = [np.asarray(each.chances.label)[known] for each in tables.values()]
    size = members[0].shape[1]
    total, picks = np.zeros_like(members[0]), np.zeros(len(members))
    best, best_f1 = picks, -1.0
    for _ in range(_PICKS):
        reached = [macro_f1(truth, (total + each).argmax(axis=1), size) for each in members]
        pick = int(np.argmax(reached))
        total, picks = total + members[pick], picks + np.eye(len(members))[pick]
        if reached[pick] > best_f1:
            best, best_f1 = picks, reached[pick]
    return _as_shares(tables, best)


def fit_head_shares(tables: Mapping[str, OutOfFold]) -> dict[str, float]:
    """Weights, none negative and 1 together, for runs of which some answer only some heads.

    A head is the mean of the runs that answer it, by their weights (`models.blending.Blend`); the weights are those
    with the least log loss over the heads together. A run that adds nothing to any head has none; where one run alone
    answers a head, its weight doesn't matter there, and it is never left out.
    """
    from scipy.optimize import minimize

    told = {name: each for name in HEADS if len((each := _of_the_head(tables, name))[0]) > 1 and len(each[1])}

    def loss(logs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, total, slope = np.exp(logs), 0.0, np.zeros(len(logs))
        for members, chances in told.values():
            mixed = np.maximum(chances @ weights[members], _LEAST)
            whole = weights[members].sum()
            total += float(np.log(whole) - np.log(mixed).mean())
            slope[members] += 1 / whole - (chances / mixed[:, None]).mean(axis=0)
        return total, slope * weights

    count = len(tables)
    found = minimize(
        loss,
        np.zeros(count),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_LARGEST, _LARGEST)] * count,
        options={"maxiter": _ITERATIONS},
    )
    weights = np.exp(found.x)
    weights = np.where(_counts(tables, weights), weights, 0.0)
    return {name: float(share) for name, share in zip(tables, weights / weights.sum(), strict=True)}


def _counts(tables: Mapping[str, OutOfFold], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(M,) whether each run has a share worth the name of a head it answers."""
    counts = np.zeros(len(tables), dtype=bool)
    for at in range(len(HEADS)):
        answers = np.array([at in each.columns for each in tables.values()])
        counts |= answers & (weights >= _LEAST_SHARE * weights[answers].sum())
    return counts


def _of_the_head(tables: Mapping[str, OutOfFold], head: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(K,) which runs answer a head, and (N, K) the chance that each gives the true word of each photo with one."""
    members = [at for at, each in enumerate(tables.values()) if head in each.chances.heads]
    truth = next(iter(tables.values())).truth[:, HEADS.index(head)]
    known = np.flatnonzero(truth != MISSING)
    held = [each.chances.heads[head][known, truth[known]] for each in tables.values() if head in each.chances.heads]
    return np.array(members, dtype=np.int64), np.stack(held, axis=1) if held else np.zeros((0, 0))


def _of_the_truth(tables: Mapping[str, OutOfFold]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(N, M) chance that each run gives the true class of each photo, and the N classes."""
    first = next(iter(tables.values()))
    known = np.flatnonzero(first.labels != MISSING)
    truth = first.labels[known]
    return np.stack([np.asarray(each.chances.label)[known, truth] for each in tables.values()], axis=1), truth


def _as_shares(names: Mapping[str, OutOfFold], found: NDArray[np.float64]) -> dict[str, float]:
    shares = np.maximum(found, 0.0) / np.maximum(found, 0.0).sum()
    shares = np.where(shares < _LEAST_SHARE, 0.0, shares)
    shares = shares / shares.sum()
    return {name: float(share) for name, share in zip(names, shares, strict=True)}
