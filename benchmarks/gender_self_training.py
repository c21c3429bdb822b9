"""A round of self-training, for the benchmark of genders: half of a set joins, its labels hidden, and half is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.gender_data import AGED, TAUGHT, WIDE, Known
from benchmarks.gender_figures import FIGURES, Answers, accuracy, measured
from models.calibration import Codes, log_losses
from models.confidence import gain
from models.gender import YOUNGEST
from models.gender_calibration import Calibrated
from models.joining import Pool, Taught, answers_of, draw_pool
from models.machine_fit import MachineFit, fit_machine
from models.self_training import judge, train_again

Numbers = NDArray[np.float64]


class Tried(NamedTuple):
    """A set that nothing was learned from."""

    name: str
    faces: Numbers
    known: list[Known]


def halves(count: int, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,) masks of a half, drawn, and of the other."""
    first = np.zeros(count, dtype=bool)
    first[np.random.default_rng(seed).permutation(count)[: count // 2]] = True
    return first, ~first


def taught_by(
    names: Sequence[str], faces: Mapping[str, Numbers], found: Mapping[str, Sequence[Known]], seed: int
) -> Taught:
    """The people of some sets, each a source."""
    known = [each for name in names for each in found[name]]
    sources = np.repeat(list(names), [len(found[name]) for name in names])
    female = np.array([each.gender == "female" for each in known], dtype=np.int64)
    people, ages = np.array([str(each.path) for each in known]), _ages(known)
    vectors = np.concatenate([faces[name] for name in names])
    return Taught(vectors, female, people, ages, sources, np.zeros(len(known), dtype=bool)).chosen_anew(seed)


def pool_of(faces: Numbers, known: list[Known]) -> Pool:
    """People whose gender isn't told; the very young are no part of it."""
    old = _ages(known) >= YOUNGEST
    people = np.array([str(each.path) for each in known])
    return Pool(faces[old], people[old], _ages(known)[old], np.full(int(old.sum()), AGED))


def tell_self_training(
    faces: Mapping[str, Numbers],
    found: Mapping[str, list[Known]],
    new: Mapping[str, NDArray[np.bool_]],
    precision: float,
    seed: int,
) -> None:
    """Prints whether `palette pseudo-label --self-train` would keep the round, and what it is worth in any case.

    It learns from the FairFace sample alone, so that there is nothing to judge by. If fairface540 taught too, it would
    be held out: what would be decided then is told.

    Args:
        faces: (N, D) of each set.
        found: their people.
        new: (N,) of each set, which of them are no copies of those learned from.
        precision: asked for.
        seed: of the halves, and of the fits.
    """
    seen = {TAUGHT: np.ones(len(found[TAUGHT]), dtype=bool), **new}
    faces = {name: faces[name][kept] for name, kept in seen.items()}
    known = {
        name: [each for each, there in zip(found[name], kept, strict=True) if there] for name, kept in seen.items()
    }
    joins, other = halves(len(known[AGED]), seed)
    pool = pool_of(faces[AGED][joins], [each for each, there in zip(known[AGED], joins, strict=True) if there])
    _, told = judge(taught_by((TAUGHT, WIDE), faces, known, seed), pool, [WIDE], precision, seed)
    print(f"self-training, judged by {WIDE} held out:", json.dumps(told, indent=1))

    taught = taught_by((TAUGHT,), faces, known, seed)
    first = fit_machine(taught.vectors, taught.female, taught.people, taught.sources, seed)
    rule = taught.calibrated(first.scores, precision, seed)
    drawn = pool.of(draw_pool(taught, pool, seed))
    answers = answers_of(first.machine.score(drawn.vectors), rule.calibration, drawn)
    nothing = np.full(len(taught.people), np.nan)
    second, _ = train_again(taught, drawn, answers, first, nothing, precision, seed)
    truth = {str(each.path): each.gender == "female" for each in found[AGED]}
    tell_joined(answers, drawn, truth)
    rest = [each for each, there in zip(known[AGED], other, strict=True) if there]
    half = Tried(f"the other half of {AGED}", faces[AGED][other], rest)
    for tried in (half, Tried(WIDE, faces[WIDE], known[WIDE])):
        compare(tried, (first, rule), (second, taught.calibrated(second.scores, precision, seed)))


def tell_joined(answers: Codes, pool: Pool, truth: Mapping[str, bool]) -> None:
    """Prints how many of those who join do so with the right gender."""
    joins = answers >= 0
    right = np.array([bool(answer) == truth[name] for answer, name in zip(answers, pool.people, strict=True)])
    print(f"of {len(joins)} people without a label {int(joins.sum())} join, {right[joins].mean():.4f} of them rightly")


def compare(tried: Tried, before: tuple[MachineFit, Calibrated], after: tuple[MachineFit, Calibrated]) -> None:
    """Prints the figures of both models on one set, and by how much the second's log loss is lower."""
    answers, losses = {}, {}
    for name, (fit, found) in (("without", before), ("with", after)):
        answers[name] = _answers(tried, fit, found)
        losses[name] = log_losses(answers[name].female, answers[name].truth.astype(np.int64))
        told = ", ".join(f"{key} {measured(figure, answers[name])}" for key, figure in FIGURES.items())
        print(
            f"{tried.name}, {len(tried.known)} people, {name} self-training: log loss {losses[name].mean():.4f}; {told}"
        )
    lower = gain(losses["without"], losses["with"])
    changed = accuracy(answers["with"]) - accuracy(answers["without"])
    print(
        f"{tried.name}: log loss lower by {lower.mean:.4f} ({lower.low:.4f}..{lower.high:.4f}), accuracy {changed:+.4f}"
    )


def _answers(tried: Tried, fit: MachineFit, found: Calibrated) -> Answers:
    ages = _ages(tried.known)
    female = found.calibration.probability(fit.machine.score(tried.faces), ages)
    sure = np.maximum(female, 1 - female) >= found.calibration.thresholds(ages)
    truth: Any = np.array([each.gender == "female" for each in tried.known])
    return Answers(female, truth, sure & (ages >= YOUNGEST))


def _ages(known: list[Known]) -> Numbers:
    return np.array([each.age for each in known], dtype=np.float64)
