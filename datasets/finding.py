"""Which files of a folder are its photos: nested, in a fixed order, and none from outside."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from datasets.errors import LayoutError
from datasets.refusals import Refusal, printable

PHOTO_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MANIFEST: Final = "manifest.parquet"
UNSAFE_NAME: Final = re.compile(r"[\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no name in a manifest may hold."""
_CLUTTER: Final = frozenset({"__MACOSX"})


@dataclass(frozen=True)
class PhotoFile:
    """A file that is named as a photo is.

    Attributes:
        path: Where it can be opened.
        relative: Its path below the folder searched, `/` between parts, spelt as on disk.
    """

    path: Path
    relative: str


@dataclass
class _Walk:
    """What one search has found so far."""

    root: Path
    photos: list[PhotoFile] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    links: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, relative: str, reason: str, detail: str) -> None:
        self.refusals.append(Refusal(printable(relative), "find", reason, detail))


def is_clutter(name: str) -> bool:
    """Says whether a file or folder of this name is an operating system's or editor's, not the dataset's."""
    return name.startswith(".") or name in _CLUTTER


def check_folder(root: Path) -> Path:
    """Returns `root` resolved.

    Raises:
        LayoutError: If it isn't a folder that can be listed.
    """
    try:
        with os.scandir(root):
            return root.resolve()
    except FileNotFoundError as error:
        raise LayoutError(f"no such folder: {root}") from error
    except NotADirectoryError as error:
        raise LayoutError(f"{root} is a file; expected a folder") from error
    except OSError as error:
        raise LayoutError(f"the folder {root} can't be listed: {error.strerror}") from error


def find_photos(root: Path) -> tuple[list[PhotoFile], list[Refusal]]:
    """Finds the photos below a folder.

    Hidden files and folders (`._*`, `.ipynb_checkpoints`), `__MACOSX` and names without a photo's suffix are passed
    over in silence, and so are subfolders with a MANIFEST of ours: what was written there is no dataset's. Links to
    files and folders inside the folder are followed, each folder being entered once, so that links in a circle end;
    links that lead outside are refused, and so are names that a manifest can't hold (a backslash, a control character,
    bytes that are no text).

    Args:
        root: The folder.

    Returns:
        Photos sorted by relative path, and refusals whose `photo_id` is the relative path.

    Raises:
        LayoutError: If `root` isn't a folder that can be read.
    """
    walk = _Walk(check_folder(root))
    _enter(walk, str(walk.root), "")
    # Linked folders come after the real ones, so that a photo is found by its own path where it has one.
    while walk.links:
        target, relative = min(walk.links, key=lambda link: link[1])
        walk.links.remove((target, relative))
        _enter(walk, target, relative)
    walk.photos.sort(key=lambda photo: photo.relative)
    walk.refusals.sort(key=lambda refusal: refusal.photo_id)
    return walk.photos, walk.refusals


def _enter(walk: _Walk, folder: str, relative: str) -> None:
    pending = [(folder, relative)]
    while pending:
        folder, relative = pending.pop()
        if folder in walk.seen:
            continue
        walk.seen.add(folder)
        pending.extend(_list(walk, folder, relative))


def _list(walk: _Walk, folder: str, relative: str) -> Iterator[tuple[str, str]]:
    """Sorts one folder's entries into photos, refusals and links; yields its real subfolders."""
    try:
        with os.scandir(folder) as entries:
            listed = [entry for entry in entries if not is_clutter(entry.name)]
    except OSError as error:
        walk.refuse(relative, "unreadable", f"a folder that can't be listed: {error.strerror}")
        return
    if relative and any(entry.name == MANIFEST for entry in listed):
        return
    for entry in listed:
        name = f"{relative}/{entry.name}" if relative else entry.name
        if entry.is_symlink():
            _follow(walk, entry, name)
        elif entry.is_dir(follow_symlinks=False):
            yield entry.path, name
        elif _is_photo_name(entry.name):
            _add(walk, Path(entry.path), name)


def _follow(walk: _Walk, entry: os.DirEntry[str], name: str) -> None:
    target = os.path.realpath(entry.path)
    photo = _is_photo_name(entry.name)
    try:
        folder = stat.S_ISDIR(entry.stat().st_mode)
    except OSError as error:  # nothing there, a link to itself, or no permission to look
        if photo:
            walk.refuse(name, "unreadable", f"a link that leads nowhere: {error.strerror}")
        return
    if not Path(target).is_relative_to(walk.root):
        if photo or folder:
            walk.refuse(name, "outside_root", "a link that leads outside the folder")
    elif folder:
        walk.links.append((target, name))
    elif photo:
        _add(walk, Path(entry.path), name)


def _add(walk: _Walk, path: Path, name: str) -> None:
    if UNSAFE_NAME.search(name):
        walk.refuse(name, "unsafe_name", "a name with a backslash, a control character or bytes that are no text")
    else:
        walk.photos.append(PhotoFile(path, name))


def _is_photo_name(name: str) -> bool:
    return Path(name).suffix.lower() in PHOTO_SUFFIXES
