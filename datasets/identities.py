"""Who is the same person under several person ids, and how people were dealt into folds: kept beside a merge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from datasets.atomic import atomic_write
from datasets.errors import ManifestError, OutputError

PEOPLE: Final = "people.json"


@dataclass(frozen=True)
class People:
    """What a merge knows of people beyond its manifest.

    Attributes:
        same: Person ids that stand for somebody known by another, and that other one.
        folds: How many folds people were dealt into; None where they weren't, or nobody knows.
        seed: Of the dealing.
    """

    same: Mapping[str, str] = field(default_factory=dict)
    folds: int | None = None
    seed: int | None = None


def join_people(links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Works out who is whom from pairs of person ids that mean one person.

    Args:
        links: Pairs, in any order; a chain of them joins all that it touches.

    Returns:
        Each person id that is another's, and that other: of all ids of a person the first in the alphabet.
    """
    pairs = [pair for pair in links if pair[0] != pair[1]]
    if not pairs:
        return {}
    codes, names = pd.factorize(np.array([person for pair in pairs for person in pair], dtype=object), sort=True)
    ends = codes.reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(len(names), len(names)))
    _, group = connected_components(graph, directed=False)
    _, first = np.unique(group, return_index=True)  # codes are in the order of the names
    head = names[first][group]
    return {str(name): str(same) for name, same in zip(names, head, strict=True) if name != same}


def links_of_files(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns pairs of person ids whose photos have the same bytes, for `join_people`.

    Args:
        frame: Rows with sha256 and person_id.
    """
    shared = frame.loc[frame["sha256"].duplicated(keep=False), ["sha256", "person_id"]].drop_duplicates()
    firsts = shared.groupby("sha256")["person_id"].transform("min")
    return list(zip(firsts.tolist(), shared["person_id"].tolist(), strict=True))


def with_identities(persons: pd.Series[Any], same: Mapping[str, str]) -> pd.Series[Any]:
    """Returns person ids with each replaced by the one that stands for them."""
    if not same:
        return persons
    other = persons.isin(list(same))
    return persons.where(~other, persons[other].map(same).reindex(persons.index)).astype("str")


def read_people(folder: Path) -> People:
    """Reads what lies beside a manifest; nothing there means nothing known.

    Raises:
        ManifestError: If the file can't be read, or isn't of this form.
    """
    file = folder / PEOPLE
    if not file.exists():
        return People()
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        same = {str(name): str(other) for name, other in dict(stored["same_people"]).items()}
        return People(
            same,
            None if stored["folds"] is None else int(stored["folds"]),
            None if stored["seed"] is None else int(stored["seed"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"cannot read {file} as a merge's table of people: {error}; merge anew") from error


def write_people(people: People, folder: Path) -> Path:
    """Writes what a merge knows of people beside its manifest; the same people give the same bytes.

    Raises:
        OutputError: If the file can't be written.
    """
    stored = {"folds": people.folds, "seed": people.seed, "same_people": dict(sorted(people.same.items()))}
    with atomic_write(folder / PEOPLE, durable=True) as temporary:
        temporary.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder / PEOPLE


def carry_people(people: People, folder: Path) -> None:
    """Makes a folder's table of people the one given; where nothing is known, what is there from before goes.

    Raises:
        OutputError: If the file can't be written, or not be removed.
    """
    if people != People():
        write_people(people, folder)
        return
    try:
        (folder / PEOPLE).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove {folder / PEOPLE}: {error.strerror or error}") from error
