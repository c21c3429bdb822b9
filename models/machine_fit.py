"""Fitting a machine to faces: yes or no of every photo, each scored without its person, and without its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.calibration import FOLDS, Codes, FloatArray
from models.errors import TooFewLabelsError
from models.face_machine import FaceMachine, kernel, parts, standardised
from models.face_views import blocks_of

MIN_PEOPLE = 10
"""Below this many people of an answer the held-out figures mean nothing."""

MAX_PHOTOS = 6_000
"""A kernel machine's fit grows with the square of the photos; of more some of each person are drawn."""

_LEAST_LEFT = 0.5
# Chosen by the log loss of gender on held-out people of the FairFace sample, 0.272 by a machine for each part of
# `FaceViews`: it is 0.277 by one for all of them, and without a kernel some 0.025 more.
_REGULARISATION, WIDTH = 3.0, 1.0


@dataclass(frozen=True, eq=False)
class MachineFit:
    """A machine, and what is said of those it learned from by machines that have not seen them.

    Attributes:
        machine: fitted to all of them.
        scores: (N,) by a machine that has not seen the photo's person; where `foreign` is known, that.
        foreign: (N,) by a machine that has not seen the photo's source; nan where there is none.
        fold: (N,) of the photo's person; a machine has not seen those of one fold.
        units: what each part's scores are divided by, so that none outweighs the others.
    """

    machine: FaceMachine
    scores: FloatArray
    foreign: FloatArray
    fold: Codes
    units: tuple[float, ...]


def fit_machine(
    vectors: FloatArray, yes: Codes, people: NDArray[np.str_], sources: NDArray[np.str_], seed: int
) -> MachineFit:
    """Fits a machine to faces.

    Every photo is scored by a machine fitted without its person (`GroupKFold`); where its source has people enough and
    the other sources at least half of all, by one fitted without that whole source, since those who lack a label are
    mostly of another source too.

    Args:
        vectors: (N, D) float64, of `FaceViews` or of `FaceEmbedder`.
        yes: (N,) 1 or 0, with people of both.
        people: (N,) who is in each photo.
        sources: (N,) where each photo is from.
        seed: of the folds.
    """
    mean, scale = _scaling(vectors)
    x, blocks, fold = standardised(vectors, mean, scale), blocks_of(len(mean)), _folds(people, seed)
    # The parts' scores are brought to one spread before they are added up.
    found = [_part(x[:, part], yes, people, sources, fold, len(blocks)) for part in parts(blocks)]
    foreign = np.sum([each.foreign for each in found], axis=0)
    scores = np.where(np.isnan(foreign), np.sum([each.scores for each in found], axis=0), foreign)
    machine = machine_of(mean, scale, x, [each.fitted for each in found])
    return MachineFit(machine, scores, foreign, fold, tuple(each.unit for each in found))


class Fitted(NamedTuple):
    """A part's machine: (N,) coefficients of the photos, and the intercept, in the part's unit."""

    dual: FloatArray
    intercept: float


def machine_of(mean: FloatArray, scale: FloatArray, x: FloatArray, found: Sequence[Fitted]) -> FaceMachine:
    """The machine of its parts, which were fitted to (N, D) standardised faces."""
    dual = np.stack([each.dual for each in found])
    support = np.flatnonzero(dual.any(axis=0))
    intercept = float(sum(each.intercept for each in found))
    return FaceMachine(mean, scale, x[support], dual[:, support], blocks_of(len(mean)), WIDTH, intercept)


def fit_part(values: FloatArray, yes: Codes, unit: float) -> Fitted:
    """A part's machine of its (N, N) kernel."""
    fitted = _svm().fit(values, yes)
    dual = np.zeros(len(values))
    dual[fitted.support_] = fitted.dual_coef_[0] / unit
    return Fitted(dual, float(fitted.intercept_[0]) / unit)


def score_part(values: FloatArray, yes: Codes, learn: Codes, ask: Codes) -> FloatArray:
    """Scores of the rows asked about, by a machine fitted to the rows to learn from; not yet in the part's unit."""
    fitted = _svm().fit(values[np.ix_(learn, learn)], yes[learn])
    return np.asarray(fitted.decision_function(values[np.ix_(ask, learn)]), dtype=np.float64)


def enough(yes: NDArray[Any], people: NDArray[np.str_]) -> bool:
    """Whether there are `MIN_PEOPLE` people of either answer."""
    return all(len(np.unique(people[yes == code])) >= MIN_PEOPLE for code in (0, 1))


def check_enough(codes: Codes, people: NDArray[np.str_], words: Sequence[str], what: str) -> None:
    """Raises TooFewLabelsError where fewer than `MIN_PEOPLE` people have one of the labels.

    Args:
        codes: (N,) positions in the words.
        people: (N,) who is in each photo.
        words: the labels.
        what: is learned, in the plural, for the message.
    """
    for code, word in enumerate(words):
        count = len(np.unique(people[codes == code]))
        if count < MIN_PEOPLE:
            raise TooFewLabelsError(
                f"learning {what} takes {MIN_PEOPLE} labelled people of each; there are {count} {word}: "
                f"add a source that has {what}"
            )


def draw_photos(people: NDArray[np.str_], codes: Codes, rng: np.random.Generator, most: int | None = None) -> Codes:
    """Rows of at most so many photos, drawn: one of everybody, then a second of those who have one, and so on.

    So many people that one photo of each is too much are drawn from, and those of a rare label who are needed are
    among them.

    Args:
        people: (N,) who is in each photo.
        codes: (N,) of the labels.
        rng: draws.
        most: photos; `MAX_PHOTOS` when not given.
    """
    most = MAX_PHOTOS if most is None else most
    if len(people) <= most:
        return np.arange(len(people))
    shuffled = rng.permutation(len(people))
    turns = pd.Series(people[shuffled]).groupby(people[shuffled]).cumcount().to_numpy(copy=True)
    for code in np.unique(codes):
        turns[np.flatnonzero((turns == 0) & (codes[shuffled] == code))[:MIN_PEOPLE]] = -1
    return np.sort(shuffled[np.argsort(turns, kind="stable")[:most]])


def one_each(people: NDArray[np.str_], rng: np.random.Generator) -> Codes:
    """Rows of one photo of each person, drawn; rising."""
    shuffled = rng.permutation(len(people))
    _, first = np.unique(people[shuffled], return_index=True)
    return np.sort(shuffled[first])


def sources_to_hold_out(yes: Codes, people: NDArray[np.str_], sources: NDArray[np.str_]) -> list[str]:
    """The sources that can be held out whole: they have people enough, and so have the others, who are half of all.

    Without a source that holds most people there is no saying what a model, which learns from all, knows of others: one
    of the few that remain is so much worse that nobody would be decided on.

    Args:
        yes: (N,) 1 or 0.
        people: (N,) who is in each photo.
        sources: (N,) where each photo is from.
    """
    everybody, found = len(np.unique(people)), []
    for name in np.unique(sources).tolist():
        held_out, learn = apart(name, people, sources)
        many = len(np.unique(people[learn])) >= _LEAST_LEFT * everybody
        if many and enough(yes[held_out], people[held_out]) and enough(yes[learn], people[learn]):
            found.append(str(name))
    return found


def apart(source: str, people: NDArray[np.str_], sources: NDArray[np.str_]) -> tuple[Codes, Codes]:
    """Rows of a source, and those of other sources that show nobody who is in it."""
    held_out = np.flatnonzero(sources == source)
    return held_out, np.flatnonzero((sources != source) & ~np.isin(people, people[held_out]))


def _scaling(vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What to subtract and to divide by."""
    spread = vectors.std(axis=0)
    # A value that hardly ever differs would count as much as any other, and rounding in it with it.
    return vectors.mean(axis=0), np.maximum(spread, max(1e-3 * float(vectors.std()), 1e-12))


@dataclass(frozen=True, eq=False)
class _Part:
    """Of one part: its machine, and (N,) scores as in `MachineFit`, `scores` all without the person.

    `foreign` are those by machines that have not seen its source, nan where there is none.
    """

    fitted: Fitted
    scores: FloatArray
    foreign: FloatArray
    unit: float


def _part(
    x: FloatArray, yes: Codes, people: NDArray[np.str_], sources: NDArray[np.str_], fold: Codes, count: int
) -> _Part:
    """One of so many machines; all it tells is divided by its held-out scores' spread and by their number."""
    values, scores = kernel(x, x, WIDTH), np.zeros(len(x))
    for number in np.unique(fold):
        held_out = np.flatnonzero(fold == number)
        scores[held_out] = score_part(values, yes, np.flatnonzero(fold != number), held_out)
    unit = max(float(scores.std()), 1e-12) * count
    foreign = np.full(len(x), np.nan)
    for name in sources_to_hold_out(yes, people, sources):
        held_out, learn = apart(name, people, sources)
        foreign[held_out] = score_part(values, yes, learn, held_out)
    return _Part(fit_part(values, yes, unit), scores / unit, foreign / unit, unit)


def _svm() -> Any:
    from sklearn.svm import SVC

    return SVC(C=_REGULARISATION, kernel="precomputed")


def _folds(people: NDArray[np.str_], seed: int) -> Codes:
    from sklearn.model_selection import GroupKFold

    fold = np.zeros(len(people), dtype=np.int64)
    split = GroupKFold(n_splits=FOLDS, shuffle=True, random_state=seed).split(fold, groups=people)
    for number, (_, held_out) in enumerate(split):
        fold[held_out] = number
    return fold
