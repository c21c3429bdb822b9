"""A round of self-training: people without a gender join with the one a model gave them, where that is better.

Nobody who may join is ever held out, nor counts in a curve or a threshold: those are fitted to people whose gender is
given, by machines that have not seen them, and that learned of the others only what machines said that have not seen
them either.

Who joined is judged, in the end, by a machine that has not learned what they were taken for, so that no answer confirms
itself: they are dealt into the folds of those whose gender is given, and the machine that lacks a fold tells both. It
is of such machines that curves and thresholds come; the first model's answers would be by another machine than
everybody else's, and by curves of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from models import machine_fit
from models.calibration import Codes, FloatArray, log_losses
from models.confidence import gain
from models.face_machine import FaceMachine
from models.gender_calibration import Calibrated, figures
from models.joining import Mask, Pool, Taught, answers_of, draw_pool, score_apart
from models.machine_again import NOT_LEARNED, fit_joined
from models.machine_fit import MachineFit, apart, fit_machine, sources_to_hold_out

Progress = Callable[[int, int], None]

NO_SOURCE: Final = (
    "it is judged on people of a source that was not learned from, and none can be held out: it takes a second one "
    f"with {machine_fit.MIN_PEOPLE} people of each gender"
)
NO_POOL: Final = "there is nobody who could join: without a gender, seen without a mask, and not too young"
NO_ROOM: Final = (
    f"with a given gender there are {machine_fit.MAX_PHOTOS:,} photos already, which is all that can be learned from"
)
NONE_JOINS: Final = "nobody without a gender is decided on at the precision asked for, so that nobody can join"
NONE_JUDGED: Final = "with a source held out nobody is decided on at the precision asked for, so that nobody can join"
NOT_BETTER: Final = "the log loss on people of sources held out is not surely lower"


class Round(NamedTuple):
    """What came of it.

    Attributes:
        fit: the machine that is to be used; the first one where the round is not kept.
        found: its calibration.
        joined: (M,) scores of the pool's photos that joined, by machines that have not learned from their person; nan
            for the others, and all of them where the round is not kept.
        told: `kept`, `reason` (why it is not, else None), `asked` (people of the pool), `joined` (of them; where it is
            not kept, who would have) and, where it was judged, `judged_on` (the sources held out), `people` of those,
            `joined_without` (people of the pool who joined, by the source held out), `gain` (by how much the log loss
            is lower; `models.confidence.Gain`), and of `before` and `after`, on them, `log_loss` (nats) and what
            `models.gender_calibration.figures` has.
    """

    fit: MachineFit
    found: Calibrated
    joined: FloatArray
    told: dict[str, Any]


def train_on_answers(
    taught: Taught,
    pool: Pool,
    first: MachineFit,
    found: Calibrated,
    precision: float,
    seed: int,
    progress: Progress | None = None,
) -> Round:
    """Lets those of the pool who are decided on join, once, and keeps that where it makes things surely better.

    Each source that can be held out whole (`models.machine_fit.sources_to_hold_out`) is left out from the beginning: a
    machine, its curve and its threshold come of the other sources; those of the pool who are not of that source either
    are decided on, and join; and both that machine and the one fitted with them score the source's people. Both have
    curves fitted to nine tenths of all people judged on, and are asked about the others, ten times. The log loss has to
    be lower by more than 0.84 standard errors: with a certainty of 80 %.

    Args:
        taught: those learned from.
        pool: those who may join; at most so many photos of them as leave `MAX_PHOTOS` in all are drawn.
        first: fitted to those learned from.
        found: its calibration, with the precision and the seed.
        precision: as for `calibrate`; who reaches the threshold joins.
        seed: of the folds, and of what is drawn.
        progress: called as progress(steps done, steps to do).
    """
    rows = draw_pool(taught, pool, seed)
    drawn, nobody = pool.of(rows), np.full(len(pool.people), np.nan)
    answers = answers_of(first.machine.score(drawn.vectors), found.calibration, drawn)
    names = sources_to_hold_out(taught.female, taught.people, taught.sources)
    told: dict[str, Any] = {
        "kept": False,
        "reason": _hindrance(taught, pool, names, answers),
        "asked": len(np.unique(drawn.people)),
        "joined": _people(drawn, answers != NOT_LEARNED),
    }
    if told["reason"] is not None:
        return Round(first, found, nobody, told)
    step = _Steps(progress, len(names) + 1)
    foreign, judged = judge(taught, drawn, names, precision, seed, step)
    told |= judged
    if not told["kept"]:
        return Round(first, found, nobody, told)
    fit, nobody[rows] = train_again(taught, drawn, answers, first, foreign, precision, seed)
    step()
    return Round(fit, taught.calibrated(fit.scores, precision, seed), nobody, told)


def train_again(
    taught: Taught,
    pool: Pool,
    answers: Codes,
    first: MachineFit,
    foreign: FloatArray,
    precision: float,
    seed: int,
) -> tuple[MachineFit, FloatArray]:
    """The machine fitted to those taught and to those of the pool with an answer; and (M,) `Round.joined`.

    Args:
        taught: those learned from.
        pool: those who may join.
        answers: (M,) 1 or 0, or `NOT_LEARNED`, by the first machine.
        first: fitted to those taught.
        foreign: (N,) scores of those taught, by second machines that have not seen their source; nan without any.
        precision: as for `train_on_answers`.
        seed: likewise.
    """
    scores = score_apart(taught, pool, first, precision, seed)
    own = np.where(np.isnan(foreign), scores[: len(foreign)], foreign)
    fit = MachineFit(_with_joined(taught, pool, answers, first), own, foreign, first.fold, first.units)
    return fit, np.where(answers != NOT_LEARNED, scores[len(foreign) :], np.nan)


def _with_joined(taught: Taught, pool: Pool, answers: Codes, first: MachineFit) -> FaceMachine:
    joins = answers != NOT_LEARNED
    vectors = np.concatenate([taught.vectors, pool.vectors[joins]])
    return fit_joined(first, vectors, np.concatenate([taught.female, answers[joins]]))


class _Steps:
    """Counts steps, and tells of them."""

    def __init__(self, progress: Progress | None, count: int) -> None:
        self._progress, self._count, self._done = progress, count, 0

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._count)


def _people(pool: Pool, rows: Mask) -> int:
    return len(np.unique(pool.people[rows]))


def _hindrance(taught: Taught, pool: Pool, names: list[str], answers: Codes) -> str | None:
    """Why there can be no round; None where there can."""
    if not names:
        return NO_SOURCE
    if not len(answers):
        return NO_ROOM if len(pool.people) and len(taught.people) >= machine_fit.MAX_PHOTOS else NO_POOL
    return None if (answers != NOT_LEARNED).any() else NONE_JOINS


def judge(
    taught: Taught,
    pool: Pool,
    names: list[str],
    precision: float,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> tuple[FloatArray, dict[str, Any]]:
    """What second machines say of sources that they have not seen, (N,), nan elsewhere; and what is to be told of it.

    Args:
        taught: those learned from.
        pool: those who may join.
        names: of the sources to hold out, one at least.
        precision: as for `train_on_answers`.
        seed: likewise.
        step: called after each source.

    Returns:
        The scores, and of `Round.told` what is known once it was judged.
    """
    before, after = (np.full(len(taught.people), np.nan) for _ in range(2))
    joined: dict[str, int] = {}
    for name in names:
        held_out, learn = apart(name, taught.people, taught.sources)
        others = pool.of(~np.isin(pool.people, pool.people[pool.sources == name]))
        asked = taught.vectors[held_out]
        before[held_out], after[held_out], joined[name] = _scored_without(
            taught.of(learn).chosen_anew(seed), others, asked, precision, seed
        )
        step()
    rows = np.flatnonzero(np.isfinite(after))
    told = _compared(taught.of(rows).chosen_anew(seed), before[rows], after[rows], precision, seed)
    if not any(joined.values()):
        told["reason"] = NONE_JUDGED
    return after, {"joined_without": joined, **told}


def _scored_without(
    part: Taught, pool: Pool, asked: FloatArray, precision: float, seed: int
) -> tuple[FloatArray, FloatArray, int]:
    """Scores of faces by a machine of those taught, and by one of theirs and of the pool; and how many joined."""
    first = fit_machine(part.vectors, part.female, part.people, part.sources, seed)
    rule = part.calibrated(first.scores, precision, seed).calibration
    answers = answers_of(first.machine.score(pool.vectors), rule, pool)
    before, joined = first.machine.score(asked), _people(pool, answers != NOT_LEARNED)
    if not joined:
        return before, before, 0
    return before, _with_joined(part, pool, answers, first).score(asked), joined


def _compared(taught: Taught, before: FloatArray, after: FloatArray, precision: float, seed: int) -> dict[str, Any]:
    """What is told of people by whom both machines are judged."""
    chosen, losses = taught.chosen, {}
    told: dict[str, Any] = {"judged_on": sorted(set(taught.sources.tolist())), "people": int(chosen.sum())}
    for name, scores in (("before", before), ("after", after)):
        found = taught.calibrated(scores, precision, seed)
        female, truth = found.probability[chosen], taught.female[chosen]
        made = np.maximum(female, 1 - female) >= found.calibration.thresholds(taught.ages[chosen])
        losses[name] = log_losses(female, truth)
        told[name] = {"log_loss": float(losses[name].mean()), **figures(female, truth, made)}
    lower = gain(losses["before"], losses["after"])
    return {**told, "gain": lower._asdict(), "kept": lower.sure, "reason": None if lower.sure else NOT_BETTER}
