"""What a reader of a data card should not expect of the data: counted where it can be, said where it can't."""

from __future__ import annotations

from typing import Final

import pandas as pd

from datasets.labels import N_LABELS, label_name
from datasets.licences import ASKS, Kind, find_licence
from datasets.markdown import escape
from datasets.wording import counted

FEW: Final = 50
"""Persons of a class below which its scores say little: at 50, one person more or less moves recall by 2 points."""

MOSTLY_ALONE: Final = 0.9
"""Share of a source's photos, each the only one of its person, from which on its labels hardly know who is who."""

_UNRESTRICTED: Final[frozenset[Kind]] = frozenset({"free", "attribution"})

_ALWAYS: Final = (
    "Gender has two values here, as the datasets' own labels do. It is what a label says, not what a person is.",
    "Whether the people shown agreed to this use is between them and each dataset's owner; Palette can't tell.",
)


def limits(frame: pd.DataFrame) -> list[str]:
    """Returns the limits of a manifest, a line of Markdown each, those that were counted first."""
    found = [
        _thin(frame),
        _unlabelled(frame),
        _synthetic_classes(frame),
        _photo_is_person(frame),
        _noisy_ages(frame),
        _predicted(frame),
        _restricted(frame),
    ]
    return [*filter(None, found), *_ALWAYS]


def _thin(frame: pd.DataFrame) -> str:
    persons = (
        frame[frame["label"].notna()].groupby("label")["person_id"].nunique().reindex(range(N_LABELS), fill_value=0)
    )
    thin = [f"{label_name(label)} ({persons[label]})" for label in range(N_LABELS) if persons[label] < FEW]
    return f"Classes with fewer than {FEW} persons, of which scores say little: {', '.join(thin)}." if thin else ""


def _unlabelled(frame: pd.DataFrame) -> str:
    count = int(frame["label"].isna().sum())
    lack = "lacks" if count == 1 else "lack"
    told = f"{count:,} of {counted(len(frame), 'row')} {lack} a mask state, a gender or an age group, and so a class."
    return told if count else ""


def _synthetic_classes(frame: pd.DataFrame) -> str:
    known = frame[frame["label"].notna()]
    real = known[known["parent_id"].isna()].groupby("label").size()
    made = known[known["parent_id"].notna()].groupby("label").size()
    alone = [label_name(int(str(label))) for label in made.index if label not in real.index]
    if alone:
        return (
            f"Classes of variants alone, without one real photo: {', '.join(alone)}. What a classifier makes of really "
            "worn masks has to be measured on real photos."
        )
    return "Variants stand in for real masks; what a classifier makes of those has to be measured on real photos." * (
        len(made) > 0
    )


def _photo_is_person(frame: pd.DataFrame) -> str:
    # A photo may be here by its variants alone.
    photos = frame.assign(photo=frame["parent_id"].fillna(frame["photo_id"])).drop_duplicates("photo")
    alone = ~photos["person_id"].duplicated(keep=False)
    found = []
    for source, part in alone.groupby(photos["source"], sort=True):
        own = int(part.sum())
        if len(part) > 1 and own / len(part) >= MOSTLY_ALONE:
            found.append(f"{own:,} of {len(part):,} in {escape(source)} ({_percent(own, len(part))})")
    if not found:
        return ""
    return (
        f"Nearly every photo counts as a person of its own: {', '.join(found)}. If somebody is there twice, nothing in "
        "the labels says so."
    )


def _percent(part: int, whole: int) -> str:
    """Returns a share with one decimal, rounded down, so that only all of it is 100 %."""
    return f"{part * 1000 // whole / 10:g} %"


def _noisy_ages(frame: pd.DataFrame) -> str:
    if not frame["source"].eq("all-age-faces").any():
        return ""
    # Counted once in the set as its owner publishes it, 13,322 photos; this manifest may hold few of them, or none of
    # those pairs.
    return (
        "Ages of all-age-faces are noisy: in the whole set, 66 of 324 pairs of near-duplicates are labelled with "
        "different age groups."
    )


def _predicted(frame: pd.DataFrame) -> str:
    count = int(frame["gender_from"].eq("pseudo").sum())
    if not count:
        return ""
    are = counted(count, "gender is a prediction", "genders are predictions")
    return f"{are}: most often wrong for children and the very old, and not equally often in all groups of people."


def _restricted(frame: pd.DataFrame) -> str:
    kinds = {find_licence(str(licence)).kind for licence in frame["licence"].unique().tolist()} - _UNRESTRICTED
    asked = "; ".join(f"*{kind.replace('_', ' ')}* ({asks})" for kind, asks in ASKS.items() if kind in kinds)
    return f"Not free to use for everything. By kind of licence, some of it asks: {asked}." if asked else ""
