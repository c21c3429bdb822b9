"""The pseudo-label stage: genders for the photos of several manifests, learned from all that have one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import SettingsError
from pipelines.types import PhotoPlacing, ProgressCallback

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.faces import Embedder


@dataclass(frozen=True)
class PseudoLabelOptions:
    """How to pseudo-label.

    Attributes:
        precision: Share of the filled genders that must be right, on people not seen in training.
        learn_from: At most so many photos with a given gender are embedded to learn from.
        seed: Of the fit.
        workers: Processes that embed faces.
        photos: How photos get beside the new manifests: auto, link or copy.
    """

    precision: float = 0.97
    learn_from: int = 3000
    seed: int = 0
    workers: int = 1
    photos: PhotoPlacing = "auto"


@dataclass(frozen=True)
class PseudoLabelResult:
    """What the stage did.

    Attributes:
        manifests: The new manifest of each input, by the input's name.
        report: How the model did, how many rows were filled, why the others were not; see `models.gender`.
    """

    manifests: dict[str, Path]
    report: dict[str, Any]


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


def photos_to_embed(frame: pd.DataFrame, learn_from: int) -> set[str]:
    """Return the ids of the photos whose embedding is needed.

    That is every photo without a gender, and up to `learn_from` photos with one, without a mask as far as known:
    a mask hides what the embedding needs. The choice goes by the files' hashes, so it is the same on any machine
    and in any order, and even over the sources.
    """
    missing = frame["gender"].isna()
    if not missing.any():
        return set()
    bare = frame["mask"].isna() | frame["mask"].eq("not_wear")
    learnable = frame[~missing & bare].sort_values(["sha256", "photo_id"]).head(learn_from)
    return set(frame.loc[missing, "photo_id"]) | set(learnable["photo_id"])


def pseudo_label_stage(
    inputs: Mapping[str, Path],
    out: Path,
    options: PseudoLabelOptions,
    *,
    embedder: Embedder | None = None,
    progress: ProgressCallback | None = None,
) -> PseudoLabelResult:
    """Fill in the genders that manifests lack, and write each of them anew to `out/<name>`.

    Args:
        inputs: Manifests by name.
        out: The stage's folder; the embeddings' cache lies in it too.
        options: How to.
        embedder: Turns a face into numbers; dlib's network when not given.
        progress: Called with (photos embedded, photos to embed).

    Raises:
        SettingsError: Two inputs hold photos of the same id, or an input lies where its new manifest would go.
        ModelsError: The embedding model is not installed.
    """
    import pandas as pd

    from datasets.manifest import read_manifest
    from models.gender import pseudo_label

    _check_apart(inputs, out)
    frames = {name: read_manifest(path) for name, path in inputs.items()}
    whole = pd.concat(list(frames.values()), ignore_index=True)
    _check_ids(whole)
    embeddings, refused = _embed(inputs, frames, whole, out, options, embedder, progress)
    labelled = pseudo_label(whole, embeddings, precision=options.precision, seed=options.seed)
    report = dict(labelled.report) | {"photos_embedded": len(embeddings), "not_embedded": refused}
    filled = labelled.manifest.set_index("photo_id", drop=False)
    manifests = {
        name: _save(name, inputs[name], filled.loc[list(frame["photo_id"])], out, options)
        for name, frame in frames.items()
    }
    return PseudoLabelResult(manifests, report)


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


def _embed(
    inputs: Mapping[str, Path],
    frames: Mapping[str, pd.DataFrame],
    whole: pd.DataFrame,
    out: Path,
    options: PseudoLabelOptions,
    embedder: Embedder | None,
    progress: ProgressCallback | None,
) -> tuple[dict[str, Any], dict[str, int]]:
    from pipelines.faces import CACHE, embed_manifest

    wanted = photos_to_embed(whole, options.learn_from)
    if not wanted:
        return {}, {}
    if embedder is None:
        from models.embedding import FaceEmbedder

        embedder = FaceEmbedder()
    embeddings: dict[str, Any] = {}
    reasons: dict[str, int] = {}
    done = 0
    for name, path in inputs.items():
        ids = wanted.intersection(frames[name]["photo_id"])
        report = None if progress is None else _shifted(progress, done, len(wanted))
        found = embed_manifest(path, embedder, cache=out / CACHE, only=ids, workers=options.workers, progress=report)
        embeddings.update(found.embeddings)
        for refusal in found.refusals:
            reasons[refusal.reason] = reasons.get(refusal.reason, 0) + 1
        done += len(ids)
    return embeddings, reasons


def _shifted(progress: ProgressCallback, before: int, total: int) -> ProgressCallback:
    return lambda done, _: progress(before + done, total)


def _save(name: str, source: Path, frame: pd.DataFrame, out: Path, options: PseudoLabelOptions) -> Path:
    from datasets.manifest import manifest_file, read_refusals
    from datasets.readers import Ingested, save_ingest

    folder = manifest_file(source).parent
    rewritten = Ingested(frame.reset_index(drop=True), read_refusals(folder), folder)
    return save_ingest(rewritten, out / name, options.photos)
