"""What shows whether pseudo-labelled genders can be believed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from datasets.manifest import make_manifest, write_manifest
from models.gender import PseudoLabelled, pseudo_label
from pipelines.gender_sheets import write_gender_sheets
from pipelines.rewriting import Inputs, read_apart
from tests.models.builders import embeddings_of

PEOPLE, UNKNOWN = 120, 20


def photo(folder: Path, person: int, gender: str | None) -> dict[str, Any]:
    """A row of a plain picture that is written."""
    path = folder / f"{person}.png"
    Image.fromarray(np.full((40, 30, 3), person % 256, np.uint8)).save(path)
    told: dict[str, Any] = (
        {} if gender is None else {"gender": gender, "gender_from": "given", "gender_confidence": 1.0}
    )
    return told | {
        "photo_id": f"folder:{path.name}",
        "path": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "width": 30,
        "height": 40,
        "source": "folder",
        "licence": "CC0-1.0",
        "person_id": f"folder:{person}",
        "mask": "not_wear",
        "mask_from": "given",
        "mask_confidence": 1.0,
    }


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Inputs, PseudoLabelled]:
    """A manifest of people, some without a gender and three with the wrong one, and what was made of it."""
    truth = np.resize(["male", "female"], PEOPLE + UNKNOWN)
    vectors = embeddings_of(truth, np.random.default_rng(0), 4.0)
    told: list[str | None] = [str(each) for each in truth[:PEOPLE]] + [None] * UNKNOWN
    for wrong in (4, 9, 30):
        told[wrong] = "female" if told[wrong] == "male" else "male"
    folder = tmp_path / "photos"
    folder.mkdir()
    frame = make_manifest([photo(folder, person, gender) for person, gender in enumerate(told)])
    embeddings = dict(zip(frame["photo_id"], vectors, strict=True))
    given = read_apart({"photos": write_manifest(frame, folder)}, tmp_path / "out")
    return given, pseudo_label(frame, embeddings, precision=0.9)


def test_planted_wrong_genders_head_the_table_and_everybody_is_told(labelled: Any, tmp_path: Path) -> None:
    inputs, result = labelled
    files = write_gender_sheets(inputs, result, tmp_path)
    assert set(files) == {"given_genders", "pseudo_genders", "reliability", "least_sure", "contradicted"}
    given, decided = pd.read_csv(files["given_genders"]), pd.read_csv(files["pseudo_genders"])
    assert {"folder:4", "folder:9", "folder:30"} <= set(given["person_id"].head(6))
    assert len(given) == PEOPLE
    assert len(decided) == UNKNOWN
    assert decided["confidence"].is_monotonic_increasing
    assert decided["age_group"].isna().all()
    assert given["decided"].dtype == bool
    assert set(decided["reason"]) <= {"pseudo", "unsure"}
    by_person = result.manifest.set_index("person_id")["gender"]
    filled = decided[decided["reason"].eq("pseudo")]
    assert len(filled)
    assert (by_person[filled["person_id"]].to_numpy() == filled["said"].to_numpy()).all()
    for name in ("reliability", "least_sure", "contradicted"):
        with Image.open(files[name]) as picture:
            assert min(picture.size) > 100


def test_the_same_answers_give_the_same_bytes(labelled: Any, tmp_path: Path) -> None:
    inputs, result = labelled
    first = {name: path.read_bytes() for name, path in write_gender_sheets(inputs, result, tmp_path).items()}
    again = {name: path.read_bytes() for name, path in write_gender_sheets(inputs, result, tmp_path).items()}
    assert first == again


def test_what_an_earlier_run_left_goes_away_where_there_is_nothing_to_show(labelled: Any, tmp_path: Path) -> None:
    inputs, result = labelled
    files = write_gender_sheets(inputs, result, tmp_path)
    assert write_gender_sheets(inputs, PseudoLabelled(result.manifest, result.report), tmp_path) == {}
    assert not any(path.exists() for path in files.values())
