"""Files that options and tables name: whether they are there, and which version of them was read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from datasets.errors import UsageError


def is_file(value: str | Path) -> bool:
    """Says whether a text or path names a file that is there; a text that can't be a file's name doesn't."""
    try:
        return Path(value).is_file()
    except (OSError, ValueError):
        return False


def file_version(path: Path) -> str:
    """Returns a file's name and the first 12 hex digits of its SHA-256.

    Raises:
        UsageError: If it can't be read.
    """
    try:
        return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
