"""How the answers of several groups of models become one, and where between classes the cut falls.

Everything here is arithmetic on `models.chances`; what the weights are is found elsewhere, out of fold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from datasets.labels import N_LABELS
from models.chances import Chances, combine, mean_of, of_heads, of_labels
from models.errors import TeamError
from models.heads import HEADS, SIZES, to_codes

How = Literal["mean", "weighted", "stacking"]
"""`mean`: groups that answer the same count alike. `weighted`: by weights. `stacking`: a regression on log chances."""

Cuts = Mapping[str, Sequence[float] | None]
_CUT_SIZES: Final = {"label": N_LABELS, **dict(zip(HEADS, SIZES, strict=True))}


@dataclass(frozen=True)
class Stacking:
    """A multinomial logistic regression on the logarithms of what groups say.

    The chance of `classes[c]` is the softmax over c of `intercepts[c] + coefficients[c] . x`, where x holds, group by
    group, the logarithms of the chances of the 18 classes; chances below `floor` count as `floor`.

    Attributes:
        groups: (G,) in the order of x.
        classes: (C,) labels 0..17 that it knows, rising; the others get no chance.
        coefficients: (C, 18 * G).
        intercepts: (C,).
        floor: the least chance, above 0.
    """

    groups: tuple[str, ...]
    classes: tuple[int, ...]
    coefficients: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    floor: float = 1e-6

    def __post_init__(self) -> None:
        rows = {len(self.classes), len(self.coefficients), len(self.intercepts)}
        if (
            len(rows) != 1
            or not self.classes
            or {len(row) for row in self.coefficients} != {N_LABELS * len(self.groups)}
        ):
            raise TeamError(
                f"stacking of {len(self.groups)} groups has a row of {N_LABELS} numbers a group for each class"
            )
        if list(self.classes) != sorted(set(self.classes) & set(range(N_LABELS))):
            raise TeamError(f"the classes of stacking are labels 0..{N_LABELS - 1}, rising")
        if not _finite([*self.intercepts, *(number for row in self.coefficients for number in row)]):
            raise TeamError("stacking holds what is no number")
        if not 0 < self.floor < 1:
            raise TeamError(f"the floor of stacking lies between 0 and 1, not at {self.floor!r}")

    def apply(self, groups: Mapping[str, Chances]) -> Chances:
        """What the groups, all of which answer all heads, say together."""
        logs = [np.log(np.maximum(_label_of(groups[name]), self.floor)) for name in self.groups]
        scores = np.concatenate(logs, axis=1) @ np.array(self.coefficients).T + np.array(self.intercepts)
        grown = np.exp(scores - scores.max(axis=1, keepdims=True))
        label = np.zeros((len(grown), N_LABELS))
        label[:, list(self.classes)] = grown / grown.sum(axis=1, keepdims=True)
        return of_labels(label)


@dataclass(frozen=True)
class Blend:
    """How groups become one answer; checked when made.

    Attributes:
        how: of `How`.
        weights: of each group, not negative, for `weighted` alone; only their proportions count.
        stacking: for `stacking` alone.
        cutoffs: factors on chances before the likeliest is taken: `label` (18), `mask` (3), `gender` (2), `age_group`
            (3), any of them; None for those that have none.
    """

    how: How = "mean"
    weights: Mapping[str, float] | None = None
    stacking: Stacking | None = None
    cutoffs: Cuts | None = None

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise TeamError(f"how must be one of {', '.join(get_args(How))}, not {self.how!r}")
        if (self.weights is not None) != (self.how == "weighted") or (self.stacking is not None) != (
            self.how == "stacking"
        ):
            raise TeamError("weights belong to how weighted, a stacking to how stacking, and nothing to how mean")
        if self.weights is not None and not _are_weights(self.weights.values()):
            raise TeamError("weights must be numbers of which none is below 0 and one is above")
        for name, factors in (self.cutoffs or {}).items():
            if name in _CUT_SIZES and factors is None:
                continue
            if factors is None or len(factors) != _CUT_SIZES.get(name) or not _finite(factors) or min(factors) <= 0:
                told = ", ".join(f"{each} {size}" for each, size in _CUT_SIZES.items())
                raise TeamError(f"cutoffs are numbers above 0, by head ({told}); {name!r} has {factors!r}")

    def check_groups(self, groups: Sequence[str]) -> None:
        """Raises TeamError unless the weights, or the stacking, are of exactly these groups."""
        named = self.stacking.groups if self.stacking is not None else self.weights
        if named is not None and set(named) != set(groups):
            raise TeamError(f"{self.how} names the groups {', '.join(named)}; there are {', '.join(groups)}")

    def check_heads(self, heads: Mapping[str, Sequence[str]]) -> None:
        """Raises TeamError if the groups' heads can't be blended so.

        Args:
            heads: which of `models.heads.HEADS` each group answers.
        """
        lacking = [name for name, parts in heads.items() if set(parts) != set(HEADS)]
        if self.how == "stacking" and lacking:
            raise TeamError(f"stacking needs groups that answer {', '.join(HEADS)}; {', '.join(lacking)} doesn't")

    def needed(self, groups: Iterable[str]) -> list[str]:
        """Those of the groups that count at all."""
        return [name for name in groups if self.weights is None or self.weights[name] > 0]

    def apply(self, groups: Mapping[str, Chances]) -> Chances:
        """What the groups say together.

        Args:
            groups: of the same photos, by name; those that count.
        """
        if self.stacking is not None:
            return self.stacking.apply(groups)
        if self.weights is None:
            return combine(list(groups.values()))
        return _weighted(list(groups.values()), [self.weights[name] for name in groups])

    def to_dict(self) -> dict[str, Any]:
        """The blend as `team.json` has it."""
        return {
            "how": self.how,
            "weights": None if self.weights is None else dict(self.weights),
            "stacking": None if self.stacking is None else asdict(self.stacking),
            "cutoffs": None
            if self.cutoffs is None
            else {name: row and list(row) for name, row in self.cutoffs.items()},
        }


def blend_from(values: Mapping[str, Any]) -> Blend:
    """The blend that a `team.json` describes.

    Raises:
        TeamError: it contradicts itself.
        TypeError, ValueError, KeyError: it isn't of that form.
    """
    stacking, cutoffs = values.get("stacking"), values.get("cutoffs")
    if stacking is not None:
        stacking = Stacking(
            tuple(map(str, stacking["groups"])),
            tuple(map(int, stacking["classes"])),
            tuple(tuple(map(float, row)) for row in stacking["coefficients"]),
            tuple(map(float, stacking["intercepts"])),
            float(stacking.get("floor", Stacking.floor)),
        )
    if cutoffs is not None:
        cutoffs = {name: tuple(map(float, row)) for name, row in dict(cutoffs).items() if row is not None}
    weights = values.get("weights")
    if weights is not None:
        weights = {str(name): float(weight) for name, weight in dict(weights).items()}
    return Blend(values.get("how", "mean"), weights, stacking, cutoffs or None)


def codes_of(chances: Chances, cutoffs: Cuts | None = None) -> NDArray[np.int64]:
    """(N, 3) codes of the likeliest, once chances are multiplied by their cut-offs; -1 for no answer.

    Where there are chances of the classes, each is multiplied by its own factor and by those of its mask state, gender
    and age group, and the likeliest class counts; else the heads count apart.
    """
    if not cutoffs:
        return chances.codes()
    by_head = [np.asarray(cutoffs.get(name) or np.ones(size)) for name, size in zip(HEADS, SIZES, strict=True)]
    if chances.label is not None:
        mask, gender, age = by_head
        factors = (mask[:, None, None] * gender[:, None] * age).reshape(-1) * np.asarray(cutoffs.get("label") or 1.0)
        return to_codes((chances.label * factors).argmax(axis=1).astype(np.int64))
    factors_of = dict(zip(HEADS, by_head, strict=True))
    return Chances(None, {name: each * factors_of[name] for name, each in chances.heads.items()}).codes()


def _weighted(several: Sequence[Chances], weights: Sequence[float]) -> Chances:
    """The weighted mean; where groups answer other heads, of each head over those that answer it."""
    if all(each.heads.keys() == several[0].heads.keys() for each in several):
        return mean_of(several, weights)
    heads = {}
    for name in HEADS:
        told = [at for at, each in enumerate(several) if name in each.heads]
        if told:
            heads[name] = np.average([several[at].heads[name] for at in told], 0, [weights[at] for at in told])
    told = [at for at, each in enumerate(several) if each.years is not None]
    years = np.average([several[at].years for at in told], 0, [weights[at] for at in told]) if told else None
    return of_heads(heads, years)


def _label_of(chances: Chances) -> NDArray[np.float64]:
    if chances.label is None:
        raise TeamError(f"stacking needs models that answer {', '.join(HEADS)}")
    return chances.label


def _finite(numbers: Iterable[float]) -> bool:
    return all(math.isfinite(number) for number in numbers)


def _are_weights(weights: Iterable[float]) -> bool:
    held = list(weights)
    return bool(held) and _finite(held) and min(held) >= 0 and sum(held) > 0
