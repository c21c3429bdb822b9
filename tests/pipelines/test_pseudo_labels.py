"""The pseudo-label stage: genders for those who lack one, every manifest kept apart."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from datasets.manifest import read_manifest, with_labels, write_manifest
from pipelines import cli
from pipelines.errors import SettingsError
from pipelines.masked_views import MASKED_CACHE
from pipelines.pseudo_labels import PseudoLabelOptions, photos_to_embed, pseudo_label_stage
from pipelines.sample import sample_sources
from pipelines.stages import ingest_stage


class GreyEmbedder:
    """An embedder that takes no time: the mean colours of the photo."""

    def embed(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]], /) -> NDArray[np.float32]:
        return np.resize(rgb.mean(axis=(0, 1)) / 255, 128).astype(np.float32)


@pytest.fixture
def manifests(sample_root: Path, tmp_path: Path) -> dict[str, Path]:
    """The sample's manifests, by name."""
    sources = sample_sources(sample_root)
    return {each.folder: ingest_stage(each, tmp_path / "ingest" / each.folder).manifest for each in sources}


def test_each_manifest_comes_back_whole_with_photos_beside_it(manifests: dict[str, Path], tmp_path: Path) -> None:
    result = pseudo_label_stage(manifests, tmp_path / "out", PseudoLabelOptions(), embedder=GreyEmbedder())
    for name, path in result.manifests.items():
        before, after = read_manifest(manifests[name]), read_manifest(path)
        assert path.parent == tmp_path / "out" / name
        assert list(after["photo_id"]) == list(before["photo_id"])
        assert all((path.parent / relative).is_file() for relative in after["path"])
        given = before["gender"].notna()
        pd.testing.assert_series_equal(after["gender"][given], before["gender"][given])
    assert result.report["people_missing"] == 2
    # 12 people with a gender are too few to learn from: nobody is given one, and the report says why.
    assert result.report["people_filled"] == 0
    assert read_manifest(result.manifests["unlabelled"])["gender"].isna().all()
    assert result.report["reason"]


def test_the_stage_can_be_run_again_in_place(manifests: dict[str, Path], tmp_path: Path) -> None:
    options = PseudoLabelOptions()
    first = pseudo_label_stage(manifests, tmp_path / "out", options, embedder=GreyEmbedder())
    kept = {name: path.read_bytes() for name, path in first.manifests.items()}
    again = pseudo_label_stage(manifests, tmp_path / "out", options, embedder=GreyEmbedder())
    assert {name: path.read_bytes() for name, path in again.manifests.items()} == kept


def test_nobody_is_embedded_where_nothing_is_missing(manifests: dict[str, Path], tmp_path: Path) -> None:
    only = {"competition": manifests["competition"]}
    result = pseudo_label_stage(only, tmp_path / "out", PseudoLabelOptions(), embedder=GreyEmbedder())
    assert result.report["status"] == "nothing_missing"
    assert result.report["photos_embedded"] == 0
    assert not (tmp_path / "out" / "faces.npz").exists()


def test_bare_faces_teach_and_every_missing_one_is_looked_at(manifests: dict[str, Path]) -> None:
    frame = pd.concat([read_manifest(path) for path in manifests.values()], ignore_index=True)
    chosen = frame[frame["photo_id"].isin(photos_to_embed(frame, 5))]
    assert set(frame.loc[frame["gender"].isna(), "photo_id"]) <= set(chosen["photo_id"])
    teaching = chosen[chosen["gender"].notna()]
    assert len(teaching) == 5
    assert set(teaching["mask"]) == {"not_wear"}
    shuffled = frame.sample(frac=1, random_state=1)
    assert photos_to_embed(shuffled, 5) == photos_to_embed(frame, 5)


def test_the_same_ids_in_two_manifests_are_refused(manifests: dict[str, Path], tmp_path: Path) -> None:
    twice = {"one": manifests["unlabelled"], "two": manifests["unlabelled"]}
    with pytest.raises(SettingsError, match="more than one manifest"):
        pseudo_label_stage(twice, tmp_path / "out", PseudoLabelOptions(), embedder=GreyEmbedder())


class RememberingEmbedder(GreyEmbedder):
    """An embedder that counts how often it is asked."""

    def __init__(self) -> None:
        self._asked = 0

    def embed(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]], /) -> NDArray[np.float32]:
        self._asked += 1
        return super().embed(rgb, landmarks)


def test_masks_are_drawn_only_where_somebody_is_seen_with_a_mask_only(
    manifests: dict[str, Path], tmp_path: Path
) -> None:
    frame = read_manifest(manifests["unlabelled"])
    drawing = RememberingEmbedder()
    both = {"embedder": GreyEmbedder(), "masked_embedder": drawing}
    pseudo_label_stage(manifests, tmp_path / "bare", PseudoLabelOptions(learn_from=4), **both)
    assert drawing._asked == 0
    worn = frame.assign(mask="wear", mask_from="given", mask_confidence=1.0)
    masked = write_manifest(worn, manifests["unlabelled"].parent)
    result = pseudo_label_stage(
        manifests | {"unlabelled": masked}, tmp_path / "worn", PseudoLabelOptions(learn_from=4), **both
    )
    assert drawing._asked == 4
    assert result.report["masked_only"]["reason"]
    assert set(result.sheets) <= {"pseudo_genders", "summary"}


@pytest.mark.parametrize("face", [True, False])
def test_a_bare_photo_counts_only_where_a_face_is_found_on_it(
    manifests: dict[str, Path], tmp_path: Path, face: bool
) -> None:
    frame, folder = read_manifest(manifests["unlabelled"]), manifests["unlabelled"].parent
    one = frame.assign(person_id=frame["person_id"].iloc[0], mask=["not_wear"] + ["wear"] * (len(frame) - 1))
    if not face:
        blank = folder / one["path"].iloc[0]
        blank.unlink()  # it may be a link to the sample's own
        Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(blank, format="PNG")
        one.loc[one.index[0], "sha256"] = hashlib.sha256(blank.read_bytes()).hexdigest()
    inputs = manifests | {"unlabelled": write_manifest(one, folder)}
    both = {"embedder": GreyEmbedder(), "masked_embedder": GreyEmbedder()}
    result = pseudo_label_stage(inputs, tmp_path / "out", PseudoLabelOptions(), **both)
    assert (tmp_path / "out" / MASKED_CACHE).exists() == (not face)
    assert result.report["abstained"] == ({"no_model": 1} if face else {"masked_only": 1})


def test_a_round_of_self_training_is_told_of_and_changes_nothing_where_nothing_can_be_judged(
    manifests: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.gender.gender_embedder", GreyEmbedder)
    paths = [str(path) for path in manifests.values()]
    told = {}
    for out, options in (("plain", []), ("few", ["--self-train"])):
        arguments = ["pseudo-label", *paths, "--out", str(tmp_path / out), "--workers", "1", "--json", *options]
        assert cli.run(arguments) == 0
        told[out] = json.loads(capsys.readouterr().out)
    assert told["plain"]["self_training"] is None
    assert told["few"]["self_training"] == {"kept": False, "reason": told["few"]["reason"]}
    monkeypatch.setattr("models.machine_fit.MIN_PEOPLE", 2)
    monkeypatch.setattr("models.machine_fit.FOLDS", 3)
    assert cli.run([*arguments, "--out", str(tmp_path / "one")]) == 0
    one = json.loads(capsys.readouterr().out)
    assert not one["self_training"]["kept"]
    assert one["self_training"]["reason"]
    assert (
        json.loads((tmp_path / "one" / "pseudo_labels.json").read_text(encoding="utf-8"))["self_training"]
        == (one["self_training"])
    )
    page = tmp_path / "report.html"
    assert cli.run(["report", paths[0], "--genders", str(tmp_path / "one"), "--out", str(page)]) == 0
    assert "<h3>Self-training</h3>" in page.read_text(encoding="utf-8")


def test_copies_of_a_file_are_one_person(manifests: dict[str, Path], tmp_path: Path) -> None:
    """A photo without a gender whose copy has one in another source gets that one, and keeps its own person."""
    known = read_manifest(manifests["all-age-faces"])
    frame = read_manifest(manifests["unlabelled"])
    teacher = known[known["mask"].eq("not_wear")].iloc[0]
    copy = frame.assign(sha256=[teacher["sha256"], *frame["sha256"].iloc[1:]])
    copied = write_manifest(copy, manifests["unlabelled"].parent)
    result = pseudo_label_stage(
        manifests | {"unlabelled": copied}, tmp_path / "out", PseudoLabelOptions(), embedder=GreyEmbedder()
    )
    filled = read_manifest(result.manifests["unlabelled"])
    assert filled["person_id"].tolist() == frame["person_id"].tolist()
    assert filled["gender"].iloc[0] == teacher["gender"]


def test_age_groups_are_filled_in_only_where_that_is_asked_for(manifests: dict[str, Path], tmp_path: Path) -> None:
    frame, folder = read_manifest(manifests["all-age-faces"]), manifests["all-age-faces"].parent
    lacking = frame.index[frame["mask"].eq("not_wear")][:1]
    frame.loc[lacking, ["age", "age_group", "age_from", "age_confidence", "label"]] = [np.nan, None, None, np.nan, None]
    inputs = manifests | {"all-age-faces": write_manifest(with_labels(frame), folder)}
    options = PseudoLabelOptions(ages=True)
    result = pseudo_label_stage(inputs, tmp_path / "out", options, embedder=GreyEmbedder())
    told = result.report["ages"]
    assert told["people_missing"] == 1
    assert "10 labelled people of each" in told["reason"]
    assert result.tables
    assert json.loads(result.sheets["summary"].read_text(encoding="utf-8"))["ages"]["people_missing"] == 1
    table = pd.read_csv(result.sheets["pseudo_ages"])
    assert table["reason"].tolist() == ["no_model"]
    assert table["person_id"].tolist() == frame.loc[lacking, "person_id"].tolist()
    again = pseudo_label_stage(inputs, tmp_path / "out", PseudoLabelOptions(), embedder=GreyEmbedder())
    assert "ages" not in again.report
    assert not result.sheets["pseudo_ages"].exists()


def test_only_what_lacks_an_age_and_what_teaches_one_is_embedded_for_ages(manifests: dict[str, Path]) -> None:
    frame = read_manifest(manifests["all-age-faces"])
    assert photos_to_embed(frame, 4) == photos_to_embed(frame, 4, ages=True) == set()
    frame.loc[0, ["age", "age_group", "age_from", "age_confidence"]] = [np.nan, None, None, np.nan]
    chosen = photos_to_embed(frame, 2, ages=True)
    assert frame.loc[0, "photo_id"] in chosen
    assert len(chosen) == 3
    assert photos_to_embed(frame, 2) == set()
