"""Scores of parts of what was answered, each with the spread that other people of the same kind would give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.labels import N_LABELS
from models.heads import HEADS, MISSING, SIZES, to_labels

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RESAMPLES: Final = 1000
LEVEL: Final = (2.5, 97.5)
"""Percentiles that a 95 % interval lies between."""
# People times resamples held in memory at once.
_HELD: Final = 4_000_000


@dataclass(frozen=True)
class Figure:
    """A figure and the 95 % interval of it.

    Attributes:
        value: of the rows themselves, 0..1.
        low: where the interval begins; None where there is one person only.
        high: where it ends.
    """

    value: float
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, float | None]:
        """The figure as JSON takes it."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Part:
    """The scores of some of the rows.

    Attributes:
        name: of the part.
        rows: those whose truth and answer are both known, over the classes or, where none is, over any head.
        people: in them.
        macro_f1: of the 18 classes that the part's truth holds; None where no row has all three labels.
        accuracy: likewise.
        heads: macro F1 of each head over the classes that the part's truth holds, those that have rows.
    """

    name: str
    rows: int
    people: int
    macro_f1: Figure | None
    accuracy: Figure | None
    heads: dict[str, Figure]

    def to_dict(self) -> dict[str, Any]:
        """The scores as JSON takes them."""
        return {
            "name": self.name,
            "rows": self.rows,
            "people": self.people,
            "macro_f1": None if self.macro_f1 is None else self.macro_f1.to_dict(),
            "accuracy": None if self.accuracy is None else self.accuracy.to_dict(),
            "heads": {name: each.to_dict() for name, each in self.heads.items()},
        }


def score_part(
    name: str, truth: Ints, answers: Ints, people: Sequence[str], *, seed: int = 0, resamples: int = RESAMPLES
) -> Part:
    """Scores rows, with intervals from drawing their people again with replacement (the percentile bootstrap).

    The photos of a person are no independent witnesses, so that people are drawn, with all their rows.

    Args:
        name: of the part.
        truth: (N, 3) codes, -1 for a missing label; N at least 1.
        answers: (N, 3) likewise.
        people: (N,) who is in each row.
        seed: of the draws.
        resamples: how often people are drawn.
    """
    numbers, names = pd.factorize(np.array(people, dtype=object))
    person = numbers.astype(np.int64)
    sets = {"label": (to_labels(truth), to_labels(answers), N_LABELS)} | {
        head: (truth[:, at], answers[:, at], size) for at, (head, size) in enumerate(zip(HEADS, SIZES, strict=True))
    }
    known = {each: (told != MISSING) & (given != MISSING) for each, (told, given, _) in sets.items()}
    counts = {
        each: _counts(told[known[each]], given[known[each]], person[known[each]], size, len(names))
        for each, (told, given, size) in sets.items()
        if known[each].any()
    }
    figures = _figures(counts, len(names), seed, resamples)
    label = figures.pop("label", None)
    scored = known["label"] if label is not None else np.any(list(known.values()), axis=0)
    return Part(
        name=name,
        rows=int(scored.sum()),
        people=len(np.unique(person[scored])),
        macro_f1=None if label is None else label[0],
        accuracy=None if label is None else label[1],
        heads={head: f1 for head, (f1, _) in figures.items()},
    )


def score_parts(
    groups: Sequence[str],
    truth: Ints,
    answers: Ints,
    people: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Part]:
    """The parts of rows by a name that each row has, in the order of their names."""
    named, who = np.array(groups, dtype=object), np.array(people, dtype=object)
    parts = []
    for name in sorted(set(groups)):
        rows = np.flatnonzero(named == name)
        parts.append(score_part(name, truth[rows], answers[rows], who[rows].tolist(), seed=seed, resamples=resamples))
    return [part for part in parts if part.rows]


def _counts(truth: Ints, answers: Ints, person: Ints, size: int, people: int) -> Floats:
    """(P, 3, C) how often, for each person, a class was rightly answered, true, and answered."""
    cells = people * size
    right = truth == answers
    stacked = [
        np.bincount(person[right] * size + truth[right], minlength=cells),
        np.bincount(person * size + truth, minlength=cells),
        np.bincount(person * size + answers, minlength=cells),
    ]
    return np.stack([each.reshape(people, size) for each in stacked], axis=1).astype(np.float64)


def _figures(counts: dict[str, Floats], people: int, seed: int, resamples: int) -> dict[str, tuple[Figure, Figure]]:
    """Macro F1 and accuracy of each set of classes; the same draws of people for all."""
    present = {name: each.sum(axis=0)[1] > 0 for name, each in counts.items()}
    whole = {name: _both(each.sum(axis=0)[None], present[name]) for name, each in counts.items()}
    drawn: dict[str, list[Floats]] = {name: [] for name in counts}
    if people > 1:
        rng = np.random.default_rng(seed)
        left, at_once = resamples, max(1, _HELD // people)
        while left > 0:
            take = min(left, at_once)
            times = rng.multinomial(people, np.full(people, 1 / people), size=take).astype(np.float64)
            for name, each in counts.items():
                sums = (times @ each.reshape(people, -1)).reshape(take, *each.shape[1:])
                drawn[name].append(_both(sums, present[name]))
            left -= take
    found = {}
    for name, value in whole.items():
        several = np.concatenate(drawn[name], axis=1) if drawn[name] else None
        found[name] = _figure(value, several, 0), _figure(value, several, 1)
    return found


def _both(sums: Floats, present: NDArray[np.bool_]) -> Floats:
    """(2, B) macro F1 of the classes present, and accuracy, of (B, 3, C) counts; nan where nobody is left."""
    right, true, given = (sums[:, at][:, present] for at in range(3))
    both = true + given
    with np.errstate(divide="ignore", invalid="ignore"):
        # A class that a draw neither holds nor answers says nothing of that draw.
        f1 = np.where(both > 0, 2 * right / both, 0.0).sum(axis=1) / (both > 0).sum(axis=1)
        accuracy = right.sum(axis=1) / true.sum(axis=1)
    return np.stack([f1, accuracy])


def _figure(value: Floats, several: Floats | None, at: int) -> Figure:
    held = None if several is None else several[at][np.isfinite(several[at])]
    if held is None or not len(held):
        return Figure(float(value[at, 0]), None, None)
    low, high = np.percentile(held, LEVEL)
    return Figure(float(value[at, 0]), float(low), float(high))
