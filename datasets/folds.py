"""Folds by person: nobody is in two of them, and nobody changes theirs when data is added."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd

from datasets.errors import FoldLeakError, UsageError


def assign_folds(manifest: pd.DataFrame, n_folds: int = 5, seed: int = 0) -> pd.Series[Any]:
    """Gives every row its fold.

    A person's fold is a hash of `person_id` and `seed` alone. So it doesn't change when photos or people are added or
    taken away, at the price of folds that are of equal size only by chance (their numbers of people vary as coin tosses
    do: of 1,000 people in 5 folds, 200 give or take 13 each). A variant takes the person of its parent, where the
    parent is in the manifest, and its own `person_id` where it isn't.

    Args:
        manifest: Rows with photo_id, person_id and parent_id.
        n_folds: Folds, at least 2.
        seed: Another seed deals the people anew.

    Returns:
        Int64, 0..n_folds-1, on the manifest's index.

    Raises:
        UsageError: If `n_folds` is less than 2.
    """
    if n_folds < 2:
        raise UsageError(f"n_folds must be at least 2, not {n_folds}")
    persons = _persons(manifest)
    folds = {person: _fold(person, n_folds, seed) for person in persons.unique().tolist()}
    return pd.Series([folds[person] for person in persons.tolist()], index=manifest.index, dtype="Int64")


def check_folds(manifest: pd.DataFrame) -> None:
    """Checks that folds, where they are set, keep people together.

    Raises:
        FoldLeakError: If a person, or a variant and its parent, is in more than one fold; the message names one.
    """
    placed = manifest[manifest["fold"].notna()]
    for column, persons in (("person_id", placed["person_id"]), ("parent_id", _persons(placed))):
        folds = placed["fold"].groupby(persons.to_numpy()).nunique()
        leaked = folds[folds > 1]
        if len(leaked):
            among = " through a variant and its parent" if column == "parent_id" else ""
            raise FoldLeakError(
                f"{len(leaked)} people are in more than one fold{among}, such as {leaked.index[0]!r}; assign folds anew"
            )


def _persons(manifest: pd.DataFrame) -> pd.Series[Any]:
    """Returns each row's person: a variant's is its parent's."""
    photos = manifest[manifest["parent_id"].isna()]
    known = pd.Series(photos["person_id"].to_numpy(), index=photos["photo_id"].to_numpy())
    return manifest["parent_id"].map(known).astype("str").fillna(manifest["person_id"])


def _fold(person: str, n_folds: int, seed: int) -> int:
    digest = hashlib.sha256(f"{seed}:{person}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % n_folds
