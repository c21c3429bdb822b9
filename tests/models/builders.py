"""Small builders for this room's tests: rows of a manifest, colour-coded photos, embeddings with a known truth."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from datasets.labels import AGE_GROUPS, GENDERS, MASK_STATES, N_LABELS, decode_label
from datasets.manifest import make_manifest, write_manifest


def row(name: str, person: str, source: str = "sample", **values: Any) -> dict[str, Any]:
    """One row of a manifest; everything not named is missing or plain."""
    return {
        "photo_id": f"{source}:{name}",
        "path": f"photos/{name}",
        "sha256": hashlib.sha256(f"{source}:{name}".encode()).hexdigest(),
        "width": 32,
        "height": 40,
        "source": source,
        "licence": "CC0-1.0",
        "person_id": f"{source}:{person}",
        **values,
    }


def colour_coded(label: int, rng: np.random.Generator, size: tuple[int, int] = (32, 40)) -> NDArray[np.uint8]:
    """A picture (H, W, 3) whose label can be read off it: mask by the band's colour, gender and age by the ground's.

    Args:
        label: 0..17.
        rng: of the noise.
        size: (width, height).
    """
    mask, gender, age = (
        words.index(word) for words, word in zip((MASK_STATES, GENDERS, AGE_GROUPS), decode_label(label), strict=True)
    )
    width, height = size
    picture = np.zeros((height, width, 3), dtype=np.float64)
    picture[: height // 2] = (40 + 160 * gender, 60, 200 - 160 * gender)
    picture[height // 2 :] = 40 + 90 * age
    picture[height * 3 // 8 : height * 5 // 8, width // 4 : width * 3 // 4] = np.eye(3)[mask] * 230
    return np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)


def colour_rows(root: Path, people_per_cell: int, *, seed: int = 0, folds: int = 4) -> list[dict[str, Any]]:
    """Writes colour-coded photos under `root/photos` and gives their rows: each person in all three mask states."""
    rng = np.random.default_rng(seed)
    (root / "photos").mkdir(parents=True, exist_ok=True)
    rows = []
    for cell in range(len(GENDERS) * len(AGE_GROUPS)):
        for person in range(people_per_cell):
            for mask in range(len(MASK_STATES)):
                label = mask * 6 + cell
                name = f"{cell}_{person}_{mask}.png"
                file = root / "photos" / name
                Image.fromarray(colour_coded(label, rng)).save(file)
                sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
                rows.append(labelled_row(name, f"{cell}_{person}", label, fold=person % folds, sha256=sha256))
    return rows


def labelled_row(name: str, person: str, label: int, **values: Any) -> dict[str, Any]:
    """A row with all three labels given."""
    mask, gender, age_group = decode_label(label)
    age = {"under_30": 20.0, "30_to_59": 45.0, "60_plus": 70.0}[age_group]
    return row(name, person, **{"mask": mask, "gender": gender, "age": age, "age_group": age_group, **values})


def save_rows(root: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Writes a manifest of rows; returns its path."""
    return write_manifest(make_manifest(rows), root)


def embeddings_of(genders: Sequence[str], rng: np.random.Generator, gap: float = 1.0) -> NDArray[np.float32]:
    """(N, 128) embeddings; the genders' means lie `gap` standard deviations from the middle along one direction."""
    side = np.array([1.0 if gender == "female" else -1.0 for gender in genders])
    axis = np.ones(128) / np.sqrt(128)
    spread = rng.normal(size=(len(side), 128)) + gap * side[:, None] * axis * 1.0
    return (0.1 * spread).astype(np.float32)


def everyone() -> pd.Series[Any]:
    """All 18 labels."""
    return pd.Series(range(N_LABELS))
