"""Finding the photos of several manifests that show the same picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.duplicates.alike import SIDE, Likeness, compare
from datasets.duplicates.cache import PrintCache
from datasets.duplicates.candidates import shared_words
from datasets.duplicates.fingerprint import Fingerprint, fingerprint
from datasets.duplicates.hashes import near_hashes, to_numbers
from datasets.duplicates.table import conflict_between, make_duplicates
from datasets.errors import MergeError, PhotoError, UsageError
from datasets.manifest import make_refusals, manifest_file, read_manifest
from datasets.photos import read_photo
from datasets.refusals import Refusal
from datasets.workers import Progress, map_files

STAGE: Final = "duplicates"
FILE: Final = "file"
"""Column of the photos: the file's place on disk."""

_CHUNK: Final = 20_000  # photos between two writes of the cache: some minutes' work

Item = tuple[str, str, str]
"""Of a photo: its id, the SHA-256 its manifest says, and its file."""


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        table: Pairs; see `datasets.duplicates.table`.
        refusals: Photos that couldn't be looked at.
        photos: The photos that were looked at: photo_id, sha256, person_id, labels and FILE.
        candidates: Pairs that were compared by their pixels.
    """

    table: pd.DataFrame
    refusals: pd.DataFrame
    photos: pd.DataFrame
    candidates: int


@dataclass(frozen=True)
class Reporting:
    """Who is told how far the two long parts are, opening all photos and comparing pairs of them."""

    opening: Progress | None = None
    comparing: Progress | None = None


def read_photos(manifests: Sequence[Path]) -> pd.DataFrame:
    """Reads the photos, not the variants, of manifests as one table, sorted by photo id, with each one's file.

    Raises:
        UsageError: If there are no manifests, or one isn't there.
        ManifestError: If one isn't a valid manifest.
        MergeError: If one photo id names two different photos.
    """
    if not manifests:
        raise UsageError("nothing to look through: name at least one manifest")
    frames = []
    for file in sorted({manifest_file(Path(path)).resolve() for path in manifests}):
        frame = read_manifest(file)
        frame = frame[frame["parent_id"].isna()]
        frames.append(frame.assign(**{FILE: [str(file.parent / path) for path in frame["path"].tolist()]}))
    photos = pd.concat(frames, ignore_index=True).drop_duplicates(["photo_id", "sha256"])
    twice = photos.loc[photos["photo_id"].duplicated(), "photo_id"]
    if len(twice):
        raise MergeError(
            f"{len(twice)} photo ids name different photos in different manifests, such as {min(twice)!r}; "
            "ingest one folder under another name, or leave out the older run"
        )
    return photos.sort_values("photo_id", ignore_index=True)


def find_duplicates(
    manifests: Sequence[Path], *, cache: Path | None = None, workers: int = 1, reporting: Reporting | None = None
) -> Found:
    """Finds photos of different people that are one file, or one picture re-encoded, resized, cropped or mirrored.

    Pictures are candidates if their perceptual hashes are near (as they are or mirrored), or if their local
    fingerprints share words in one arrangement; a candidate is then opened again, and its pixels decide. Photos that
    their dataset gives to one person are that person's photos, and not reported unless their bytes are the same.

    Args:
        manifests: Manifests, or their folders.
        cache: File that keeps fingerprints by content, so that another run opens only what is new, and what it has to
            compare.
        workers: Processes; the result is the same for any number.
        reporting: Who is told how far it is.

    Returns:
        Pairs of kind `exact` and `near`, and what couldn't be looked at.

    Raises:
        UsageError: If there are no manifests, or one isn't there.
        ManifestError: If one isn't a valid manifest.
        MergeError: If one photo id names two different photos.
        OutputError: If the cache can't be written.
    """
    reporting = reporting or Reporting()
    photos = read_photos(manifests)
    single = photos.drop_duplicates("sha256").reset_index(drop=True)
    prints, refusals = _fingerprints(single, PrintCache.open(cache), workers, reporting.opening)
    pairs = _candidates(single, prints, refusals)
    items = _items(single)
    likenesses = map_files(
        _compare_files,
        [(items[one], items[other]) for one, other in pairs.tolist()],
        workers=workers,
        crashed=_crashed_comparing,
        progress=reporting.comparing,
    )
    rows = [*_exact_rows(photos), *_near_rows(single, pairs, likenesses)]
    refused = {refusal.photo_id: refusal for found in likenesses if isinstance(found, list) for refusal in found}
    refused |= {refusal.photo_id: refusal for refusal in refusals}
    told = make_refusals([refused[photo_id] for photo_id in sorted(refused)])
    return Found(make_duplicates(rows), told, photos, len(pairs))


def _items(photos: pd.DataFrame) -> list[Item]:
    return list(zip(photos["photo_id"].tolist(), photos["sha256"].tolist(), photos[FILE].tolist(), strict=True))


def _fingerprints(
    photos: pd.DataFrame, cache: PrintCache, workers: int, progress: Progress | None
) -> tuple[list[Fingerprint], list[Refusal]]:
    """Takes the fingerprints that the cache lacks; a photo that can't be read has none, and a refusal."""
    todo = photos[~photos["sha256"].isin(cache.known)]
    items = _items(todo)
    known, refusals = len(photos) - len(items), []

    def report(done: int) -> Progress | None:
        return None if progress is None else lambda more, _: progress(done + more, len(photos))

    for start in range(0, len(items), _CHUNK):
        part = items[start : start + _CHUNK]
        made = map_files(_fingerprint_file, part, workers=workers, crashed=_crashed, progress=report(known + start))
        for (_, sha256, _), result in zip(part, made, strict=True):
            if isinstance(result, Refusal):
                refusals.append(result)
            else:
                cache.known[sha256] = result
        cache.save()
    none = fingerprint_of_nothing()
    return [cache.known.get(sha256, none) for sha256 in photos["sha256"].tolist()], refusals


def fingerprint_of_nothing() -> Fingerprint:
    """Returns a fingerprint that shares nothing with any."""
    return fingerprint(np.zeros((8, 8, 3), np.uint8))


def _open(item: Item) -> NDArray[np.uint8] | Refusal:
    """Opens a photo, small; a refusal where it can't be, or isn't the one in the manifest any more."""
    photo_id, sha256, file = item
    try:
        photo = read_photo(Path(file), max_side=SIDE)
    except PhotoError as error:
        return Refusal(photo_id, STAGE, error.reason, error.detail)
    if photo.sha256 != sha256:
        return Refusal(photo_id, STAGE, "changed", "the file is no longer the one in the manifest: ingest it again")
    return photo.rgb


def _fingerprint_file(item: Item) -> Fingerprint | Refusal:
    picture = _open(item)
    return picture if isinstance(picture, Refusal) else fingerprint(picture)


def _crashed(item: Item) -> Refusal:
    return Refusal(item[0], STAGE, "crashed", "the process that decoded it died: out of memory, or a bad file")


def _compare_files(pair: tuple[Item, Item]) -> Likeness | list[Refusal]:
    """Compares two photos. Where the cache knew their fingerprints they are opened here for the first time."""
    one, other = (_open(item) for item in pair)
    if isinstance(one, Refusal) or isinstance(other, Refusal):
        return [picture for picture in (one, other) if isinstance(picture, Refusal)]
    return compare(one, other)


def _crashed_comparing(pair: tuple[Item, Item]) -> list[Refusal]:
    detail = "the process that compared it with {} died: out of memory, or a bad file"
    (one, _, _), (other, _, _) = pair
    return [
        Refusal(one, STAGE, "crashed", detail.format(other)),
        Refusal(other, STAGE, "crashed", detail.format(one)),
    ]


def _candidates(photos: pd.DataFrame, prints: Sequence[Fingerprint], refusals: Sequence[Refusal]) -> NDArray[np.int64]:
    """(M, 2) pairs of photos worth comparing: of different people, and none that couldn't be opened already."""
    hashed = np.flatnonzero(photos["phash"].notna().to_numpy())
    near = hashed[near_hashes(to_numbers(photos["phash"].iloc[hashed].tolist()))]
    pairs = np.unique(np.concatenate([near.reshape(-1, 2), shared_words(prints)]), axis=0)
    person = pd.factorize(photos["person_id"])[0]
    pairs = pairs[person[pairs[:, 0]] != person[pairs[:, 1]]]
    unopened = photos["photo_id"].isin([refusal.photo_id for refusal in refusals]).to_numpy(dtype=bool)
    return np.asarray(pairs[~unopened[pairs].any(axis=1)])


def _exact_rows(photos: pd.DataFrame) -> Iterator[dict[str, Any]]:
    shared = photos[photos["sha256"].duplicated(keep=False)]
    for _, group in shared.groupby("sha256", sort=True):
        rows = group.to_dict("records")
        for other in rows[1:]:
            yield pair_row("exact", rows[0], other, 1.0)


def _near_rows(
    photos: pd.DataFrame, pairs: NDArray[np.int64], likenesses: Sequence[Likeness | list[Refusal]]
) -> Iterator[dict[str, Any]]:
    for (one, other), likeness in zip(pairs.tolist(), likenesses, strict=True):
        if isinstance(likeness, Likeness) and likeness.same_picture:
            rows = photos.iloc[[one, other]].to_dict("records")
            yield pair_row("near", rows[0], rows[1], likeness.correlation, mirrored=likeness.mirrored)


def pair_row(
    kind: str, one: Mapping[Any, Any], other: Mapping[Any, Any], score: float, *, mirrored: bool = False
) -> dict[str, Any]:
    """Returns a row of the table of duplicates from two rows of photos."""
    first, second = sorted((one, other), key=lambda row: str(row["photo_id"]))
    return {
        "kind": kind,
        "first": first["photo_id"],
        "second": second["photo_id"],
        "first_person": first["person_id"],
        "second_person": second["person_id"],
        "score": score,
        "mirrored": mirrored,
        "conflict": conflict_between(first, second),
    }
