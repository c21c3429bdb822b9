"""Ensembles of runs, made from their out-of-fold tables and chosen by what they reach on folds they were not fitted on.

`mean` fits nothing. `weighted` fits a weight for each run, on the simplex, for the log loss or for macro F1 itself.
`stacking` fits a multinomial logistic regression on the logarithms of the runs' chances. Folds are by person, so that
what is fitted on the other folds has seen nobody of the one it is judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from models.blending import Blend, Stacking
from models.chances import Chances
from models.errors import OutOfFoldError, SettingsError
from models.heads import HEADS, MISSING
from models.oof import OutOfFold, joined
from models.scoring import score

Choice = Literal["auto", "mean", "weighted", "stacking"]
"""How to make an ensemble; `auto` takes what is best on folds that it was not fitted on."""

FLOOR: Final = 1e-4
"""Least chance that stacking takes the logarithm of: a member that is surely wrong must not outweigh all others."""

# Shares below this are no shares: members that add nothing get none, and are then not asked at all.
_LEAST_SHARE: Final = 1e-3
_PICKS: Final = 40
_STRENGTHS: Final = (1e-3, 1e-2, 1e-1)
_ITERATIONS: Final = 300


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way of making an ensemble.

    Attributes:
        name: `mean`, `weighted`, `weighted_f1` or `stacking`.
        blend: fitted on all rows.
        table: each fold answered with what was fitted on the other ones.
        macro_f1: of that table.
        log_loss: of that table, of the classes in nats; None where the classes aren't answered.
    """

    name: str
    blend: Blend
    table: OutOfFold
    macro_f1: float
    log_loss: float | None


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The ensembles that were made of some runs, and the one that was chosen.

    Attributes:
        members: macro F1 and log loss of each run alone.
        heads: which of `models.heads.HEADS` each run answers; the macro F1 of one that lacks some is their mean.
        candidates: what was tried, the simplest first.
        chosen: the best of them.
    """

    members: dict[str, tuple[float, float | None]]
    heads: dict[str, tuple[str, ...]]
    candidates: tuple[Candidate, ...]
    chosen: Candidate

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON takes them."""
        return {
            "members": {
                name: {"macro_f1": f1, "log_loss": loss, "heads": list(self.heads[name])}
                for name, (f1, loss) in self.members.items()
            },
            "ensembles": {
                each.name: {
                    "macro_f1": each.macro_f1,
                    "log_loss": each.log_loss,
                    "heads": list(_heads_of(each.table)),
                }
                for each in self.candidates
            },
            "chosen": self.chosen.name,
        }


def make_ensemble(tables: Mapping[str, OutOfFold], how: Choice = "auto", *, seed: int = 0) -> Ensemble:
    """Tries ensembles of runs and chooses the best on folds that it was not fitted on.

    Args:
        tables: of the runs, by name, their rows in one order (`models.oof.aligned`).
        how: what to try; `weighted` tries both of its aims.
        seed: of the solver of stacking.

    Raises:
        SettingsError: there is no such way, or it needs members that answer all heads, or more than one fold.
        OutOfFoldError: there is only one run.
    """
    if how not in get_args(Choice):
        raise SettingsError(f"an ensemble is made by {', '.join(get_args(Choice))}, not {how!r}")
    if len(tables) < 2:
        raise OutOfFoldError("an ensemble needs two runs at least: one run's folds are a team already")
    members = {name: _figures(each) for name, each in tables.items()}
    candidates = tuple(_candidate(tables, name, fit) for name, fit in _ways(tables, how, seed).items())
    heads = {name: _heads_of(each) for name, each in tables.items()}
    return Ensemble(members, heads, candidates, max(candidates, key=lambda each: each.macro_f1))


Fit = Callable[[Mapping[str, OutOfFold]], Blend]


def _ways(tables: Mapping[str, OutOfFold], how: Choice, seed: int) -> dict[str, Fit]:
    ways: dict[str, Fit] = {"mean": lambda _: Blend("mean")}
    if how == "mean":
        return ways
    first = next(iter(tables.values()))
    hindrance = None
    if any(each.chances.label is None for each in tables.values()):
        hindrance = f"members that each answer {', '.join(HEADS)}"
    elif len(np.unique(_labelled(first).folds)) < 2:
        hindrance = "photos with all three labels in two folds at least, one to fit on and one to judge by"
    if hindrance is not None:
        if how != "auto":
            raise SettingsError(f"an ensemble by {how} needs {hindrance}: use mean")
        return ways
    fitted: dict[str, Fit] = {
        "weighted": lambda given: Blend("weighted", fit_shares(given)),
        "weighted_f1": lambda given: Blend("weighted", pick_shares(given)),
        "stacking": lambda given: Blend("stacking", stacking=fit_stacking(given, seed=seed)),
    }
    if how != "auto":
        return {name: fit for name, fit in fitted.items() if name.startswith(how)}
    if not _holds_two_classes(first):
        del fitted["stacking"]
    return ways | fitted


def _labelled(table: OutOfFold) -> OutOfFold:
    """The rows that models are compared by whose three labels are known: what is fitted is fitted on these."""
    judged = table.of_headline()
    return judged.take(judged.labels != MISSING)


def _holds_two_classes(table: OutOfFold) -> bool:
    """Whether each fold leaves two classes at least in the others, which is what stacking needs."""
    labelled = _labelled(table)
    return all(len(np.unique(labelled.labels[labelled.folds != fold])) > 1 for fold in np.unique(table.folds))


def _candidate(tables: Mapping[str, OutOfFold], name: str, fit: Fit) -> Candidate:
    """An ensemble fitted on all rows, and the answers of those fitted without each fold."""
    judged = {member: each.of_headline() for member, each in tables.items()}
    first = next(iter(tables.values()))
    parts = []
    for fold in np.unique(first.folds):
        others = {member: each.take(each.folds != fold) for member, each in judged.items()}
        inside = {member: each.take(each.folds == fold) for member, each in tables.items()}
        blend = fit(others) if name != "mean" else Blend("mean")
        parts.append(next(iter(inside.values())).with_chances(_said(blend, inside)))
    table = joined(parts)
    f1, loss = _figures(table)
    return Candidate(name, fit(judged), table, f1, loss)


def _said(blend: Blend, tables: Mapping[str, OutOfFold]) -> Chances:
    needed = blend.needed(tables)
    return blend.apply({name: tables[name].chances for name in needed})


def _heads_of(table: OutOfFold) -> tuple[str, ...]:
    return tuple(HEADS[at] for at in table.columns)


def _figures(table: OutOfFold) -> tuple[float, float | None]:
    judged = table.of_headline()
    f1 = score(judged.truth, judged.chances.codes()).macro_f1
    return f1, None if judged.chances.label is None else _log_loss(judged.chances.label, judged.labels)


def _log_loss(label: NDArray[np.float64], truth: NDArray[np.int64]) -> float | None:
    known = truth != MISSING
    if not known.any():
        return None
    return float(-np.log(np.maximum(label[known, truth[known]], 1e-12)).mean())


def fit_shares(tables: Mapping[str, OutOfFold]) -> dict[str, float]:
    """The shares, none negative and 1 together, of the weighted mean with the least log loss.

    The loss is convex in the shares, so that there is one least; SLSQP of scipy finds it.
    """
    from scipy.optimize import minimize

    told, _ = _of_the_truth(tables)
    count = len(tables)

    def loss(shares: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mixed = np.maximum(told @ shares, 1e-12)
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


def fit_stacking(tables: Mapping[str, OutOfFold], *, seed: int = 0) -> Stacking:
    """A multinomial logistic regression from the logarithms of all runs' chances to the class.

    How strongly it is held back is chosen by one fold that it is not fitted on; then it is fitted on all rows.
    """
    first = next(iter(tables.values()))
    known = first.labels != MISSING
    truth = first.labels[known]
    logs = [np.log(np.maximum(np.asarray(each.chances.label)[known], FLOOR)) for each in tables.values()]
    features = np.concatenate(logs, axis=1)
    strength = _choose_strength(features, truth, first.folds[known], seed)
    model = _regression(features, truth, strength, seed)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # sklearn then gives the second class's row alone
        coefficients, intercepts = np.stack([-coefficients[0], coefficients[0]]) / 2, np.array([-1, 1]) * intercepts / 2
    return Stacking(
        tuple(tables),
        tuple(int(each) for each in model.classes_),
        tuple(tuple(map(float, row)) for row in coefficients),
        tuple(map(float, intercepts)),
        FLOOR,
    )


def _choose_strength(
    features: NDArray[np.float64], truth: NDArray[np.int64], folds: NDArray[np.int64], seed: int
) -> float:
    last = folds == folds.max()
    if last.all() or len(np.unique(truth[~last])) < 2:
        return _STRENGTHS[1]
    return min(_STRENGTHS, key=lambda strength: _loss_apart(features, truth, last, strength, seed))


def _loss_apart(
    features: NDArray[np.float64], truth: NDArray[np.int64], apart: NDArray[np.bool_], strength: float, seed: int
) -> float:
    model = _regression(features[~apart], truth[~apart], strength, seed)
    place = {int(label): at for at, label in enumerate(model.classes_)}
    chances = model.predict_proba(features[apart])
    told = [row[place[label]] if label in place else 0.0 for row, label in zip(chances, truth[apart], strict=True)]
    return float(-np.log(np.maximum(told, 1e-12)).mean())


def _regression(features: NDArray[np.float64], truth: NDArray[np.int64], strength: float, seed: int) -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(truth)) < 2:
        raise SettingsError("stacking needs two classes at least among the photos with all three labels: use mean")
    with warnings.catch_warnings():
        # What has not quite settled is judged on the folds it hasn't seen like everything else.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=_ITERATIONS, random_state=seed).fit(features, truth)


def _of_the_truth(tables: Mapping[str, OutOfFold]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(N, M) chance that each run gives the true class of each photo, and the N classes."""
    first = next(iter(tables.values()))
    known = np.flatnonzero(first.labels != MISSING)
    truth = first.labels[known]
    return np.stack([np.asarray(each.chances.label)[known, truth] for each in tables.values()], axis=1), truth


def _as_shares(names: Mapping[str, OutOfFold] | Sequence[str], found: NDArray[np.float64]) -> dict[str, float]:
    shares = np.maximum(found, 0.0) / np.maximum(found, 0.0).sum()
    shares = np.where(shares < _LEAST_SHARE, 0.0, shares)
    shares = shares / shares.sum()
    return {name: float(share) for name, share in zip(names, shares, strict=True)}
