"""Reusing finished work: a stage is skipped only when the contents that shaped it are the same, byte for byte.

Nothing is trusted for its path or its date. A stage's key is a hash over the contents it read, its settings and
the source code of the room that did the work; beside the outputs lies `done.json` with that key and the hash of
each output.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.types import ProgressCallback

DONE = "done.json"
_REPORTED = 32  # files between two reports of progress


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def folder_digest(
    root: Path,
    *,
    known: Mapping[str, str] | None = None,
    without: Path | None = None,
    threads: int = 1,
    progress: ProgressCallback | None = None,
) -> str:
    """Return a SHA-256 over every file below `root`: its relative name and its contents.

    A file that cannot be read counts by its name alone: it will be refused when it is ingested, and read again
    once it can be.

    Args:
        root: The folder.
        known: SHA-256 of files that were just read, by relative path with `/`: they aren't read again.
        without: A folder below `root` that isn't looked into.
        threads: Files hashed at once.
        progress: Called with (files done, files in all).
    """
    digest, known = hashlib.sha256(), known or {}
    paths = sorted(_files(root, without))
    names = [path.relative_to(root) for path in paths]
    with ThreadPoolExecutor(threads) as pool:
        contents = pool.map(lambda path, name: known.get(name.as_posix()) or _content(path), paths, names)
        for done, (name, content) in enumerate(zip(names, contents, strict=True), start=1):
            digest.update(os.fsencode(name) + b"\0" + content.encode())
            if progress is not None and done % _REPORTED == 0:
                progress(done, len(names))
    return digest.hexdigest()


def folder_stamp(root: Path, *, without: Path | None = None) -> str:
    """Return a SHA-256 over the names, sizes and times of change of the files below `root`, which aren't read.

    Args:
        root: The folder.
        without: A folder below `root` that isn't looked into.
    """
    digest = hashlib.sha256()
    for path in sorted(_files(root, without)):
        try:
            status = path.stat()
            told = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            told = "gone"
        digest.update(os.fsencode(path.relative_to(root)) + b"\0" + told.encode())
    return digest.hexdigest()


def _content(path: Path) -> str:
    try:
        # A link may lead to a pipe, which would block for ever, or to a device, which never ends.
        return file_digest(path) if path.is_file() else "no file"
    except OSError:
        return "unreadable"


def _files(root: Path, without: Path | None) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if Path(folder) / name != without]
        for name in names:
            path = Path(folder) / name
            if path.is_file() or path.is_symlink():
                yield path


@lru_cache
def code_digest(*modules: str) -> str:
    """Return a SHA-256 over the Python source of packages or modules, e.g. `datasets`, `synth.finder`.

    Changing a helper deep inside a room changes it too, which a task's own source would miss.
    """
    digest = hashlib.sha256()
    for module in modules:
        for place in _source_places(module):
            for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
                digest.update(f"{module}/{path.relative_to(place)}\0{file_digest(path)}".encode())
    return digest.hexdigest()


def _source_places(module: str) -> list[Path]:
    spec = find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"no module named {module}", name=module)
    if spec.submodule_search_locations:
        return [Path(folder) for folder in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.origin else []


def key_of(**parts: Any) -> str:
    """Return one key for everything that shapes a stage's output; `parts` must be plain JSON values or paths."""
    text = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def is_finished(folder: Path, key: str) -> bool:
    """Say whether `folder` holds the outputs of exactly this work, unharmed."""
    try:
        done = json.loads((folder / DONE).read_text(encoding="utf-8"))
        return done["key"] == key and all(
            file_digest(folder / name) == digest for name, digest in done["outputs"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def forget(folder: Path) -> None:
    """Take the mark off before work starts, so that a run killed half-way is never taken for a finished one.

    Raises:
        OutputError: The folder is a file, or may not be written to.
    """
    from datasets.errors import OutputError

    try:
        (folder / DONE).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror}; name a folder that can be written to"
        ) from error


def mark_finished(folder: Path, key: str, outputs: Iterable[Path]) -> None:
    """Record that `folder` holds finished work.

    Args:
        folder: The stage's folder.
        key: From `key_of`.
        outputs: Files below `folder` whose bytes are to be trusted later.
    """
    from datasets.atomic import atomic_write

    hashes = {path.relative_to(folder).as_posix(): file_digest(path) for path in outputs}
    with atomic_write(folder / DONE) as temporary:
        Path(temporary).write_text(json.dumps({"key": key, "outputs": hashes}, indent=2), encoding="utf-8")
