"""What archives hold, entry by entry, read with suspicion: names, kinds and sizes are whatever their maker wrote."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

from datasets.errors import ArchiveError, OutputError
from datasets.finding import UNSAFE_NAME
from datasets.refusals import printable
from datasets.schema import RELATIVE_PATH

_CHUNK: Final = 1024**2
_MOST_AT_ONCE: Final = 16 * 1024**2
"""Bytes; tar's own headers may claim to be longer, and would be read into memory."""
_ALLOWANCE: Final = 64 * 1024**2
"""Bytes; what holds less may be packed as tightly as it likes, as a table is."""
_LONGEST_NAME: Final = 255  # bytes of one part, on the usual file systems
_DAMAGED: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,  # zipfile's word for a packing that it doesn't know
    MemoryError,
    RecursionError,  # tarfile reads a header that follows a header by calling itself
)
"""What the readers of the standard library raise on bytes that somebody damaged, or made up."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold.

    Attributes:
        files: Number of files; the largest part of any set known here has 40,000.
        bytes: Of all of them, unpacked.
        ratio: Bytes unpacked for each byte of the archive. Photos hardly shrink; what shrinks more is no dataset.
    """

    files: int = 2_000_000
    bytes: int = 2 * 1024**4
    ratio: float = 50.0

    def check(self, archive: str, files: int, size: int, packed: int) -> None:
        """Checks what an archive of `packed` bytes holds, or has given so far.

        Raises:
            ArchiveError: If it is more than it may be.
        """
        if files > self.files:
            raise ArchiveError(f"{archive} holds more than {self.files:,} files: unpack it yourself if you trust it")
        if size > self.bytes or (size > _ALLOWANCE and size > self.ratio * max(packed, 1)):
            raise ArchiveError(
                f"{archive} would unpack to {size:,} bytes or more from {packed:,}, which no set of photos does: "
                "unpack it yourself if you trust it"
            )


@dataclass(frozen=True)
class Entry:
    """One file of an archive.

    Attributes:
        name: `/` between parts; relative, and inside.
        size: Bytes unpacked, as the archive says.
        position: Bytes of the archive that are done with this entry.
        open: Gives its content, once.
    """

    name: str
    size: int
    position: int
    open: Callable[[], IO[bytes]]

    def chunks(self) -> Iterator[bytes]:
        """Yields its content."""
        with self.open() as handle:
            while chunk := handle.read(_CHUNK):
                yield chunk


@contextmanager
def entries_of(archive: Path, limits: Limits, room: int) -> Iterator[Iterator[Entry]]:
    """Opens an archive and gives its files, in its own order; each must be read, or not, before the next.

    Args:
        archive: The file; its content, not its name, says of which kind it is.
        limits: A zip says beforehand what it holds, and is checked before anything of it is read.
        room: Bytes free where it will be written.

    Yields:
        An iterator of its files; folders are left out.

    Raises:
        ArchiveError: If it can't be read, or holds what no dataset should; also from the iterator.
        OutputError: If a zip holds more than there is room for.
    """
    try:
        with archive.open("rb") as raw:
            if raw.read(2) == b"PK":
                with zipfile.ZipFile(raw) as opened:
                    yield _zip_entries(archive, opened, limits, room)
            else:
                yield _tar_entries(archive, raw, limits)
    except _DAMAGED as error:
        raise ArchiveError(f"{archive.name} is damaged, cut off or no archive: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise ArchiveError(f"{archive.name} is damaged: {error}") from error  # gzip's and bzip2's complaints


def _zip_entries(path: Path, opened: zipfile.ZipFile, limits: Limits, room: int) -> Iterator[Entry]:
    archive = path.name
    files = [info for info in opened.infolist() if not info.is_dir()]
    total = sum(info.file_size for info in files)
    limits.check(archive, len(files), total, path.stat().st_size)
    for info in files:
        _check_name(archive, info.filename)
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _unwanted(archive, info.filename, "a link" if stat.S_ISLNK(mode) else "a special file")
        if info.flag_bits & 1:
            raise ArchiveError(f"{archive} is protected by a password: unpack it yourself")
    if total > room:
        raise OutputError(f"{archive} needs {total / 1e9:.1f} GB unpacked; {room / 1e9:.1f} GB are free")
    done = 0
    for info in files:
        done += info.compress_size
        yield Entry(_tidy(info.filename), info.file_size, done, _zip_opener(opened, info))


def _zip_opener(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: opened.open(info)


def _tar_entries(path: Path, raw: IO[bytes], limits: Limits) -> Iterator[Entry]:
    archive, packed = path.name, path.stat().st_size
    stream = _Forward(_unpacked(raw), lambda size: limits.check(archive, 0, size, packed), archive)
    with tarfile.open(fileobj=stream, mode="r:") as opened:  # type: ignore[call-overload]
        while (member := opened.next()) is not None:
            opened.members = []  # or a list of all of them would be kept
            _check_name(archive, member.name)
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                kind = "a link" if member.issym() or member.islnk() else "a special file"
                raise _unwanted(archive, member.name, kind)
            yield Entry(_tidy(member.name), member.size, raw.tell(), _tar_opener(opened, member))
    ended = stream.ended
    # A tar ends before what packs it does, and there stand the checksums: of the bytes, and of nothing being cut off.
    while stream.read(_CHUNK):
        pass
    if not ended:
        raise ArchiveError(f"{archive} is cut off: it has no end mark")


def _tar_opener(opened: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def content() -> IO[bytes]:
        handle = opened.extractfile(member)
        return io.BytesIO() if handle is None else handle

    return content


def _unpacked(raw: IO[bytes]) -> IO[bytes]:
    raw.seek(0)
    start = raw.read(6)
    raw.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(raw)
    return bz2.BZ2File(raw) if start.startswith(b"BZh") else raw


class _Forward:
    """A stream that `tarfile` may seek in, forwards only, and not read into memory without bounds."""

    def __init__(self, stream: IO[bytes], count: Callable[[int], None], archive: str) -> None:
        self._stream, self._count, self._archive = stream, count, archive
        self._position = 0
        self._last = b""

    @property
    def ended(self) -> bool:
        """Whether the last block read was one of zeros, as a tar ends."""
        return len(self._last) == tarfile.BLOCKSIZE and not self._last.strip(b"\0")

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE:
            raise ArchiveError(f"{self._archive} is damaged: it has a header of {size:,} bytes")
        self._last = self._stream.read(size)
        self._position += len(self._last)
        self._count(self._position)
        return self._last

    def seek(self, position: int, whence: int = 0) -> int:
        if whence or position < self._position:
            raise ArchiveError(f"{self._archive} is damaged: its headers don't follow each other")
        while position > self._position and self.read(min(position - self._position, _CHUNK)):
            pass
        return self._position


def _check_name(archive: str, name: str) -> None:
    tidy = _tidy(name)
    parts = PurePosixPath(tidy).parts
    too_long = any(len(part.encode("utf-8", "surrogatepass")) > _LONGEST_NAME for part in parts)
    if not tidy:
        return  # the archive's own top
    if UNSAFE_NAME.search(tidy) or too_long or not re.fullmatch(RELATIVE_PATH, tidy):
        raise ArchiveError(
            f"{archive} holds {printable(name)[:80]!r}, a name that leads outside its folder or that no folder can "
            "have: nothing of it is unpacked"
        )


def _tidy(name: str) -> str:
    """Returns a name without what archivers put around it: `./` before, `/` after."""
    while name.startswith("./"):
        name = name[2:]
    return "" if name == "." else re.sub("/+", "/", name).removesuffix("/")


def _unwanted(archive: str, name: str, kind: str) -> ArchiveError:
    return ArchiveError(
        f"{archive} holds {kind}, {printable(name)[:80]!r}, which no set of photos needs: unpack it yourself if you "
        "trust it"
    )
