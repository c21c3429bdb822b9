"""Archives of every kind, honest and hostile, made here and now."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

KINDS = (".zip", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar")
_MODES = {".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2", ".tar": "w"}


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    """Writes an archive of the kind that its suffix says, of these files in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, _MODES[path.suffix]) as tar:
        for name, data in files.items():
            add(tar, name, data)
    return path


def pack_folder(path: Path, folder: Path) -> Path:
    """Writes an archive of everything below a folder, with its folders as entries of their own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != ".zip":
        with tarfile.open(path, _MODES[path.suffix]) as tar:
            tar.add(folder, arcname=".")
        return path
    with zipfile.ZipFile(path, "w") as archive:
        for item in sorted(folder.rglob("*")):
            archive.write(item, item.relative_to(folder).as_posix())
    return path


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
    """Adds one entry of any kind to a tar."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(data)
    tar.addfile(info, io.BytesIO(data))


def zip_link(path: Path, name: str, target: str) -> Path:
    """Writes a zip whose only entry is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, target)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """What lies below a folder, hidden files left out."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
