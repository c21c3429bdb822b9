"""Cut-offs: weights on the classes' chances that raise macro F1 above what taking the likeliest reaches.

Macro F1 counts a rare class as much as a common one, so that the likeliest class isn't the best answer. A weight on a
class moves its border with every other one. They are fitted out of fold, and kept only where cut-offs that were fitted
on the other folds are a gain: the gain on what they are fitted on is no evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from datasets.labels import N_LABELS
from models.blending import codes_of
from models.chances import Chances
from models.errors import SettingsError
from models.heads import HEADS, MISSING, SIZES, to_codes
from models.oof import OutOfFold
from models.ratios import climb
from models.scoring import score

Kind = Literal["heads", "classes"]
"""Whether there are weights for each head, 3 + 2 + 3, or for each of the 18 classes."""

_STARTS: Final = 3
_LARGEST: Final = 1e4
# Ordered by how few numbers they fit: of equal gains the first is kept.
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, eq=False)
class Cutoffs:
    """Weights by which chances are multiplied before the largest is taken.

    Attributes:
        label: (18,) on the classes, or None for 1.
        heads: on `mask` (3,), `gender` (2,) and `age_group` (3,), those that have any. A class is weighed by its own
            weight and by those of its mask state, gender and age group.
    """

    label: NDArray[np.float64] | None = None
    heads: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def factors(self) -> dict[str, tuple[float, ...]]:
        """The weights as a `models.blending.Blend` takes them, those there are."""
        given = ({} if self.label is None else {"label": self.label}) | self.heads
        return {name: tuple(weights.tolist()) for name, weights in given.items()}

    def apply(self, chances: Chances) -> NDArray[np.int64]:
        """(N, 3) codes: of the class that is largest when weighed, or of each head where there are no classes."""
        return codes_of(chances, self.factors)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What fitting cut-offs came to.

    Attributes:
        cutoffs: fitted on all rows; None where they are no gain on folds they were not fitted on.
        kind: of those kept.
        plain: macro F1 of taking the likeliest.
        fitted: macro F1 of the best kind on the rows it was fitted on; no evidence, but a sign of what is possible.
        nested: macro F1 of each kind where every fold is answered with cut-offs fitted on the others; empty where
            there is one fold only.
        codes: (N, 3) the answers on all rows of the table that were given: each fold's with the cut-offs of the
            others, or the likeliest where none are kept.
    """

    cutoffs: Cutoffs | None
    kind: Kind | None
    plain: float
    fitted: float
    nested: dict[Kind, float]
    codes: NDArray[np.int64]

    @property
    def gain(self) -> float:
        """Macro F1 that the cut-offs kept add on folds they were not fitted on."""
        return 0.0 if self.kind is None else self.nested[self.kind] - self.plain

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON takes them."""
        return {
            "kept": self.kind,
            "plain": self.plain,
            "fitted": self.fitted,
            "nested": dict(self.nested),
            "gain": self.gain,
        }


def fit_cutoffs(table: OutOfFold, kind: Kind = "heads", *, seed: int = 0) -> Cutoffs:
    """The cut-offs that maximise macro F1 of a table's rows: never worse there than taking the likeliest.

    Coordinate ascent from several starts; each step takes the best value of one weight exactly. Where the classes
    are answered, macro F1 is over the 18; else it is each head's own. A head of which the rows don't show every word is
    not weighed, nor are classes unless all 18 are shown: what nobody shows could only lose, and would never be answered
    again.

    Args:
        table: rows to fit on, all of them.
        kind: which weights.
        seed: of the random starts.

    Raises:
        SettingsError: there is no such kind, or the classes' weights are asked for where no classes are answered.
    """
    if kind not in KINDS:
        raise SettingsError(f"cut-offs must be one of {', '.join(KINDS)}, not {kind!r}")
    chances = table.chances
    if chances.label is not None:
        groups = _class_groups(kind, table.labels)
        weights = _fit(chances.label, table.labels, groups, seed)
        cutoffs = Cutoffs(weights) if kind == "classes" else Cutoffs(None, _by_head(weights))
    elif kind == "classes":
        raise SettingsError("cut-offs of the 18 classes need models that answer mask, gender and age group")
    else:
        cutoffs = Cutoffs(
            None,
            {
                name: _fit(each, truth, _single(each.shape[1]) if _shows_all(truth, each.shape[1]) else [], seed)
                for name, each in chances.heads.items()
                for truth in (table.truth[:, HEADS.index(name)],)
            },
        )
    return cutoffs


def choose_cutoffs(table: OutOfFold, kinds: Sequence[Kind] = KINDS, *, seed: int = 0) -> Chosen:
    """Fits cut-offs and keeps them only if they are a gain on folds they were not fitted on.

    They are fitted and judged on the rows that models are compared by; `Chosen.codes` answers all rows.

    Args:
        table: out of fold, of at least two folds for anything to be kept.
        kinds: to choose among.
        seed: of the random starts.
    """
    if table.chances.label is None:
        kinds = [kind for kind in kinds if kind == "heads"]
    judged = table.synthetic == (table.headline == "synthetic")
    likeliest = table.chances.codes()
    plain = score(table.truth[judged], likeliest[judged]).macro_f1
    apart = {kind: _nested_codes(table, judged, kind, seed) for kind in kinds}
    if len(np.unique(table.folds[judged])) < 2:
        apart = {}
    nested = {kind: score(table.truth[judged], codes[judged]).macro_f1 for kind, codes in apart.items()}
    best = max(nested, key=lambda kind: nested[kind], default=kinds[0] if kinds else "heads")
    cutoffs = fit_cutoffs(table.take(judged), best, seed=seed)
    fitted = score(table.truth[judged], cutoffs.apply(table.chances)[judged]).macro_f1
    if not nested or nested[best] <= plain:
        return Chosen(None, None, plain, fitted, nested, likeliest)
    return Chosen(cutoffs, best, plain, fitted, nested, apart[best])


def _nested_codes(table: OutOfFold, judged: NDArray[np.bool_], kind: Kind, seed: int) -> NDArray[np.int64]:
    """(N, 3) answers to each fold with cut-offs fitted on the other ones; the likeliest where there is no other."""
    codes = table.chances.codes()
    for fold in np.unique(table.folds):
        inside = table.folds == fold
        others = judged & ~inside
        if others.any():
            codes[inside] = fit_cutoffs(table.take(others), kind, seed=seed).apply(table.take(inside).chances)
    return codes


def _fit(
    chances: NDArray[np.float64], truth: NDArray[np.int64], groups: list[NDArray[np.int64]], seed: int
) -> NDArray[np.float64]:
    """(C,) weights of the best of several climbs; ones where there is no truth or nothing is gained."""
    known = truth != MISSING
    chances, truth = chances[known], truth[known]
    size = chances.shape[1]
    best, best_f1 = np.ones(size), -1.0
    if not len(truth):
        return best
    for start in _starts(chances, truth, groups, seed):
        weights, f1 = climb(chances, truth, groups, start, largest=_LARGEST)
        if f1 > best_f1:
            best, best_f1 = weights, f1
    scaled: NDArray[np.float64] = best / np.exp(np.log(best).mean())
    return scaled


def _starts(
    chances: NDArray[np.float64], truth: NDArray[np.int64], groups: list[NDArray[np.int64]], seed: int
) -> list[NDArray[np.float64]]:
    """(C,) weights to start from, alike within each group: ones, against what is common, and random ones."""
    rng = np.random.default_rng(seed)
    size = chances.shape[1]
    counts = np.bincount(truth, minlength=size).astype(np.float64) + 1.0
    against = np.ones(size)
    for members in groups:
        against[members] *= counts[members].sum() ** -0.5
    starts = [np.ones(size), against / against.mean()]
    while len(starts) < _STARTS:
        start = np.ones(size)
        for members in groups:
            start[members] *= np.exp(rng.normal(0.0, 0.5))
        starts.append(start)
    return starts


def _class_groups(kind: Kind, truth: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The classes that each weight is on, of those that (N,) true labels let be fitted."""
    if kind == "classes":
        return _single(N_LABELS) if _shows_all(truth, N_LABELS) else []
    codes, shown = to_codes(np.arange(N_LABELS)), to_codes(truth[truth != MISSING])
    return [
        np.flatnonzero(codes[:, at] == code)
        for at, size in enumerate(SIZES)
        if _shows_all(shown[:, at], size)
        for code in range(size)
    ]


def _shows_all(truth: NDArray[np.int64], size: int) -> bool:
    return len(np.unique(truth[truth != MISSING])) == size


def _single(size: int) -> list[NDArray[np.int64]]:
    return [np.array([at], dtype=np.int64) for at in range(size)]


def _by_head(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The heads' weights that a class's are products of: each scaled to a geometric mean of 1."""
    cube = np.log(weights).reshape(SIZES)
    others = {"mask": (1, 2), "gender": (0, 2), "age_group": (0, 1)}
    return {name: np.exp(cube.mean(axis=axes) - cube.mean()) for name, axes in others.items()}
