"""The faces of photos as embeddings, worked out once for each content and kept in a cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from datasets.errors import PhotoError
from datasets.manifest import Refusal
from datasets.photos import read_photo
from datasets.workers import map_files
from pipelines.face_cache import Embedding, FaceCache
from pipelines.reuse import code_digest, file_digest, key_of
from pipelines.types import ProgressCallback

if TYPE_CHECKING:
    import pandas as pd

    from synth import Face, FaceFinder

CACHE = "faces.npz"
MAX_SIDE = 1024
"""Pixels. The network sees 150 of them across a face, so a larger decode brings nothing."""
SAVE_EVERY = 1000
"""Photos to a part of the cache: two minutes' work on one core is the most that a kill can lose."""
STAGE = "embed"
_FINDING = (
    *("finder", "network", "network_file", "pyramid", "steady", "levels", "predictor", "pose", "shape", "face"),
    "choice",
)
FINDING: Final = tuple(f"synth.{name}" for name in _FINDING)
"""The modules that decide where a face and its landmarks are found, and which of several is meant."""


class Embedder(Protocol):
    """Turns a face into numbers; `models.FaceEmbedder` is one. It must survive pickling."""

    def embed(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]], /) -> Embedding:
        """Return (D,) floats, D always the same, for the face with (68, 2) landmarks in an (H, W, 3) RGB photo."""
        ...


@dataclass(frozen=True)
class Embedded:
    """What embedding photos gave.

    Attributes:
        embeddings: (D,) floats by `photo_id`.
        refusals: Photos without an embedding, and why.
        reused: How many photos the cache answered for.
    """

    embeddings: dict[str, Embedding]
    refusals: list[Refusal]
    reused: int


def embedder_version(embedder: Embedder) -> str:
    """Return a key of everything that shapes an embedding: our source code, the embedder's settings, its weights."""
    code = code_digest(
        *FINDING, "models.embedding", "models.face_network", "models.face_views", "pipelines.faces", "datasets.photos"
    )
    state = {
        name: file_digest(value) if isinstance(value, Path) else repr(value)
        for name, value in sorted(vars(embedder).items())
        if not name.startswith("_")
    }
    return key_of(code=code, embedder=type(embedder).__qualname__, state=state, max_side=MAX_SIDE)


def embed_photos(
    photos: pd.DataFrame,
    files: Sequence[Path],
    embedder: Embedder | None,
    *,
    cache: Path,
    workers: int = 1,
    progress: ProgressCallback | None = None,
) -> Embedded:
    """Embed the face of each photo that its label means.

    Args:
        photos: Rows of manifests, with photo_id and sha256.
        files: Where the photo of each row lies.
        embedder: Turns a face into numbers; dlib's network when not given.
        cache: The .npz file to read and write; photos are known in it by their content.
        workers: Processes.
        progress: Called with (photos done, photos in all).

    Raises:
        ModelsError: The embedding model is not installed.
    """
    if photos.empty:
        return Embedded({}, [], 0)
    if embedder is None:
        from models.embedding import FaceEmbedder

        embedder = FaceEmbedder()
    named = [(str(sha256), file) for sha256, file in zip(photos["sha256"], files, strict=True)]
    store, refused, reused = embed_files(named, embedder, cache=cache, workers=workers, progress=progress)
    return _collect(photos, store, refused, reused)


def embed_files(
    photos: Sequence[tuple[str, Path]],
    embedder: Embedder,
    *,
    cache: Path,
    workers: int = 1,
    progress: ProgressCallback | None = None,
) -> tuple[FaceCache, dict[str, tuple[str, str]], int]:
    """Embed the face of each of some files that its label means.

    Args:
        photos: SHA-256 and place of each.
        embedder: Turns a face into numbers.
        cache: The .npz file to read and write.
        workers: Processes.
        progress: Called with (photos done, photos in all).

    Returns:
        The cache, which knows all of them but the refused; (reason, detail) of those by SHA-256; and how many photos
        it knew beforehand.
    """
    store = FaceCache.open(cache, embedder_version(embedder))
    reused = sum(sha256 in store.known for sha256, _ in photos)
    todo = {sha256: path for sha256, path in photos if sha256 not in store.known}
    refused = _fill(store, todo, embedder, workers, progress, len(photos) - len(todo))
    if todo or store.part_files():
        store.merge()
    return store, refused, reused


def _fill(
    store: FaceCache,
    todo: Mapping[str, Path],
    embedder: Embedder,
    workers: int,
    progress: ProgressCallback | None,
    reused: int,
) -> dict[str, tuple[str, str]]:
    """Embed what the cache lacks; return (reason, detail) by SHA-256 for the photos that could not be embedded."""
    refused: dict[str, tuple[str, str]] = {}
    items = list(todo.items())
    total = reused + len(items)
    for start in range(0, len(items), SAVE_EVERY):
        report = None if progress is None else _shifted(progress, reused + start, total)
        part = items[start : start + SAVE_EVERY]
        work = _Work(embedder, store.version)
        found: dict[str, Embedding | None] = {}
        for answer in map_files(work, part, workers=min(workers, len(part)), crashed=_crashed, progress=report):
            if answer.refusal is not None:
                refused[answer.sha256] = answer.refusal
            else:
                found[answer.sha256] = answer.row
        store.add(found)
    return refused


def _shifted(progress: ProgressCallback, before: int, total: int) -> ProgressCallback:
    return lambda done, _: progress(before + done, total)


@dataclass(frozen=True)
class _Answer:
    """Without a row and a refusal the photo has no face."""

    sha256: str
    row: Embedding | None = None
    refusal: tuple[str, str] | None = None


@dataclass(frozen=True)
class _Work:
    """Embeds one file; pickled once for each batch of files that a worker gets."""

    embedder: Embedder
    version: str

    def __call__(self, item: tuple[str, Path]) -> _Answer:
        return embed_file(*item, _kept(self.version, self.embedder))


# One embedder a process, so that its weights are loaded once and not with every batch.
_embedders: dict[str, Embedder] = {}


def _kept(version: str, embedder: Embedder) -> Embedder:
    return _embedders.setdefault(version, embedder)


def _crashed(item: tuple[str, Path]) -> _Answer:
    return _Answer(item[0], refusal=("crashed", "the process that looked for a face in it died, twice"))


@lru_cache(maxsize=1)
def face_finder() -> FaceFinder:
    """Return the finder of faces that are read, one a process."""
    from synth import FaceFinder

    return FaceFinder()


def find_meant(rgb: NDArray[np.uint8]) -> Face | None:
    """Return the face of a photo that its label means, by size and place (`synth.choice`); None where none is found.

    Args:
        rgb: (H, W, 3) uint8, RGB.
    """
    from synth.choice import foremost

    return foremost(find_likely(rgb), rgb.shape)


def find_likely(rgb: NDArray[np.uint8]) -> list[Face]:
    """Return the faces of a photo that might be meant, the largest first.

    Args:
        rgb: (H, W, 3) uint8, RGB.
    """
    from synth.choice import is_aside, rival_share

    return face_finder().find(rgb, rival_share, is_aside)


def embed_file(sha256: str, path: Path, embedder: Embedder) -> _Answer:
    """Embed the face in one file that its label means.

    Args:
        sha256: Of the bytes the manifest describes; a file that changed since is refused, not embedded.
        path: The photo.
        embedder: Turns a face into numbers.
    """
    try:
        photo = read_photo(path, max_side=MAX_SIDE)
    except PhotoError as error:
        return _Answer(sha256, refusal=(error.reason, error.detail))
    if photo.sha256 != sha256:
        return _Answer(sha256, refusal=("changed", "the file is no longer the one in the manifest: ingest it again"))
    face = find_meant(photo.rgb)
    if face is None:
        return _Answer(sha256)
    return _Answer(sha256, row=embedder.embed(photo.rgb, face.landmarks))


def _collect(frame: pd.DataFrame, store: FaceCache, refused: Mapping[str, tuple[str, str]], reused: int) -> Embedded:
    embeddings: dict[str, Embedding] = {}
    refusals: list[Refusal] = []
    for photo_id, sha256 in zip(frame["photo_id"], frame["sha256"], strict=True):
        row = store.known.get(sha256)
        if sha256 in refused:
            refusals.append(Refusal(str(photo_id), STAGE, *refused[sha256]))
        elif row is None:
            refusals.append(Refusal(str(photo_id), STAGE, "no_face", "no face found to embed"))
        else:
            embeddings[str(photo_id)] = row
    return Embedded(embeddings, refusals, reused)
