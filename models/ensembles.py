"""Ensembles of runs, made from their out-of-fold tables and chosen by what they reach on folds they were not fitted on.

`mean` fits nothing. `weighted` fits a weight for each run (`models.shares`), for the log loss or for macro F1 itself.
`stacking` fits a multinomial logistic regression on the logarithms of the runs' chances. Folds are by person, so that
what is fitted on the other folds has seen nobody of the one it is judged on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from models.blending import Blend, Stacking
from models.chances import Chances
from models.errors import OutOfFoldError, SettingsError
from models.headline import headline_of
from models.heads import HEADS, MISSING
from models.oof import OutOfFold, joined
from models.scoring import score
from models.shares import fit_head_shares, fit_shares, pick_shares

Choice = Literal["auto", "mean", "weighted", "stacking"]
"""How to make an ensemble; `auto` takes what is best on folds that it was not fitted on."""

FLOOR: Final = 1e-4
"""Least chance that stacking takes the logarithm of: a member that is surely wrong must not outweigh all others."""

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
    judged = _judged(tables)
    members = {name: _figures(each) for name, each in judged.items()}
    heads = {name: _heads_of(each) for name, each in tables.items()}
    candidates = tuple(_candidate(tables, judged, name, fit) for name, fit in _ways(judged, how, seed).items())
    return Ensemble(members, heads, candidates, max(candidates, key=lambda each: each.macro_f1))


Fit = Callable[[Mapping[str, OutOfFold]], Blend]


def _judged(tables: Mapping[str, OutOfFold]) -> dict[str, OutOfFold]:
    """The rows that the runs together are compared by, the same of each, whatever heads it answers."""
    first = next(iter(tables.values()))
    answered = sorted({at for each in tables.values() for at in each.columns})
    headline = headline_of(first.truth[~first.synthetic], first.truth[first.synthetic], answered)
    rows = first.synthetic == (headline == "synthetic")
    return {name: each.take(rows) for name, each in tables.items()}


def _ways(judged: Mapping[str, OutOfFold], how: Choice, seed: int) -> dict[str, Fit]:
    ways: dict[str, Fit] = {"mean": lambda _: Blend("mean")}
    if how == "mean":
        return ways
    hindrance = _hindrance(judged, how)
    if hindrance is not None:
        if how != "auto":
            raise SettingsError(f"an ensemble by {how} needs {hindrance}: use mean")
        return ways
    if not _all_whole(judged):
        shares: Fit = lambda given: Blend("weighted", fit_head_shares(given))  # noqa: E731
        return (ways if how == "auto" else {}) | {"weighted": shares}
    fitted: dict[str, Fit] = {
        "weighted": lambda given: Blend("weighted", fit_shares(given)),
        "weighted_f1": lambda given: Blend("weighted", pick_shares(given)),
        "stacking": lambda given: Blend("stacking", stacking=fit_stacking(given, seed=seed)),
    }
    if how != "auto":
        return {name: fit for name, fit in fitted.items() if name.startswith(how)}
    if not _leaves_two_classes(next(iter(judged.values()))):
        del fitted["stacking"]
    return ways | fitted


def _hindrance(judged: Mapping[str, OutOfFold], how: Choice) -> str | None:
    """What is missing for an ensemble that is fitted; None for nothing."""
    first, whole = next(iter(judged.values())), _all_whole(judged)
    if how == "stacking" and not whole:
        return f"members that each answer {', '.join(HEADS)}"
    disputed = [at for at in range(len(HEADS)) if sum(at in each.columns for each in judged.values()) > 1]
    if not disputed:
        return "two members that answer the same"
    known = first.truth[:, disputed] != MISSING
    if len(np.unique(first.folds[known.all(axis=1) if whole else known.any(axis=1)])) < 2:
        labels = "all three labels" if whole else "labels"
        return f"photos with {labels} in two folds at least, one to fit on and one to judge by"
    return None


def _all_whole(tables: Mapping[str, OutOfFold]) -> bool:
    return all(each.chances.label is not None for each in tables.values())


def _leaves_two_classes(judged: OutOfFold) -> bool:
    """Whether the rows without any one fold still hold two classes, which is what stacking needs."""
    known = judged.take(judged.labels != MISSING)
    return all(len(np.unique(known.labels[known.folds != fold])) > 1 for fold in np.unique(known.folds))


def _candidate(tables: Mapping[str, OutOfFold], judged: Mapping[str, OutOfFold], name: str, fit: Fit) -> Candidate:
    """An ensemble fitted on all judged rows, and the answers to all rows of those fitted without each fold."""
    parts = []
    for fold in np.unique(next(iter(tables.values())).folds):
        others = {member: each.take(each.folds != fold) for member, each in judged.items()}
        inside = {member: each.take(each.folds == fold) for member, each in tables.items()}
        blend = fit(others) if name != "mean" else Blend("mean")
        parts.append(next(iter(inside.values())).with_chances(_said(blend, inside)))
    table = joined(parts)
    f1, loss = _figures(table.of_headline())
    return Candidate(name, fit(judged), table, f1, loss)


def _said(blend: Blend, tables: Mapping[str, OutOfFold]) -> Chances:
    needed = blend.needed(tables)
    return blend.apply({name: tables[name].chances for name in needed})


def _heads_of(table: OutOfFold) -> tuple[str, ...]:
    return tuple(HEADS[at] for at in table.columns)


def _figures(judged: OutOfFold) -> tuple[float, float | None]:
    f1 = score(judged.truth, judged.chances.codes()).macro_f1
    return f1, None if judged.chances.label is None else _log_loss(judged.chances.label, judged.labels)


def _log_loss(label: NDArray[np.float64], truth: NDArray[np.int64]) -> float | None:
    known = truth != MISSING
    if not known.any():
        return None
    return float(-np.log(np.maximum(label[known, truth[known]], 1e-12)).mean())


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
