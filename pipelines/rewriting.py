"""What stages share that write several manifests anew: read together, their faces embedded, each saved by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import SettingsError
from pipelines.types import PhotoPlacing, ProgressCallback

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.faces import Embedder


def name_manifests(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the manifests by a name for each: its folder's, with a number after it where two would be the same.

    Raises:
        SettingsError: One path is given twice.
    """
    from datasets.manifest import manifest_file

    named: dict[str, Path] = {}
    for path in paths:
        if path in named.values():
            raise SettingsError(f"{path} is given twice")
        name = manifest_file(path).resolve().parent.name or "manifest"
        taken = sum(each == name or each.rpartition("-")[0] == name for each in named)
        named[f"{name}-{taken + 1}" if taken else name] = path
    return named


def read_apart(inputs: Mapping[str, Path], out: Path) -> pd.DataFrame:
    """Return the rows of all manifests, in their order.

    Args:
        inputs: Manifests by name.
        out: Where each is to be written anew, in a folder of its name.

    Raises:
        SettingsError: Two inputs hold photos of the same id, or an input lies where its new manifest would go.
    """
    import pandas as pd

    from datasets.manifest import read_manifest

    _check_apart(inputs, out)
    whole = pd.concat([read_manifest(path) for path in inputs.values()], ignore_index=True)
    _check_ids(whole)
    return whole


def _check_apart(inputs: Mapping[str, Path], out: Path) -> None:
    from datasets.manifest import manifest_file

    for name, path in inputs.items():
        if manifest_file(path).resolve().parent == (out / name).resolve():
            raise SettingsError(
                f"{out / name} is the input itself, which would be replaced: name another output folder"
            )


def _check_ids(frame: pd.DataFrame) -> None:
    doubled = frame.loc[frame["photo_id"].duplicated(), "photo_id"]
    if len(doubled):
        raise SettingsError(
            f"{len(doubled)} photo ids are in more than one manifest, the first is {doubled.iloc[0]!r}: "
            "ingest one of the folders under another name (option name)"
        )


def embed_photos(
    inputs: Mapping[str, Path],
    wanted: set[str],
    out: Path,
    workers: int,
    embedder: Embedder | None,
    progress: ProgressCallback | None,
    cache: str | None = None,
) -> tuple[dict[str, Any], dict[str, int]]:
    """Embed the faces of some photos of several manifests.

    Args:
        inputs: Manifests by name.
        wanted: Ids of the photos.
        out: The stage's folder; the embeddings' cache lies in it.
        workers: Processes.
        embedder: Turns a face into numbers; dlib's network when not given.
        progress: Called with (photos embedded, photos to embed).
        cache: The cache's file in `out`; `pipelines.faces.CACHE` when not given.

    Returns:
        (D,) floats by photo id, and how many photos have none, by reason.

    Raises:
        ModelsError: The embedding model is not installed.
    """
    from datasets.manifest import read_manifest
    from pipelines.faces import CACHE, embed_manifest

    if not wanted:
        return {}, {}
    if embedder is None:
        from models.embedding import FaceEmbedder

        embedder = FaceEmbedder()
    embeddings: dict[str, Any] = {}
    reasons: Counter[str] = Counter()
    done = 0
    for path in inputs.values():
        ids = wanted.intersection(read_manifest(path)["photo_id"])
        report = None if progress is None else _shifted(progress, done, len(wanted))
        found = embed_manifest(path, embedder, cache=out / (cache or CACHE), only=ids, workers=workers, progress=report)
        embeddings.update(found.embeddings)
        reasons.update(refusal.reason for refusal in found.refusals)
        done += len(ids)
    return embeddings, dict(reasons)


def _shifted(progress: ProgressCallback, before: int, total: int) -> ProgressCallback:
    return lambda done, _: progress(before + done, total)


def rewrite(inputs: Mapping[str, Path], changed: pd.DataFrame, out: Path, photos: PhotoPlacing) -> dict[str, Path]:
    """Write manifests anew, each to `out/<name>` with its photos, its refusals and how it came to be.

    Args:
        inputs: The manifests as they were, by name.
        changed: The rows of all of them as they are now.
        out: The folder.
        photos: How photos get beside the new manifests.

    Returns:
        The new manifests, by name.
    """
    from datasets.manifest import manifest_file, read_manifest, read_provenance, read_refusals
    from datasets.readers import Ingested, save_ingest

    rows = changed.set_index("photo_id", drop=False)
    manifests = {}
    for name, path in inputs.items():
        folder = manifest_file(path).parent
        frame = rows.loc[list(read_manifest(path)["photo_id"])].reset_index(drop=True)
        rewritten = Ingested(frame, read_refusals(folder), folder, read_provenance(path))
        manifests[name] = save_ingest(rewritten, out / name, photos)
    return manifests
