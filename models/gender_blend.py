"""What a network says of genders, beside what was learned from faces' numbers: both together, where that is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.calibration import Codes, FloatArray, folds_by_person, log_losses, parted
from models.confidence import gain
from models.gender_calibration import Calibrated, Calibration, calibrate, figures
from models.gender_model import Decision, decide
from models.machine_fit import enough

Mask = NDArray[np.bool_]


class Heard(NamedTuple):
    """What networks say of N photos.

    Attributes:
        logits: (N,) log-odds of female, by networks that have not seen the photo's person; nan where there are none.
        foreign: (N,) whether those have not seen the photo's source either.
    """

    logits: FloatArray
    foreign: Mask


@dataclass(frozen=True)
class NetworkAnswers:
    """What networks that learned from a manifest's own photos say, in log-odds of female by photo id.

    Attributes:
        held_out: of photos learned from, by networks that have not seen their person.
        foreign: the sources of which those have not seen anything.
        asked: of photos that lack a gender.
    """

    held_out: Mapping[str, float]
    foreign: frozenset[str]
    asked: Mapping[str, float]


@dataclass(frozen=True)
class GenderBlend:
    """A weighted sum of a machine's score and a network's log-odds, with a calibration of its own.

    Attributes:
        weights: of the score and of the log-odds.
        calibration: of the sum.
    """

    weights: tuple[float, float]
    calibration: Calibration

    def score(self, scores: FloatArray, logits: FloatArray) -> FloatArray:
        """The sum, (N,); nan where the network says nothing."""
        return np.asarray(self.weights[0] * scores + self.weights[1] * logits, dtype=np.float64)

    def decide(self, scores: FloatArray, logits: FloatArray, age: float | None = None) -> Decision:
        """One decision for one person, by the mean over those of their photos that the network speaks of.

        Args:
            scores: (N,) of the machine.
            logits: (N,) of the network, nan where it says nothing; not all of them.
            age: in years, where it is known.
        """
        return decide(self.calibration, float(np.nanmean(self.score(scores, logits))), age)


@dataclass(frozen=True, eq=False)
class Judged:
    """What is known of N photos that were learned from.

    Attributes:
        scores: (N,) by machines that have not seen the photo's person.
        foreign: (N,) whether those have not seen the photo's source either.
        heard: from the network.
        female: (N,) 1 or 0.
        people: (N,) who is in each photo.
        ages: (N,) in years, nan where unknown.
        sources: (N,) where each photo is from.
        chosen: (N,) one photo of each person.
    """

    scores: FloatArray
    foreign: Mask
    heard: Heard
    female: Codes
    people: NDArray[np.str_]
    ages: FloatArray
    sources: NDArray[np.str_]
    chosen: Mask


@dataclass(frozen=True, eq=False)
class Judgement:
    """Whether the blend is to be used.

    Attributes:
        blend: None where it is not.
        probability: (N,) P(female) of photos learned from, by models and curves that have not seen their person: of
            the blend, or of the machine where the network says nothing or there is no blend.
        decided: (N,) bool, whether that reaches the threshold.
        told: `kept`, `reason` (why the blend is not kept, else None), `judged_on` (the sources held out whole whose
            people decided it; empty where it was everybody, by models that have not seen them), `people` of those,
            `gain` (see `models.confidence.Gain`), and of each of `embedding`, `network` and `blend`, on them,
            `accuracy`, `log_loss` (nats), `calibration_error`, `coverage` and `precision` of what they would decide;
            and `weights` of the sum.
    """

    blend: GenderBlend | None
    probability: FloatArray
    decided: Mask
    told: dict[str, Any]


def judge_network(photos: Judged, alone: Calibrated, precision: float, seed: int) -> Judgement:
    """Says whether a network and the machine together know more of people they have not seen than the machine alone.

    The weights of the sum are those of a logistic regression, fitted like the curves to nine tenths of the people and
    tried on the others, ten times. What decides is the log loss on people of sources held out whole, by machine and
    network alike, since those who lack a gender are mostly of another source; where none is, on everybody. It has to be
    lower by more than 0.84 standard errors: with a certainty of 80 %, as thresholds are chosen with.

    Args:
        photos: those learned from.
        alone: the machine's calibration on them.
        precision: as for `calibrate`.
        seed: of the folds; that of `alone`, so that the same people are held out together.
    """
    asked = np.isfinite(photos.heard.logits)
    spoken = photos.chosen & asked
    made = _decides(alone.probability, alone.calibration, photos.ages)
    if not enough(photos.female[spoken], photos.people[spoken]):
        reason = "the network could be asked about too few people to judge it"
        return Judgement(None, alone.probability, made, {"kept": False, "reason": reason, "people": int(spoken.sum())})
    both = np.stack([photos.scores, photos.heard.logits], axis=1)
    fold = folds_by_person(photos.people, photos.female, seed)
    summed, weights = _summed(both, photos.female, fold, asked, spoken)
    network = _calibrated(photos.heard.logits, photos, asked, precision, seed)
    blend = _calibrated(summed, photos, asked, precision, seed)

    other = spoken & photos.foreign & photos.heard.foreign
    judged = other if other.any() else spoken
    told: dict[str, Any] = {
        "judged_on": sorted(set(photos.sources[other].tolist())),
        "people": int(judged.sum()),
        "weights": {"embedding": weights[0], "network": weights[1]},
    }
    for name, each in (("embedding", alone), ("network", network), ("blend", blend)):
        decides = _decides(each.probability, each.calibration, photos.ages)
        losses = log_losses(each.probability[judged], photos.female[judged])
        measured = figures(each.probability[judged], photos.female[judged], decides[judged])
        told[name] = {"log_loss": float(losses.mean()), **measured}
    female = photos.female[judged]
    found = gain(log_losses(alone.probability[judged], female), log_losses(blend.probability[judged], female))
    why = None if found.sure else "the log loss of both together is not surely better"
    told |= {"gain": found._asdict(), "kept": found.sure, "reason": why}
    if not found.sure:
        return Judgement(None, alone.probability, made, told)
    probability = np.where(asked, blend.probability, alone.probability)
    decided = np.where(asked, _decides(blend.probability, blend.calibration, photos.ages), made)
    return Judgement(GenderBlend(weights, blend.calibration), probability, decided, told)


def _decides(probability: FloatArray, calibration: Calibration, ages: FloatArray) -> Mask:
    return np.asarray(np.maximum(probability, 1 - probability) >= calibration.thresholds(ages))


def _summed(
    both: FloatArray, female: Codes, fold: Codes, asked: Mask, spoken: Mask
) -> tuple[FloatArray, tuple[float, float]]:
    """(N,) sums by weights fitted to other people, nan where not asked; and the weights fitted to all."""
    summed = np.full(len(both), np.nan)
    for learn, held_out in parted(fold, spoken):
        rows = held_out[asked[held_out]]
        summed[rows] = both[rows] @ np.array(_weights(both[learn], female[learn]))
    return summed, _weights(both[spoken], female[spoken])


def _weights(both: FloatArray, female: Codes) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    unit = np.maximum(both.std(axis=0), 1e-12)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(both / unit, female)
    return float(fitted.coef_[0, 0] / unit[0]), float(fitted.coef_[0, 1] / unit[1])


def _calibrated(scores: FloatArray, photos: Judged, asked: Mask, precision: float, seed: int) -> Calibrated:
    """Of the rows the network speaks of; the others' probability is nan."""
    rows = np.flatnonzero(asked)
    found = calibrate(
        scores[rows],
        photos.female[rows],
        photos.people[rows],
        photos.ages[rows],
        photos.chosen[rows],
        precision,
        seed,
    )
    probability = np.full(len(scores), np.nan)
    probability[rows] = found.probability
    return Calibrated(found.calibration, probability, found.kind, found.log_loss)
