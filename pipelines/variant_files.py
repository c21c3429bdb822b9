"""What variants are called in an output folder, and removing those of an earlier run."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from datasets.errors import ManifestError
from datasets.identities import PEOPLE
from datasets.manifest import MANIFEST, REFUSALS, read_manifest
from datasets.schema import RELATIVE_PATH
from synth.journal import FOLDER, NAME, recorded_variants
from synth.run import PhotoTask

LONGEST_PART = 200
"""Bytes of a file's or folder's name: most file systems end at 255, and a variant's key and suffix are added."""

PREVIEW = "preview.jpg"
TABLES = (MANIFEST, Path(MANIFEST).with_suffix(".csv").name, REFUSALS, PEOPLE, PREVIEW)
"""What a run writes beside the variants."""

_VARIANT = re.compile(r"(.+)__(?:wear|incorrect|not_wear)\d+\.jpg")


def make_tasks(paths: Mapping[str, Path]) -> list[PhotoTask]:
    """Return one task a photo, in the order of the ids, no two with the same output names.

    Args:
        paths: Where each photo id's file is. The part of an id after its source is the photo's place in the output;
            one that would lie outside of it gets a name of its own.
    """
    return [PhotoTask(photo_id, paths[photo_id], stem) for photo_id, stem in _stems(sorted(paths)).items()]


def _stems(photo_ids: Sequence[str]) -> dict[str, str]:
    whole = {photo_id: _place(photo_id) for photo_id in photo_ids}
    short = {photo_id: str(place.with_suffix("")) for photo_id, place in whole.items()}
    # `a.jpg` and `a.png` in one folder: both keep their suffix.
    alike = _repeated(short.values())
    stems = {photo_id: _fitting(str(whole[photo_id]) if _key(s) in alike else s) for photo_id, s in short.items()}
    # What still meets: the same path in two sources, names that differ by case alone or beyond the longest part.
    alike = _repeated(stems.values())
    return {photo_id: f"{s}-{_mark(photo_id)}" if _key(s) in alike else s for photo_id, s in stems.items()}


def _place(photo_id: str) -> PurePosixPath:
    relative = photo_id.partition(":")[2]
    inside = re.fullmatch(RELATIVE_PATH, relative) is not None
    return PurePosixPath(relative if inside else f"photo-{_mark(photo_id)}")


def _key(stem: str) -> str:
    """Return what two names share that some file system takes for one."""
    return unicodedata.normalize("NFC", stem).casefold()


def _repeated(stems: Iterable[str]) -> set[str]:
    return {key for key, count in Counter(map(_key, stems)).items() if count > 1}


def _fitting(stem: str) -> str:
    return "/".join(_shortened(part) for part in stem.split("/"))


def _shortened(part: str) -> str:
    encoded = part.encode()
    if len(encoded) <= LONGEST_PART:
        return part
    return f"{encoded[: LONGEST_PART - 9].decode(errors='ignore')}-{_mark(part)}"


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def holds_other_manifest(out: Path) -> bool:
    """Say whether a folder has a manifest, but no journal of masking: of a dataset, say, that was read into it."""
    return (out / MANIFEST).exists() and not (out / FOLDER / NAME).exists()


def forget_run(out: Path, tasks: Iterable[PhotoTask] = ()) -> None:
    """Remove what an earlier run made in a folder, and nothing else.

    Args:
        out: The folder; without a run's journal in it, nothing is removed: its manifest may be another's.
        tasks: Photos that the earlier run may have been at when it was killed: their variants are in no list.
    """
    journal = out / FOLDER / NAME
    if not journal.is_file():
        return
    listed = {out / path for path in {*_listed(out), *recorded_variants(out)} if re.fullmatch(RELATIVE_PATH, path)}
    for path in (*listed, *_unlisted(out, tasks), *(out / name for name in TABLES)):
        path.unlink(missing_ok=True)
    # Last, so that a kill before it leaves what says that there is something to remove.
    journal.unlink()


def _listed(out: Path) -> list[str]:
    if not (out / MANIFEST).is_file():
        return []
    try:
        return [str(path) for path in read_manifest(out)["path"]]
    except ManifestError:  # a broken one is to be replaced, not to be complained of
        return []


def _unlisted(out: Path, tasks: Iterable[PhotoTask]) -> Iterator[Path]:
    stems = {out / task.stem for task in tasks}
    for folder in sorted({stem.parent for stem in stems}):
        # One listing a folder: asking for each photo's variants would list it once a photo.
        for path in list(folder.iterdir()) if folder.is_dir() else []:
            match = _VARIANT.fullmatch(path.name)
            if match and folder / match[1] in stems:
                yield path
