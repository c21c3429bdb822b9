"""Faces cut out of photos for a network that learns gender, the network itself, and what it says of everybody."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from datasets.errors import PhotoError
from datasets.photos import read_photo
from datasets.workers import map_files
from pipelines.faces import FINDING, find_meant
from pipelines.reuse import code_digest, file_digest, key_of
from pipelines.training_photos import Bars, no_bar
from pipelines.types import ProgressCallback

if TYPE_CHECKING:
    import pandas as pd

    from models.gender_blend import NetworkAnswers
    from models.gender_network import NetworkOptions

FOLDER: Final = "network"
"""In the stage's folder: the faces, the manifest of them, and the networks in `runs`."""
CHIPS, RUNS = "chips", "runs"

MARGIN: Final = 0.4
"""Around a face, as a share of it: hair and neck tell genders too. dlib's own network sees 0.25."""
_MAX_SIDE = 1024
_QUALITY = 95


@dataclass(frozen=True)
class _Cut:
    """Cuts the face that is meant out of a photo's file into a file of its own, unless that is there already."""

    folder: Path

    def __call__(self, item: tuple[str, Path]) -> bool:
        """Say whether there is one now."""
        from PIL import Image

        from datasets.atomic import atomic_write
        from models.embedding import face_chip

        sha256, path = item
        try:
            photo = read_photo(path, max_side=_MAX_SIDE)
        except PhotoError:
            return False
        # A file that changed since is refused when it is embedded.
        face = find_meant(photo.rgb) if photo.sha256 == sha256 else None
        if face is None:
            return False
        chip = face_chip(np.ascontiguousarray(photo.rgb), face.landmarks, MARGIN)
        held = io.BytesIO()
        Image.fromarray(chip).save(held, format="JPEG", quality=_QUALITY, subsampling=0)
        with atomic_write(chip_file(self.folder, sha256)) as temporary:
            temporary.write_bytes(held.getvalue())
        return True


def chip_file(folder: Path, sha256: str) -> Path:
    """Return where the face of a photo with these bytes lies, in a folder of faces."""
    return folder / sha256[:2] / f"{sha256}.jpg"


def cut_faces(
    photos: Mapping[str, Path], folder: Path, workers: int, progress: ProgressCallback | None = None
) -> set[str]:
    """Cut the face that is meant out of each photo not cut yet: upright, 150 pixels, black beyond the photo's edge.

    Args:
        photos: Files by the SHA-256 of their bytes.
        folder: For the faces; made.
        workers: Processes.
        progress: Called with (photos done, photos to do).

    Returns:
        Those of which there is a face.
    """
    todo = [(sha256, path) for sha256, path in photos.items() if not chip_file(folder, sha256).is_file()]
    cut = map_files(
        _Cut(folder), todo, workers=max(min(workers, len(todo)), 1), crashed=lambda _: False, progress=progress
    )
    return set(photos) - {sha256 for (sha256, _), found in zip(todo, cut, strict=True) if not found}


def network_answers(
    frame: pd.DataFrame,
    files: Mapping[str, Path],
    out: Path,
    options: NetworkOptions,
    *,
    seed: int,
    workers: int,
    bars: Bars = no_bar,
) -> NetworkAnswers:
    """Teach networks gender on the photos that can teach, and ask them about those and all the others.

    All of it is resumed: faces that are cut, networks that are trained with the same faces and settings, and the epoch
    that a killed training was in.

    Args:
        frame: Rows of manifests, photos without a mask on which a face was found; those that `teaching` admits teach.
            Their `person_id` is the same for everybody known to be one person.
        files: Where photos lie, by photo id.
        out: The stage's folder; all is written to `FOLDER` in it.
        options: Which network.
        seed: Of the folds and of the training.
        workers: Processes that cut faces, and that read them.
        bars: Makes a progress bar of each part.

    Raises:
        ModelsError: The network can't be made or taught, or fewer than ten people of a gender can teach.
    """
    import pandas as pd

    from datasets.manifest import write_manifest
    from models.gender_network import ask_all, deal, teach
    from models.gender_people import teaching

    settings = options.settings(seed, workers if workers > 1 else 0)
    root = out / FOLDER
    # Faces found or cut otherwise lie apart.
    folder = root / CHIPS / _version()[:16]
    named = {str(sha256): files[str(name)] for name, sha256 in zip(frame["photo_id"], frame["sha256"], strict=True)}
    with bars("cutting faces out") as progress:
        there = cut_faces(named, folder, workers, progress)
    rows = frame[frame["sha256"].isin(there)]
    teachers = teaching(rows)
    taught, foreign = deal(rows[teachers], seed)
    chips = _chips(taught, folder, root)
    manifest = write_manifest(chips, root)
    with bars("training the network") as progress:
        checkpoints = teach(manifest, root / RUNS, settings, progress)
    others = rows[~teachers].assign(fold=None)
    with bars("asking the network") as progress:
        return ask_all(
            checkpoints,
            pd.concat([chips, _chips(others, folder, root)], ignore_index=True),
            root,
            foreign,
            settings,
            progress,
        )


def _version() -> str:
    """Return a key of what shapes a cut face."""
    code = code_digest(*FINDING, "models.embedding", "datasets.photos")
    return key_of(code=code, margin=MARGIN, side=_MAX_SIDE, quality=_QUALITY)


def _chips(rows: pd.DataFrame, folder: Path, root: Path) -> pd.DataFrame:
    """Return a manifest of the faces, with nothing but genders, people, sources and folds."""
    from datasets.manifest import validate_manifest, with_labels
    from datasets.schema import COLUMNS
    from models.face_network import CHIP_SIZE

    places = [chip_file(folder, sha256) for sha256 in rows["sha256"]]
    kept = ["photo_id", "source", "licence", "person_id", "gender", "gender_from", "gender_confidence", "fold"]
    chips = rows[kept].reindex(columns=list(COLUMNS))
    chips = chips.assign(
        path=[each.relative_to(root).as_posix() for each in places],
        sha256=[file_digest(each) for each in places],
        width=CHIP_SIZE,
        height=CHIP_SIZE,
    )
    return validate_manifest(with_labels(chips)).reset_index(drop=True)
