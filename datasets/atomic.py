"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from datasets.errors import OutputError


@contextmanager
def atomic_write(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary path in the same folder; renames it to `path` when the block ends well.

    A reader sees the old file or the new one, never half of one, and a block that raises leaves the old one as it was.
    Missing parent folders are made. The temporary name begins with a dot, so that no reader takes it for a photo.

    Args:
        path: The file to write or replace.
        durable: Also waits until the bytes are on the disk, which a power cut would otherwise lose.

    Yields:
        The path to write to. The file exists, empty, with the permissions any new file would have.

    Raises:
        OutputError: If the folder or file can't be written.
    """
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        if durable:
            _flush(temporary)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
