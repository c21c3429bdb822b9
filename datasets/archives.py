"""Archives in the place of folders: unpacked whole or not at all, and nowhere but where they should be."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final

from datasets.archive_entries import Entry, Limits, entries_of
from datasets.errors import ArchiveError, LayoutError, OutputError, UsageError
from datasets.finding import check_folder, is_clutter
from datasets.workers import Progress

__all__ = ["ARCHIVE_SUFFIXES", "Limits", "is_archive", "open_root", "unpack"]

ARCHIVE_SUFFIXES: Final = (".zip", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar")
_MARK: Final = ".palette-archive.json"
"""Lies in every folder that was unpacked here, hidden, and says of which archive."""
_WRITING: Final = ".palette-writing"
_CHUNK: Final = 1024**2
_MEGABYTE: Final = 1_000_000


def is_archive(path: Path) -> bool:
    """Says whether a file is named as an archive is; what it holds decides how it is unpacked."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES) and not is_clutter(path.name) and path.is_file()


def open_root(root: Path, out: Path, *, limits: Limits | None = None, progress: Progress | None = None) -> Path:
    """Returns the folder to read a dataset from, having unpacked it if it comes as archives.

    Args:
        root: The dataset's folder; an archive; or a folder that holds archives and nothing else but `out`.
        out: Where archives are unpacked, each to a folder of its own name.
        limits: See `unpack`.
        progress: See `unpack`.

    Returns:
        `root` itself, the unpacked folder of one archive, or a folder in `out`, named as `root`, with those of several
        and of no others.

    Raises:
        LayoutError: If there is no such folder or archive.
        ArchiveError: See `unpack`.
        OutputError: See `unpack`.
    """
    if root.is_file():
        if not is_archive(root):
            raise LayoutError(f"{root} is a file; expected a folder, or an archive: {', '.join(ARCHIVE_SUFFIXES)}")
        return unpack(root, out, limits=limits, progress=progress)
    check_folder(root)
    archives = _only_archives(root, out)
    if not archives:
        return root
    names = [_folder_name(archive) for archive in archives]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{root} holds several archives called {twice[0]}: keep one of them")
    if len(archives) == 1:
        return unpack(archives[0], out, limits=limits, progress=progress)
    together = out / root.resolve().name
    for archive in archives:
        unpack(archive, together, limits=limits, progress=progress)
    for folder in sorted(together.iterdir()):
        if folder.name not in names and "whole" in _mark(folder):
            shutil.rmtree(folder)  # of an archive that is no longer there
    return together


def _only_archives(root: Path, out: Path) -> list[Path]:
    archives = []
    for path in sorted(root.iterdir()):
        if is_archive(path):
            archives.append(path)
        elif not is_clutter(path.name) and not out.resolve().is_relative_to(path.resolve()):
            return []
    return archives


def unpack(archive: Path, out: Path, *, limits: Limits | None = None, progress: Progress | None = None) -> Path:
    """Unpacks an archive into a folder of its own name below `out`, unless it has been already.

    Until it is whole the folder has another, hidden name; an unpacking that was killed goes on with the files that
    are there in full. What operating systems leave in archives (`__MACOSX`, `._*`) is left out.

    Args:
        archive: zip, or tar with or without gzip, xz or bzip2.
        out: Made if it isn't there.
        limits: How much it may hold; `Limits()` when not given.
        progress: Told how many megabytes of the archive are done.

    Returns:
        The folder.

    Raises:
        ArchiveError: If it can't be read to its end; if it holds a link, a device, a name that leads outside or one
            name twice; or if it holds more than the limits allow. Nothing of it is left on the disk then.
        OutputError: If a file can't be written, or there is no room for them, or the folder's name is taken.
    """
    name, origin = _folder_name(archive), _origin(archive)
    target, partial = out / name, out / f".{name}.partial"
    whole = {**origin, "whole": True}
    if _mark(target) == whole:
        return target
    if target.exists() and "whole" not in _mark(target):
        raise OutputError(f"{target} is in the way of what {archive.name} holds: move it, or unpack to another folder")
    try:
        if _mark(partial) not in (whole, {**origin, "whole": False}):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            _write_mark(partial, {**origin, "whole": False})
        if _mark(partial) != whole:  # it may have been killed between that mark and the folder's name
            _unpack(archive, partial, limits or Limits(), progress)
            _write_mark(partial, whole)
        shutil.rmtree(target, ignore_errors=True)  # of an archive that has changed since
        partial.rename(target)
    except ArchiveError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    except OSError as error:
        raise OutputError(f"cannot unpack {archive.name} to {out}: {error.strerror or error}") from error
    return target


def _folder_name(archive: Path) -> str:
    suffix = next(suffix for suffix in ARCHIVE_SUFFIXES if archive.name.lower().endswith(suffix))
    return archive.name[: -len(suffix)] or "archive"


def _origin(archive: Path) -> dict[str, Any]:
    """Returns what tells this archive from another: its size, date and both ends, where the formats keep checksums."""
    try:
        status = archive.stat()
        with archive.open("rb") as handle:
            ends = handle.read(_CHUNK)
            handle.seek(max(status.st_size - _CHUNK, 0))
            ends += handle.read(_CHUNK)
    except OSError as error:
        raise ArchiveError(f"cannot read {archive}: {error.strerror or error}") from error
    return {"bytes": status.st_size, "changed": status.st_mtime_ns, "ends": hashlib.sha256(ends).hexdigest()}


def _mark(folder: Path) -> dict[str, Any]:
    try:
        mark = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}


def _write_mark(folder: Path, mark: dict[str, Any]) -> None:
    temporary = folder / _WRITING
    temporary.write_text(json.dumps(mark), encoding="utf-8")
    temporary.replace(folder / _MARK)


def _unpack(archive: Path, folder: Path, limits: Limits, progress: Progress | None) -> None:
    packed = archive.stat().st_size
    made, seen = {folder}, set()
    # What an unpacking that was killed has written already needs no more room.
    written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    with entries_of(archive, limits, shutil.disk_usage(folder).free + written) as entries:
        for entry in _wanted(entries):
            if entry.name in seen:
                raise ArchiveError(
                    f"{archive.name} holds {entry.name} twice: unpack it yourself and keep the right one"
                )
            seen.add(entry.name)
            limits.check(archive.name, len(seen), 0, packed)
            target = folder / entry.name
            if target.parent not in made:
                _make_folder(archive, target.parent, entry.name)
                made.add(target.parent)
            _write(archive, entry, target, folder / _WRITING)
            if progress is not None:
                progress(min(entry.position, packed) // _MEGABYTE, packed // _MEGABYTE)
    if not seen:
        raise ArchiveError(f"{archive.name} holds no files")


def _wanted(entries: Iterable[Entry]) -> Iterable[Entry]:
    return (entry for entry in entries if not any(is_clutter(part) for part in PurePosixPath(entry.name).parts))


def _make_folder(archive: Path, folder: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ArchiveError(f"{archive.name} holds a file that {name} needs as a folder") from error


def _write(archive: Path, entry: Entry, target: Path, temporary: Path) -> None:
    """Writes one file; it gets its name only when it is whole, so that one that has it already can be left."""
    if target.is_dir():
        raise ArchiveError(f"{archive.name} holds {entry.name} both as a file and as a folder")
    with suppress(FileNotFoundError):
        if target.stat().st_size == entry.size:
            return
    with temporary.open("wb") as handle:
        for chunk in entry.chunks():
            handle.write(chunk)
    temporary.replace(target)
