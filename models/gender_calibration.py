"""How sure a score of gender is, and from where on it is believed: by age, where there are people enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.calibration import (
    KINDS,
    Codes,
    Curve,
    FloatArray,
    curve_from_dict,
    curve_to_dict,
    fit_curve,
    folds_by_person,
    log_losses,
    parted,
)
from models.confidence import NEVER, calibration_error, threshold_for
from models.machine_fit import enough

AGE_BANDS: Final = {"under 20": (0.0, 20.0), "20 to 59": (20.0, 60.0), "60 and over": (60.0, np.inf)}
"""Years, from and below. The very young and the old are hardest to tell apart."""

MIN_PEOPLE_PER_BAND: Final = 100
"""An age band of fewer held-out people has no curve and no threshold of its own."""

_WHOLE = ""


class Rule(NamedTuple):
    """For some people.

    Attributes:
        curve: from a score to P(female).
        threshold: confidence, 0.5 to 1, at and above which a decision is made; above 1 it never is.
    """

    curve: Curve
    threshold: float


@dataclass(frozen=True, eq=False)
class Calibration:
    """What scores are worth.

    Attributes:
        whole: for people of unknown age, and of bands without a rule of their own.
        by_age: the rules of bands of `AGE_BANDS`, for people whose age is known.
    """

    whole: Rule
    by_age: dict[str, Rule] = field(default_factory=dict)

    def probability(self, scores: FloatArray, ages: NDArray[Any] | None = None) -> FloatArray:
        """P(female) of (N,) scores; ages in years, nan where unknown, as all are without."""
        bands = _bands(ages, len(scores))
        told = np.empty(len(scores))
        for name in np.unique(bands).tolist():
            rows = bands == name
            told[rows] = self._rule(name).curve(scores[rows])
        return told

    def thresholds(self, ages: NDArray[Any]) -> FloatArray:
        """The thresholds for people of these ages in years, nan where unknown; (N,)."""
        return np.array([self._rule(name).threshold for name in _bands(ages, len(ages)).tolist()], dtype=np.float64)

    def rules(self) -> dict[str, Rule]:
        """All of them, the one for everybody under an empty name."""
        return {_WHOLE: self.whole, **self.by_age}

    def _rule(self, name: str) -> Rule:
        return self.by_age.get(name, self.whole)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A calibration, and what is said of those it was fitted to by curves that have not seen them.

    Attributes:
        calibration: fitted to all of them.
        probability: (N,) P(female) by curves fitted to other people.
        kind: of `models.calibration.KINDS`, the better one.
        log_loss: of each of those, on people it was not fitted to, in nats.
    """

    calibration: Calibration
    probability: FloatArray
    kind: str
    log_loss: dict[str, float]


def calibrate(
    scores: FloatArray,
    female: Codes,
    people: NDArray[np.str_],
    ages: FloatArray,
    chosen: NDArray[np.bool_],
    precision: float,
    seed: int,
) -> Calibrated:
    """Fits curves and thresholds to scores of people whom the scores' models have not seen.

    Platt's sigmoid (with his smoothed targets, Platt 1999) and centred isotonic regression (Oron and Flournoy 2017, on
    the same targets, which keep it from 0 and 1) are both fitted to nine tenths of the people and asked about the
    others, ten times; the one of the lower log loss is kept, and the thresholds are those of its answers on people it
    has not seen. Bands of age with people enough have curves and thresholds of their own: on held-out people of the
    FairFace sample that takes the log loss from 0.283 to 0.280. Isotonic curves have 0.284 there.

    Args:
        scores: (N,), larger for women.
        female: (N,) 1 or 0.
        people: (N,) who is in each photo.
        ages: (N,) in years, nan where unknown.
        chosen: (N,) one photo of each person, to fit to.
        precision: that the lower Wilson bound of the share of right decisions is to reach; see
            `models.confidence.threshold_for`.
        seed: of the folds.
    """
    bands = _own_bands(_bands(ages, len(ages)), female, people, chosen)
    fold = folds_by_person(people, female, seed)
    told = {kind: _crossed(kind, scores, female, bands, fold, chosen) for kind in KINDS}
    log_loss = {kind: float(log_losses(each[chosen], female[chosen]).mean()) for kind, each in told.items()}
    kind = min(KINDS, key=log_loss.__getitem__)
    curves = _fitted(kind, scores, female, bands, np.flatnonzero(chosen))
    rules = {}
    for name, curve in curves.items():
        rows = chosen & (bands == name) if name else chosen
        rules[name] = Rule(curve, _threshold(told[kind][rows], female[rows], precision))
    return Calibrated(Calibration(rules.pop(_WHOLE), rules), told[kind], kind, log_loss)


def figures(probability: FloatArray, female: Codes, made: NDArray[np.bool_]) -> dict[str, Any]:
    """What answers are worth: `people`, `accuracy`, `calibration_error`, `brier`, `coverage` and `precision`.

    Args:
        probability: (N,) P(female).
        female: (N,) 1 or 0.
        made: (N,) whether a decision is made; the precision is theirs, None where there is none.
    """
    confidence = np.maximum(probability, 1 - probability)
    right = (probability >= 0.5) == (female == 1)
    return {
        "people": len(female),
        "accuracy": float(right.mean()),
        "calibration_error": calibration_error(confidence, right),
        "brier": float(np.mean((probability - female) ** 2)),
        "coverage": float(made.mean()),
        "precision": float(right[made].mean()) if made.any() else None,
    }


def age_band(age: float) -> str:
    """The name in `AGE_BANDS` for an age in years; empty where it is unknown."""
    return next((name for name, (low, high) in AGE_BANDS.items() if low <= age < high), _WHOLE)


def calibration_to_dict(calibration: Calibration) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    """A calibration as what JSON takes, and as arrays by name."""
    told: dict[str, Any] = {}
    arrays: dict[str, FloatArray] = {}
    for at, (name, rule) in enumerate(calibration.rules().items()):
        curve, knots = curve_to_dict(rule.curve)
        told[name] = {**curve, "threshold": rule.threshold, "knots": at}
        arrays |= {f"curve_{at}_{key}": values for key, values in knots.items()}
    return told, arrays


def calibration_from_dict(told: dict[str, Any], arrays: dict[str, FloatArray]) -> Calibration:
    """What `calibration_to_dict` gave, as a calibration.

    Raises:
        ValueError, KeyError, TypeError: it is something else.
    """
    rules = {}
    for name, each in told.items():
        if name not in AGE_BANDS and name != _WHOLE:
            raise ValueError(f"there is no age band {name!r}")
        prefix = f"curve_{int(each['knots'])}_"
        knots = {key.removeprefix(prefix): values for key, values in arrays.items() if key.startswith(prefix)}
        rules[name] = Rule(curve_from_dict(each, knots), float(each["threshold"]))
    return Calibration(rules.pop(_WHOLE), rules)


def _bands(ages: NDArray[Any] | None, count: int) -> NDArray[np.str_]:
    if ages is None:
        return np.full(count, _WHOLE, dtype=np.str_)
    return np.array([age_band(float(age)) for age in ages], dtype=np.str_)


def _own_bands(
    bands: NDArray[np.str_], female: Codes, people: NDArray[np.str_], chosen: NDArray[np.bool_]
) -> NDArray[np.str_]:
    """The bands, emptied where one has too few people for a rule of its own."""
    own = []
    for name in AGE_BANDS:
        rows = chosen & (bands == name)
        if rows.sum() >= MIN_PEOPLE_PER_BAND and enough(female[rows], people[rows]):
            own.append(name)
    return np.where(np.isin(bands, own), bands, _WHOLE)


def _fitted(kind: str, scores: FloatArray, female: Codes, bands: NDArray[np.str_], rows: Codes) -> dict[str, Curve]:
    """A curve of these rows for everybody, and one for each band that has a rule of its own."""
    curves = {_WHOLE: fit_curve(kind, scores[rows], female[rows])}
    for name in AGE_BANDS:
        own = rows[bands[rows] == name]
        if len(own):
            curves[name] = fit_curve(kind, scores[own], female[own])
    return curves


def _crossed(
    kind: str, scores: FloatArray, female: Codes, bands: NDArray[np.str_], fold: Codes, chosen: NDArray[np.bool_]
) -> FloatArray:
    """(N,) P(female) by curves fitted to the people of the other folds."""
    told = np.empty(len(scores))
    for learn, held_out in parted(fold, chosen):
        curves = _fitted(kind, scores, female, bands, learn)
        for name, curve in curves.items():
            rows = held_out[bands[held_out] == name]
            told[rows] = curve(scores[rows])
    return told


def _threshold(probability: FloatArray, female: Codes, precision: float) -> float:
    confidence, right = np.maximum(probability, 1 - probability), (probability >= 0.5) == (female == 1)
    found = threshold_for(confidence, right, precision)
    return NEVER if found is None else found
