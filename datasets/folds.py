"""Folds by person: nobody is in two of them, each is a small likeness of the whole, and nobody changes theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.errors import FoldLeakError, UsageError
from datasets.labels import AGE_GROUPS, GENDERS, MASK_STATES

_UNDEALT: Final = -1
_RARE_FIRST: Final = ("incorrect", "wear", "not_wear")

Ints = NDArray[np.int64]


def assign_folds(
    manifest: pd.DataFrame, n_folds: int = 5, seed: int = 0, known: Mapping[str, int] | None = None
) -> pd.Series[Any]:
    """Gives every row its fold.

    People are dealt, not photos. Those of one gender, one age group and about as many photos of each mask state form a
    stratum; a stratum's people are dealt one after another by age, so that each of the 18 classes, and the ages within
    each age group, are spread over the folds as evenly as whole people allow. Who is known keeps their fold, and the
    others fill up what is short. The same people get the same folds in whatever order the rows come. A variant takes
    the person of its parent, where the parent is in the manifest, and its own `person_id` where it isn't.

    Args:
        manifest: Rows with photo_id, person_id, parent_id, mask, gender, age and age_group.
        n_folds: Folds, at least 2.
        seed: Another seed deals the people anew, but for those that are known.
        known: Folds from before, by person_id.

    Returns:
        Int64, 0..n_folds-1, on the manifest's index.

    Raises:
        UsageError: If `n_folds` is less than 2, or someone is known to be in a fold there won't be.
    """
    if n_folds < 2:
        raise UsageError(f"n_folds must be at least 2, not {n_folds}")
    known = known or {}
    beyond = max(known.values(), default=0)
    if beyond >= n_folds or min(known.values(), default=0) < 0:
        raise UsageError(f"people are known to be in fold {beyond}: of {n_folds} there is none; ask for more, or anew")
    if manifest.empty:
        return pd.Series([], index=manifest.index, dtype="Int64")
    codes, names = pd.factorize(persons_of(manifest), sort=True)
    people = names.tolist()
    kept = np.array([known.get(person, _UNDEALT) for person in people], dtype=np.int64)
    folds = _deal(_traits(manifest, codes, people, seed), kept, n_folds, seed)
    return pd.Series(folds[codes], index=manifest.index, dtype="Int64")


def check_folds(manifest: pd.DataFrame, same_people: Mapping[str, str] | None = None) -> None:
    """Checks that folds, where they are set, keep people together.

    Args:
        manifest: With its folds.
        same_people: Who is known to be whom under another person_id; see `datasets.identities`.

    Raises:
        FoldLeakError: If a person, a variant and its parent, or two files of the same bytes are in more than one fold;
            the message names one.
    """
    placed = manifest[manifest["fold"].notna()]
    who = persons_of(placed)
    checks = [
        ("people", "", placed["person_id"]),
        ("people", " through a variant and its parent", who),
        ("files", " under several names", placed["sha256"]),
    ]
    if same_people:
        checks.append(("people", " under two person ids", who.map(same_people).astype("str").fillna(who)))
    for what, among, groups in checks:
        codes, names = pd.factorize(groups)
        folds = placed["fold"].to_numpy(dtype=np.int64)
        lowest = np.full(len(names), np.iinfo(np.int64).max)
        highest = np.full(len(names), -1, dtype=np.int64)
        np.minimum.at(lowest, codes, folds)
        np.maximum.at(highest, codes, folds)
        leaked = sorted(names[np.flatnonzero(highest > lowest)])
        if leaked:
            raise FoldLeakError(
                f"{len(leaked)} {what} are in more than one fold{among}, such as {leaked[0]!r}; "
                "merge anew, without the folds there are"
            )


def persons_of(manifest: pd.DataFrame) -> pd.Series[Any]:
    """Returns each row's person: a variant's is its parent's, where that is in the manifest."""
    own = manifest["person_id"].astype("str")
    variants = manifest["parent_id"].notna()
    if not variants.any():
        return own
    photos = manifest[~variants].drop_duplicates("photo_id")  # a photo may be in several of a merge's inputs
    known = pd.Series(photos["person_id"].to_numpy(), index=photos["photo_id"].to_numpy())
    return own.mask(variants, manifest["parent_id"].map(known).astype("str").fillna(own))


def _traits(manifest: pd.DataFrame, codes: Ints, people: list[str], seed: int) -> pd.DataFrame:
    """One row a person: gender, age group, how many photos of each mask state (doublings), age, a number by lot."""
    count = len(people)
    traits: dict[str, Any] = {}
    for column, words in (("gender", GENDERS), ("age_group", AGE_GROUPS)):
        code = pd.Categorical(manifest[column], categories=list(words)).codes.astype(np.int64)
        first = np.full(count, len(words), dtype=np.int64)  # of contradicting rows the first word; missing comes last
        np.minimum.at(first, codes, np.where(code < 0, len(words), code))
        traits[column] = first
    state = pd.Categorical(manifest["mask"], categories=list(MASK_STATES)).codes.astype(np.int64)
    for number, name in [*((MASK_STATES.index(word), word) for word in _RARE_FIRST), (-1, "unknown")]:
        photos = np.bincount(codes[state == number], minlength=count)
        traits[name] = np.ceil(np.log2(photos + 1)).astype(np.int64)
    age = np.full(count, np.inf)
    np.fmin.at(age, codes, manifest["age"].to_numpy(dtype=np.float64, na_value=np.nan))
    lots = (hashlib.blake2b(f"{seed}:{person}".encode(), digest_size=8).digest() for person in people)
    lot = np.frombuffer(b"".join(lots), dtype=">u8").astype(np.uint64)
    return pd.DataFrame({**traits, "age": age, "lot": lot})


def _deal(traits: pd.DataFrame, kept: Ints, n_folds: int, seed: int) -> Ints:
    """Deals those of the people that have no fold yet, stratum by stratum."""
    of_stratum = [column for column in traits.columns if column not in ("age", "lot")]
    keys = ["lot", "age", *reversed(of_stratum)]
    order = np.lexsort([traits[key].to_numpy() for key in keys])
    wide = traits[of_stratum].to_numpy()[order]
    new_stratum = np.r_[True, (wide[1:] != wide[:-1]).any(axis=1)]
    new_group = np.r_[True, (wide[1:, :2] != wide[:-1, :2]).any(axis=1)]
    starts = np.flatnonzero(new_stratum)
    folds = kept[order]
    # What is there already: by gender and age group, and in all. New people even out those as far as strata leave it.
    group_of = np.cumsum(new_group) - 1
    by_group = np.zeros((int(group_of[-1]) + 1, n_folds), dtype=np.int64)
    there = folds != _UNDEALT
    np.add.at(by_group, (group_of[there], folds[there]), 1)
    in_all = by_group.sum(axis=0)
    lots = np.random.RandomState(seed % 2**32)
    for start, end in zip(starts, np.r_[starts[1:], len(order)], strict=True):
        part = folds[start:end]
        todo = np.flatnonzero(part == _UNDEALT)
        chance = lots.permutation(n_folds)
        if len(todo):
            have = np.bincount(part[part != _UNDEALT], minlength=n_folds)
            group = by_group[group_of[start]]
            more = _level(have, len(todo), np.lexsort((chance, in_all, group)))
            part[todo] = _interleave(more, chance)
            group += more
            in_all += more
    back = np.empty_like(folds)
    back[order] = folds
    return back


def _level(have: Ints, more: int, preferred: Ints) -> Ints:
    """Divides `more` among the folds so that all come as near to the same number as what they have allows.

    Args:
        have: (folds,) what each has already.
        more: To divide.
        preferred: (folds,) the folds in the order in which they get what can't be divided.
    """
    ascending = np.sort(have)
    cost = np.arange(len(have)) * ascending - np.r_[0, np.cumsum(ascending)[:-1]]  # of lifting all below to each
    lifted = int(np.flatnonzero(cost <= more)[-1]) + 1
    level = (more + int(ascending[:lifted].sum())) // lifted
    share = np.maximum(level - have, 0)
    rest = more - int(share.sum())
    lowest = [fold for fold in preferred.tolist() if have[fold] + share[fold] == level]
    share[lowest[:rest]] += 1
    return share


def _interleave(counts: Ints, chance: Ints) -> Ints:
    """Returns each fold's number as often as it is to be dealt, spread evenly from the first to the last."""
    labels = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    offset = (chance[labels] + 0.5) / len(counts)
    return np.asarray(labels[np.lexsort((labels, (within + offset) / counts[labels]))])
