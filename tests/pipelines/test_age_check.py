"""The stage that checks ages: planted wrong groups come out unsure, labels stay, kin of a judged photo follow it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from datasets.labels import AGE_GROUPS
from datasets.manifest import make_manifest, read_manifest
from models.errors import TooFewLabelsError
from pipelines import faces
from pipelines.age_check import CheckAgesOptions, carry, check_ages_stage, judge, photos_to_judge
from pipelines.errors import SettingsError
from pipelines.sample import sample_sources
from pipelines.stages import ingest_stage
from tests.datasets.builders import row as file_row
from tests.datasets.builders import save_manifest
from tests.models.builders import row

WRONG = {f"sample:{at}.jpg" for at in range(0, 150, 16)}


class GreyEmbedder:
    """An embedder that takes no time: the mean colours of the photo."""

    def embed(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]], /) -> NDArray[np.float32]:
        return np.resize(rgb.mean(axis=(0, 1)) / 255, 128).astype(np.float32)


def variant(parent: str, person: str, **values: Any) -> dict[str, Any]:
    return row(f"{parent}#v", person, parent_id=f"sample:{parent}", recipe_id="r", **values)


def planted() -> tuple[list[dict[str, Any]], dict[str, NDArray[np.float32]]]:
    """150 people with a bare photo each, whose faces tell their group; of `WRONG` the age given is of another group."""
    rng = np.random.default_rng(3)
    rows, embeddings = [], {}
    for at in range(150):
        true = at % 3
        face = rng.normal(size=128)
        face[true::3] += 1.5
        embeddings[f"sample:{at}.jpg"] = (0.1 * face).astype(np.float32)
        given = (true + 1) % 3 if f"sample:{at}.jpg" in WRONG else true
        rows.append(row(f"{at}.jpg", f"p{at}", age=(20.0, 45.0, 70.0)[given], mask="not_wear"))
    return rows, embeddings


@pytest.fixture
def manifest(sample_root: Path, tmp_path: Path) -> Path:
    """The manifest of the sample's photos in the competition's form."""
    source = next(each for each in sample_sources(sample_root) if each.folder == "competition")
    return ingest_stage(source, tmp_path / "ingest" / "competition").manifest


def test_planted_ages_come_first_and_are_doubtful() -> None:
    rows, embeddings = planted()
    judged, report = judge(make_manifest(rows), embeddings, 0)
    assert report["status"] == "judged"
    assert report["judged"] == len(judged) == 150
    doubtful = set(judged.loc[judged["doubtful"], "photo_id"])
    assert len(doubtful & WRONG) >= 8
    assert len(doubtful - WRONG) <= 3
    assert judged["confidence"].is_monotonic_increasing
    shuffled, _ = judge(make_manifest(rows[::-1]), embeddings, 0)
    pd.testing.assert_frame_equal(shuffled, judged)


def test_only_bare_photos_with_an_age_of_their_own_are_judged() -> None:
    rows = [
        row("bare.jpg", "a", age=20.0, mask="not_wear"),
        row("unsaid.jpg", "a", age=20.0),
        row("masked.jpg", "a", age=20.0, mask="wear"),
        row("ageless.jpg", "a", mask="not_wear"),
        row("guessed.jpg", "a", age=20.0, age_from="pseudo", mask="not_wear"),
        variant("bare.jpg", "a", age=20.0, mask="not_wear"),
    ]
    assert photos_to_judge(make_manifest(rows)).tolist() == [True, True, False, False, False, False]


def test_kin_of_a_judged_photo_follow_it_and_labels_stay() -> None:
    rows, embeddings = planted()
    wrong = next(each for each in rows if each["photo_id"] in WRONG)
    age = wrong["age"]
    rows += [
        row("masked.jpg", "p0", age=age, mask="wear"),
        row("later.jpg", "p0", age=age + 1, mask="wear"),
        variant("0.jpg", "p0", age=age, mask="wear"),
        variant("masked.jpg", "p0", age=age, mask="incorrect"),
        variant("elsewhere.jpg", "p0", age=age, mask="wear"),
        row("looked_at.jpg", "p500", age=age, age_from="corrected", mask="not_wear"),
    ]
    embeddings["sample:looked_at.jpg"] = embeddings["sample:0.jpg"]
    frame = make_manifest(rows)
    judged, _ = judge(frame, embeddings, 0)
    changed = carry(frame, judged)
    sure = changed.set_index("photo_id")["age_confidence"]
    own = sure["sample:0.jpg"]
    assert own < 0.3
    assert sure["sample:masked.jpg"] == sure["sample:0.jpg#v"] == sure["sample:masked.jpg#v"] == own
    assert sure["sample:later.jpg"] == sure["sample:elsewhere.jpg#v"] == sure["sample:looked_at.jpg"] == 1
    same = [name for name in frame.columns if name != "age_confidence"]
    pd.testing.assert_frame_equal(changed[same], frame[same])
    assert set(judged["said"]) <= set(AGE_GROUPS)


def test_manifests_come_back_whole_where_people_are_too_few(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = check_ages_stage({"competition": manifest}, out, CheckAgesOptions(), embedder=GreyEmbedder())
    assert result.report["status"] == "too_few"
    assert "20 people" in result.report["reason"]
    assert result.sheet is None
    assert result.table.read_text().splitlines() == [
        "photo_id,age,age_group,said,confidence,neighbours,doubtful",
    ]
    after = read_manifest(result.manifests["competition"])
    pd.testing.assert_series_equal(after["age_confidence"], read_manifest(manifest)["age_confidence"])
    assert all((out / "competition" / path).is_file() for path in after["path"])
    with pytest.raises(SettingsError, match="is an input and would be replaced"):
        check_ages_stage(result.manifests, out, CheckAgesOptions(), embedder=GreyEmbedder())


def test_the_stage_writes_confidences_a_table_and_a_sheet(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The sample has few people: so few must do here.
    monkeypatch.setattr("models.ages.MIN_PEOPLE_PER_GROUP", 2)
    monkeypatch.setattr("models.ages._FOLDS", 2)
    inputs, out = {"competition": manifest}, tmp_path / "out"
    result = check_ages_stage(inputs, out, CheckAgesOptions(), embedder=GreyEmbedder())
    assert result.report["status"] == "judged"
    table = pd.read_csv(result.table).set_index("photo_id")
    after = read_manifest(result.manifests["competition"]).set_index("photo_id")
    np.testing.assert_allclose(after.loc[table.index, "age_confidence"], table["confidence"])
    assert (result.sheet is not None) == bool(table["doubtful"].any())
    assert (out / "doubtful.jpg").is_file() == bool(table["doubtful"].any())
    kept = {path: path.read_bytes() for path in (result.table, result.manifests["competition"])}
    again = check_ages_stage(inputs, out, CheckAgesOptions(), embedder=GreyEmbedder())
    assert {path: path.read_bytes() for path in (again.table, again.manifests["competition"])} == kept


def test_copies_of_a_file_are_judged_as_one_persons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sources with the same files under other names: each person is in both, and is one person to the folds."""
    inputs = {}
    for source in ("one", "two"):
        rows = [
            file_row(f"{at}.jpg", source=source, sha256=f"{at:064x}", age=20.0 + at, mask="not_wear") for at in range(9)
        ]
        inputs[source] = save_manifest(tmp_path / source, rows)
    asked: list[list[str]] = []

    def embed(photos: pd.DataFrame, files: list[Path], *_: Any, **__: Any) -> faces.Embedded:
        return faces.Embedded({name: np.ones(128, np.float32) for name in photos["photo_id"]}, [], 0)

    def check(embeddings: Any, groups: Any, persons: NDArray[Any], seed: int) -> Any:
        asked.append(persons.tolist())
        raise TooFewLabelsError("enough has been seen")

    monkeypatch.setattr(faces, "embed_photos", embed)
    monkeypatch.setattr("models.ages.check_ages", check)
    result = check_ages_stage(inputs, tmp_path / "out", CheckAgesOptions())
    assert sorted(asked[0]) == sorted([f"one:{at}.jpg" for at in range(9)] * 2)
    after = read_manifest(result.manifests["two"])
    assert after["person_id"].str.startswith("two:").all()


def test_nothing_to_judge_is_said() -> None:
    judged, report = judge(make_manifest([row("a.jpg", "a", mask="not_wear")]), {}, 0)
    assert len(judged) == 0
    assert report["status"] == "nothing_to_judge"
    assert report["doubtful"] == 0
