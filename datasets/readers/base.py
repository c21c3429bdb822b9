"""What every reader has in common: a registry of names, and the listing it makes of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets.archives import is_archive
from datasets.errors import LayoutError, UsageError
from datasets.finding import PhotoFile, is_clutter
from datasets.labels import MAX_AGE
from datasets.refusals import Refusal


@dataclass(frozen=True)
class ReaderInfo:
    """What a source is.

    Attributes:
        name: As `ingest` is told it.
        licence: Id of the terms its photos come under.
        expects: The layout looked for.
        lacks: Labels it doesn't have, and what else to know of it.
        published: What its publisher says it holds.
        home: Where its owner publishes it: an address, or words where there is none.
        options: Its own options, name to meaning; `licence` is everyone's.
        kaggle: Datasets of Kaggle that hold it, by part: the names it may have there, the likeliest first.
        ages: Lowest and highest age, in years, that this source is believed on.
        types: Its codes of mask states, to what they are taken to mean; a label policy may say otherwise.
    """

    name: str
    licence: str
    expects: str
    lacks: str
    published: str
    home: str
    options: Mapping[str, str] = field(default_factory=dict)
    kaggle: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    ages: tuple[int, int] = (0, MAX_AGE)
    types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A photo on disk, with what its dataset says of it.

    Attributes:
        photo: The file, relative to the folder that is ingested.
        person: Key of the person within the source.
        labels: Manifest columns it knows: mask, gender, age, age_group, mask_from, licence, ...; an age may still be
            any number.
        code: The dataset's own code of the mask state, a key of `ReaderInfo.types`, where it has codes.
        version: Of the part of the dataset that it came with, where that has versions of its own.
    """

    photo: PhotoFile
    person: str
    labels: Mapping[str, Any]
    code: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a reader found in a folder, before any photo is opened.

    Attributes:
        records: The photos to use.
        refusals: What isn't used; `photo_id` is still the relative path.
        source: Name of the source, where it isn't the reader's own.
        version: Of the dataset, as far as it can be told.
    """

    records: list[Record]
    refusals: list[Refusal]
    source: str | None = None
    version: str | None = None


Reader = Callable[[Path, Mapping[str, Any]], Listing]
_READERS: dict[str, tuple[ReaderInfo, Reader]] = {}


def register(info: ReaderInfo) -> Callable[[Reader], Reader]:
    """Enters a reader under its name."""

    def enter(reader: Reader) -> Reader:
        _READERS[info.name] = (info, reader)
        return reader

    return enter


def list_readers() -> list[ReaderInfo]:
    """Returns what every source is, by name."""
    return [info for _, (info, _) in sorted(_READERS.items())]


def get_reader(name: str) -> tuple[ReaderInfo, Reader]:
    """Returns a source's description and its reader.

    Raises:
        UsageError: If there is none of that name; the message lists the names.
    """
    if name not in _READERS:
        raise UsageError(f"unknown source {name!r}; known: {', '.join(sorted(_READERS))}")
    return _READERS[name]


def check_options(info: ReaderInfo, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that are set.

    Raises:
        UsageError: If one isn't an option of this source; the message lists those that are.
    """
    known = {"licence": "id of the terms the photos come under, where you know better", **info.options}
    unknown = sorted(set(options) - set(known))
    if unknown:
        named = "; ".join(f"{name}: {meaning}" for name, meaning in known.items())
        raise UsageError(f"{info.name} has no option {', '.join(map(repr, unknown))}; its options are {named}")
    return {name: value for name, value in options.items() if value is not None}


def choice(options: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    """Returns an option that has a fixed set of values.

    Raises:
        UsageError: If it has another.
    """
    value = str(options.get(name, default))
    if value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def folders_below(root: Path, depth: int, skip: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Yields `root` and the folders below it: nearest first, then by name; hidden ones and links are passed over.

    Args:
        root: The folder.
        depth: How far below it to look.
        skip: Names of folders not to enter, because they hold photos by the thousand.
    """
    level = [root]
    for below in range(depth + 1):
        yield from level
        if below < depth:
            level = [child for folder in level for child in _children(folder, skip)]


def _children(folder: Path, skip: frozenset[str]) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            real = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # one that can't be listed holds nothing that could be read
        return []
    return [folder / name for name in sorted(real) if name not in skip and not is_clutter(name)]


def missing_layout(root: Path, wanted: str) -> LayoutError:
    """Returns an error that names what was looked for, and what is there instead."""
    entries = sorted(root.iterdir())
    names = [entry.name + "/" * entry.is_dir() for entry in entries]
    found = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    archive = next((entry.name for entry in entries if is_archive(entry)), None)
    hint = f"; an archive can be named in place of the folder: {archive}" if archive else ""
    return LayoutError(f"{root} doesn't hold {wanted}; found there: {found or 'nothing'}{hint}")
