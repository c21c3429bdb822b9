"""Photos brought where a manifest can name them: inside its own folder."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from datasets.atomic import atomic_write
from datasets.errors import OutputError, UsageError
from datasets.manifest import make_refusals
from datasets.refusals import Refusal
from datasets.workers import Progress

Photos = Literal["auto", "link", "copy"]

_REPORTED: Final = 500  # photos between two reports of progress


@dataclass
class _Folders:
    """Real places of folders, looked up once each."""

    known: dict[tuple[Path, str], str | None] = field(default_factory=dict)

    def real(self, root: Path, relative: str) -> str | None:
        """Returns the real path of a folder below `root`, or None if it lies outside."""
        key = (root, relative)
        if key not in self.known:
            real = os.path.realpath(root / relative)
            self.known[key] = real if Path(real).is_relative_to(root) else None
        return self.known[key]


def place(
    manifest: pd.DataFrame,
    roots: Sequence[Path],
    out: Path,
    photos: Photos,
    *,
    stage: str,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Makes every photo of a manifest reachable from `out` by a relative path.

    Args:
        manifest: Rows whose `path` is relative to their root.
        roots: One folder a row.
        out: The folder the manifest will be written to.
        photos: `auto` names photos where they are if `out` contains their root, and links them if not; `link` and
            `copy` always put them into `out/photos/<source>/`. A link is a hard link, a copy where that can't be made.
        stage: What a refusal says refused it.
        progress: Told how many photos are in place.

    Returns:
        The manifest with `path` relative to `out`, less the photos that aren't there or lie outside their root; and
        those, as refusals.

    Raises:
        UsageError: If `photos` is no such choice.
        OutputError: If a photo can't be linked or copied.
    """
    if photos not in get_args(Photos):
        raise UsageError(f"photos must be one of {', '.join(get_args(Photos))}, not {photos!r}")
    out = out.resolve()
    real = {root: root.resolve() for root in set(roots)}
    roots = [real[root] for root in roots]
    files, refusals = _find_files(manifest, roots, stage)
    kept = manifest[np.array([file is not None for file in files], dtype=bool)].copy()
    pairs = [(file, root) for file, root in zip(files, roots, strict=True) if file is not None]
    paths, moved = _new_paths(kept, pairs, out, photos)
    for number, ((file, _), path, move) in enumerate(zip(pairs, paths, moved, strict=True), start=1):
        if move:
            _bring(Path(file), out / path, copy=photos == "copy")
        if progress is not None and (number % _REPORTED == 0 or number == len(pairs)):
            progress(number, len(pairs))
    kept["path"] = pd.array(paths, dtype="str")
    return kept.reset_index(drop=True), make_refusals(refusals)


def place_as(
    manifest: pd.DataFrame, root: Path, out: Path, paths: Sequence[str], *, copy: bool, stage: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Puts every photo of a manifest where it is told to, by a hard link or as a copy.

    Args:
        manifest: Rows whose `path` is relative to `root`.
        root: The manifest's folder.
        out: Where the photos go.
        paths: One a row, relative to `out`.
        copy: Copies instead of links; where a link can't be made there is a copy all the same.
        stage: What a refusal says refused it.

    Returns:
        The rows whose photo is there, with `path` as told; and the others, as refusals.

    Raises:
        OutputError: If a photo can't be linked or copied.
    """
    files, refusals = _find_files(manifest, [root.resolve()] * len(manifest), stage)
    placed = manifest.assign(path=pd.array(list(paths), dtype="str"))
    for file, path in zip(files, paths, strict=True):
        if file is not None:
            _bring(Path(file), out / path, copy=copy)
    kept = placed[np.array([file is not None for file in files], dtype=bool)]
    return kept.reset_index(drop=True), make_refusals(refusals)


def _find_files(manifest: pd.DataFrame, roots: Sequence[Path], stage: str) -> tuple[list[str | None], list[Refusal]]:
    """Finds each row's real file; None, and a refusal, where there is none inside its root."""
    folders = _Folders()
    files: list[str | None] = []
    refusals = []
    rows = zip(manifest["photo_id"].tolist(), manifest["path"].tolist(), roots, strict=True)
    for photo_id, path, root in rows:
        file, reason = _find_file(folders, root, path)
        files.append(file)
        if file is None:
            detail = "its file isn't there" if reason == "missing_photo" else "its file lies outside the folder"
            refusals.append(Refusal(photo_id, stage, reason, f"{path}: {detail}"))
    return files, refusals


def _find_file(folders: _Folders, root: Path, path: str) -> tuple[str | None, str]:
    parent, _, name = path.rpartition("/")
    folder = folders.real(root, parent)
    if folder is None:
        return None, "outside_root"
    file = f"{folder}/{name}"
    try:
        mode = os.lstat(file).st_mode
        if stat.S_ISLNK(mode):
            file = os.path.realpath(file)
            if not Path(file).is_relative_to(root):
                return None, "outside_root"
            mode = os.lstat(file).st_mode
    except OSError:
        return None, "missing_photo"
    return (file, "") if stat.S_ISREG(mode) else (None, "missing_photo")


def _new_paths(
    kept: pd.DataFrame, pairs: list[tuple[str, Path]], out: Path, photos: Photos
) -> tuple[list[str], list[bool]]:
    """Works out each photo's path below `out`, and whether it has to be brought there."""
    prefixes = {root: _prefix(root, out) for root in {root for _, root in pairs}}
    paths, moved = [], []
    rows = zip(kept["path"].tolist(), kept["source"].tolist(), pairs, strict=True)
    for path, source, (_, root) in rows:
        prefix = prefixes[root]
        own = f"photos/{source}/"
        # What already lies in a merge's folder keeps its place there: merging again brings nothing twice.
        stays = prefix is not None and (photos == "auto" or (prefix == "" and path.startswith(own)))
        paths.append(f"{prefix}{path}" if stays else own + path.removeprefix(own))
        moved.append(not stays)
    return _apart(paths, moved, kept["sha256"].tolist()), moved


def _prefix(root: Path, out: Path) -> str | None:
    if not root.is_relative_to(out):
        return None
    inside = root.relative_to(out).as_posix()
    return "" if inside == "." else f"{inside}/"


def _apart(paths: list[str], moved: list[bool], hashes: list[str]) -> list[str]:
    """Gives different photos that would meet at one path names of their own, by their hashes."""
    contents: dict[str, set[str]] = {}
    for path, sha256 in zip(paths, hashes, strict=True):
        contents.setdefault(path, set()).add(sha256)
    apart = []
    for path, move, sha256 in zip(paths, moved, hashes, strict=True):
        if move and len(contents[path]) > 1:
            name = PurePosixPath(path)
            path = str(name.with_name(f"{name.stem}~{sha256[:12]}{name.suffix}"))
        apart.append(path)
    return apart


def _bring(file: Path, target: Path, *, copy: bool) -> None:
    if _is_there(file, target, copy=copy):
        return
    if not copy and _link(file, target):
        return
    with atomic_write(target) as temporary:
        shutil.copyfile(file, temporary)
        shutil.copystat(file, temporary)


def _is_there(file: Path, target: Path, *, copy: bool) -> bool:
    try:
        there, here = target.lstat(), file.stat()
    except OSError:
        return False
    same = (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
    alike = there.st_size == here.st_size and there.st_mtime_ns == here.st_mtime_ns
    return alike if not same else not copy


def _link(file: Path, target: Path) -> bool:
    """Makes a hard link, in one step even where there was a file; says whether the file system would."""
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {target.parent}: {error.strerror}") from error
    try:
        os.link(file, temporary)
        temporary.replace(target)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return True
