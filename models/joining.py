"""People without a gender who may join those that gender is learned from, and what a model takes them for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models import machine_fit
from models.calibration import Codes, FloatArray, folds_by_person
from models.gender_calibration import Calibrated, Calibration, calibrate
from models.machine_again import NOT_LEARNED, score_by_folds
from models.machine_fit import MachineFit, draw_photos, one_each

Mask = NDArray[np.bool_]


class PerPhoto:
    """Of a dataclass whose every field is an array with a row a photo."""

    def of(self, rows: Codes | Mask) -> Self:
        """The same of some of the photos."""
        held: Any = self
        return type(self)(*(getattr(self, each.name)[rows] for each in fields(held)))


@dataclass(frozen=True, eq=False)
class Pool(PerPhoto):
    """M photos of people without a gender, all of whom may join.

    Attributes:
        vectors: (M, D), as those that are learned from.
        people: (M,) who is in each photo.
        ages: (M,) of the person, in years, nan where unknown.
        sources: (M,) where each photo is from.
    """

    vectors: FloatArray
    people: NDArray[np.str_]
    ages: FloatArray
    sources: NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Taught(PerPhoto):
    """N photos of people whose gender is given.

    Attributes:
        vectors: (N, D).
        female: (N,) 1 or 0.
        people: (N,) who is in each photo.
        ages: (N,) in years, nan where unknown.
        sources: (N,) where each photo is from.
        chosen: (N,) one photo of each person.
    """

    vectors: FloatArray
    female: Codes
    people: NDArray[np.str_]
    ages: FloatArray
    sources: NDArray[np.str_]
    chosen: Mask

    def chosen_anew(self, seed: int) -> Taught:
        """The same with one photo of each person drawn: of a part of all, the one chosen may not be in it."""
        chosen = np.zeros(len(self.people), dtype=bool)
        chosen[one_each(self.people, np.random.default_rng(seed))] = True
        return replace(self, chosen=chosen)

    def calibrated(self, scores: FloatArray, precision: float, seed: int) -> Calibrated:
        """Curves and thresholds of (N,) scores of theirs; as `calibrate`."""
        return calibrate(scores, self.female, self.people, self.ages, self.chosen, precision, seed)


def draw_pool(taught: Taught, pool: Pool, seed: int) -> Codes:
    """Rows of the pool, none of those taught, as many as leave `MAX_PHOTOS` in all: of everybody one before a second.

    Args:
        taught: those learned from.
        pool: to draw from.
        seed: of what is drawn.
    """
    others = np.flatnonzero(~np.isin(pool.people, taught.people))
    room = max(machine_fit.MAX_PHOTOS - len(taught.people), 0)
    nobody = np.zeros(len(others), dtype=np.int64)
    return others[draw_photos(pool.people[others], nobody, np.random.default_rng(seed), room)]


def answers_of(scores: FloatArray, calibration: Calibration, pool: Pool) -> Codes:
    """(M,) 1 or 0 for people who are decided on, by the mean over their photos; `NOT_LEARNED` for the others.

    Args:
        scores: (M,) of the pool's photos.
        calibration: of the scores.
        pool: of which they are.
    """
    _, first, at = np.unique(pool.people, return_index=True, return_inverse=True)
    mean = np.bincount(at, scores, len(first)) / np.maximum(np.bincount(at, minlength=len(first)), 1)
    female = calibration.probability(mean, pool.ages[first])
    made = np.maximum(female, 1 - female) >= calibration.thresholds(pool.ages[first])
    return np.where(made, (female >= 0.5).astype(np.int64), NOT_LEARNED)[at]


def score_apart(taught: Taught, pool: Pool, first: MachineFit, precision: float, seed: int) -> FloatArray:
    """(N + M,) scores, of those taught and of the pool, by machines fitted to both, but to nobody of the photo's fold.

    What such a machine learns of the pool is what the first one's without that fold says, where it is sure: with a
    curve and a threshold that come of the other folds.

    Args:
        taught: those learned from.
        pool: those who may join; dealt into the folds of those learned from.
        first: fitted to those learned from.
        precision: as for `calibrate`.
        seed: of the dealing.
    """
    count, folds = len(taught.people), np.unique(first.fold)
    dealt = folds_by_person(pool.people, np.zeros(len(pool.people), dtype=np.int64), seed)
    fold = np.concatenate([first.fold, folds[dealt % len(folds)]])
    vectors = np.concatenate([taught.vectors, pool.vectors])
    learned = np.full((len(folds), len(fold)), NOT_LEARNED)
    learned[:, :count] = np.where(first.fold != folds[:, None], taught.female, NOT_LEARNED)
    of_pool = np.broadcast_to(np.arange(len(fold)) >= count, learned.shape)
    said = score_by_folds(first, vectors, learned, of_pool)
    for at, number in enumerate(folds):
        others = first.fold != number
        rule = taught.of(others).calibrated(first.scores[others], precision, seed).calibration
        answers = answers_of(said[at, count:], rule, pool)
        learned[at, count:] = np.where(fold[count:] != number, answers, NOT_LEARNED)
    scores = score_by_folds(first, vectors, learned, fold == folds[:, None])
    return np.asarray(np.nansum(scores, axis=0), dtype=np.float64)
