"""Whose photos gender is learned from, and by what photos people are judged; the model and its stage share it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import pandas as pd

from datasets.manifest import without_mask


class Speaking(NamedTuple):
    """Rows that speak for their person.

    Attributes:
        bare: embedded, and without a mask as far as is known.
        covered: embedded with a mask, of people of whom no bare photo is embedded.
    """

    bare: pd.Series[bool]
    covered: pd.Series[bool]


def speaking(frame: pd.DataFrame, embedded: Collection[str]) -> Speaking:
    """The rows by which people are judged.

    Args:
        frame: a manifest.
        embedded: ids of the photos whose face was found and described.
    """
    found = frame["photo_id"].isin(list(embedded))
    bare = found & without_mask(frame)
    return Speaking(bare, found & ~bare.groupby(frame["person_id"]).transform("any"))


def seen_masked_only(frame: pd.DataFrame, embedded: Collection[str]) -> pd.Series[bool]:
    """Rows by which people whose gender is to be decided are judged with a mask on: they need a model of masked faces.

    A bare photo on which no face was found does not count, so that this can only be said once faces were embedded.

    Args:
        frame: a manifest.
        embedded: ids of the photos whose face was found and described.
    """
    return speaking(frame, embedded).covered & undecided(frame)


def undecided(frame: pd.DataFrame) -> pd.Series[bool]:
    """Rows of people who lack a gender somewhere, and whose other rows don't tell it.

    A gender that was given or corrected tells it. Without one a gender that was pseudo-labelled earlier does, if no
    other row of the person has another: the person keeps it, with its confidence.
    """
    people, known = frame["person_id"], told(frame)
    lacking = frame["gender"].isna().groupby(people).transform("any")
    given = known.groupby(people).transform("any")
    earlier = frame["gender"].mask(known).groupby(people).transform("nunique")
    return lacking & ~given & earlier.ne(1)


def joining(frame: pd.DataFrame, embedded: Collection[str], youngest: float) -> pd.Series[bool]:
    """Bare rows of people without a gender, who may join those that gender is learned from (`models.self_training`).

    Args:
        frame: a manifest.
        embedded: ids of the photos whose face was found and described.
        youngest: nobody known to be younger is among them, in years.
    """
    oldest = frame["age"].groupby(frame["person_id"]).transform("max")
    young: pd.Series[bool] = oldest.lt(youngest).fillna(False).astype(bool)
    return speaking(frame, embedded).bare & undecided(frame) & ~young


def told(frame: pd.DataFrame, label: str = "gender", origin: str = "gender_from") -> pd.Series[bool]:
    """Rows whose label was given or corrected, not guessed; the columns hold it, and where it is from."""
    return frame[label].notna() & frame[origin].fillna("given").isin(["given", "corrected"])


def teaching(frame: pd.DataFrame) -> pd.Series[bool]:
    """Rows without a mask and with a gender given or corrected, of people of whom only one gender was.

    Pseudo-labels teach nothing: a model would be confirmed by its own earlier guesses.
    """
    known = told(frame)
    single = frame["gender"].where(known).groupby(frame["person_id"]).transform("nunique").eq(1)
    return known & single & without_mask(frame)


def chosen_to_teach(frame: pd.DataFrame, most: int, who: pd.Series[bool] | None = None) -> set[str]:
    """Ids of at most so many photos to learn from, as many of each source as there are, and of as many people.

    The choice goes by the files' hashes, so that it is the same on any machine and in any order of the rows.

    Args:
        frame: a manifest.
        most: photos; where a source has fewer than its share, the others have more.
        who: the rows that can teach; those of `teaching`, who teach gender, when not given.
    """
    rows = frame[teaching(frame) if who is None else who].sort_values(["sha256", "photo_id"])
    # One photo of everybody before a second of anybody, and then source by source in turn.
    rows = rows.assign(turn=rows.groupby("person_id").cumcount()).sort_values("turn", kind="stable")
    turns: pd.Series[Any] = rows.groupby("source").cumcount().sort_values(kind="stable")
    return set(rows.loc[turns.index[:most], "photo_id"])
