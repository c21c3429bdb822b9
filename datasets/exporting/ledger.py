"""What an export has written into its folder, so that the next one there removes that and nobody else's files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from datasets.atomic import atomic_write
from datasets.errors import OutputError, UsageError
from datasets.refusals import printable
from datasets.schema import RELATIVE_PATH

LEDGER: Final = ".palette/exported.txt"
_INSIDE: Final = re.compile(RELATIVE_PATH)
_PASSING: Final = ("~", ".tmp")
_OF_SYSTEMS: Final = frozenset({"Thumbs.db", "desktop.ini"})


def read_ledger(out: Path) -> frozenset[str]:
    """Returns what earlier exports wrote into a folder, as paths relative to it; empty where none has been.

    Raises:
        UsageError: If `out` is a file, or the ledger in it can't be read or names a path outside.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: name a folder to export to")
    file = out / LEDGER
    if not file.is_file():
        return frozenset()
    try:
        paths = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}, the list of what is exported there: name another folder") from error
    outside = next((path for path in paths if not _INSIDE.fullmatch(path)), None)
    if outside is not None:
        raise UsageError(f"{file} lists {printable(outside)!r}, which no export wrote: name another folder")
    return frozenset(paths)


def write_ledger(paths: Iterable[str], out: Path) -> None:
    """Writes down what an export writes, or is about to write.

    Raises:
        OutputError: If it can't be written.
    """
    with atomic_write(out / LEDGER, durable=True) as temporary:
        temporary.write_text("".join(f"{path}\n" for path in sorted(paths)), encoding="utf-8", newline="\n")


def check_folder(out: Path, ours: frozenset[str]) -> None:
    """Makes sure that a folder holds nothing but what exports wrote: a loader would take it for a part of the dataset.

    Hidden files, and those that editors and systems leave about, are passed over: they are named otherwise than photos
    that are exported, and nobody put them there to be a part of a dataset.

    Args:
        out: The folder; it needn't be there.
        ours: From `read_ledger`.

    Raises:
        UsageError: If there is anything else.
    """
    for path in sorted(out.rglob("*")) if out.is_dir() else ():
        relative = path.relative_to(out)
        # A link to a folder counts as a file: what would be put into it would lie elsewhere.
        folder = path.is_dir() and not path.is_symlink()
        if not folder and not _is_passing(relative) and relative.as_posix() not in ours:
            raise UsageError(
                f"{out} holds {printable(relative.as_posix())}, which no export wrote there: name another folder"
            )


def _is_passing(relative: Path) -> bool:
    hidden = any(part.startswith(".") for part in relative.parts)
    return hidden or relative.name.endswith(_PASSING) or relative.name in _OF_SYSTEMS


def remove(paths: Iterable[str], out: Path) -> None:
    """Removes files that a ledger lists, and the folders that this leaves empty; what is gone already is no matter.

    Raises:
        OutputError: If one can't be removed.
    """
    folders: set[PurePosixPath] = set()
    for path in sorted(paths):
        try:
            (out / path).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove {out / path}, which is no longer exported: {error.strerror}") from error
        folders.update(parent for parent in PurePosixPath(path).parents if parent.name)
    for folder in sorted(folders, reverse=True):  # those within others first
        with suppress(OSError):  # there are other files in it
            (out / folder).rmdir()
