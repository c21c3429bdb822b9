"""Networks that learn gender: who is held out from which, and what they say of whom."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from datasets.manifest import make_manifest, read_manifest
from models.errors import SettingsError, TooFewLabelsError, UnknownModelError, WeightsError
from models.gender_network import NetworkOptions, ask_all, deal, teach
from tests.models.builders import row, save_rows


def rows_of(counts: dict[str, int], folder: Path | None = None) -> list[dict[str, Any]]:
    """So many people of each source, women in red and men in blue."""
    rng, rows = np.random.default_rng(0), []
    for source, count in counts.items():
        for at in range(count):
            gender, name = ("male", "female")[at % 2], f"{source}_{at}.png"
            known: dict[str, Any] = {"gender": gender, "mask": "not_wear"}
            if folder is not None:
                picture = np.full((32, 32, 3), (200, 40, 40) if gender == "female" else (40, 40, 200))
                file = folder / "photos" / name
                file.parent.mkdir(exist_ok=True, parents=True)
                Image.fromarray(np.clip(picture + rng.normal(0, 20, picture.shape), 0, 255).astype(np.uint8)).save(file)
                known["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
            rows.append(row(name, f"{source}{at}", source, **known))
    return rows


def frame_of(counts: dict[str, int]) -> pd.DataFrame:
    return make_manifest(rows_of(counts))


def test_without_another_source_people_are_dealt_into_five() -> None:
    dealt, foreign = deal(frame_of({"one": 60}), 0)
    assert foreign == frozenset()
    assert dealt["fold"].value_counts().to_dict() == dict.fromkeys(range(5), 12)


def test_a_source_that_can_be_held_out_is_a_fold_and_the_rest_is_dealt_by_its_share() -> None:
    dealt, foreign = deal(frame_of({"big": 120, "small": 80}), 0)
    assert foreign == {"small"}
    assert set(dealt.loc[dealt["source"].eq("small"), "fold"]) == {0}
    assert sorted(set(dealt.loc[dealt["source"].eq("big"), "fold"])) == [1, 2, 3]
    alike, foreign = deal(frame_of({"one": 40, "two": 40}), 0)
    assert foreign == {"one", "two"}
    assert alike.groupby("source")["fold"].unique().map(list).to_dict() == {"one": [0], "two": [1]}


def test_who_is_in_two_sources_is_in_one_fold_and_in_no_network_that_must_not_know_them() -> None:
    frame = frame_of({"one": 40, "two": 40, "three": 40})
    both = frame["person_id"].mask(frame["person_id"].eq("two:two0"), "one:one0")
    dealt, _ = deal(frame.assign(person_id=both), 0)
    assert dealt.groupby("person_id")["fold"].nunique().max() == 1
    assert len(dealt) == 119
    assert not dealt["photo_id"].eq("two:two_0.png").any()
    small = frame_of({"big": 120, "small": 80})
    both = small["person_id"].mask(small["person_id"].eq("big:big0"), "small:small0")
    dealt, _ = deal(small.assign(person_id=both), 0)
    assert len(dealt) == 200
    assert set(dealt.loc[dealt["person_id"].eq("small:small0"), "fold"]) == {0}


def test_too_few_people_teach_nothing() -> None:
    with pytest.raises(TooFewLabelsError, match="10 people of each"):
        deal(frame_of({"one": 18}), 0)


def test_networks_are_taught_and_asked_and_not_taught_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.cross_validation._plot", lambda *_: None)
    manifest = save_rows(tmp_path, rows_of({"one": 24, "two": 24}, tmp_path))
    dealt, foreign = deal(read_manifest(manifest), 0)
    settings = NetworkOptions("test_resnet", image_size=32, epochs=6, device="cpu").settings(0, 0)
    manifest = save_rows(tmp_path, dealt.drop(columns="label").to_dict("records"))
    checkpoints = teach(manifest, tmp_path / "runs", settings)
    assert sorted(checkpoints) == [0, 1]
    unknown = dealt["photo_id"].isin(["one:one_0.png", "two:two_1.png", "two:two_3.png"])
    asked = dealt.assign(fold=dealt["fold"].mask(unknown))
    answers = ask_all(checkpoints, asked, tmp_path, foreign, settings)
    assert answers.foreign == {"one", "two"}
    assert set(answers.asked) == set(dealt.loc[unknown, "photo_id"])
    assert set(answers.held_out) == set(dealt.loc[~unknown, "photo_id"])
    said = {**answers.held_out, **answers.asked}
    right = [
        (said[name] > 0) == (gender == "female")
        for name, gender in zip(dealt["photo_id"], dealt["gender"], strict=True)
    ]
    assert np.mean(right) > 0.9
    monkeypatch.setattr("models.cross_validation.train", lambda *_: pytest.fail("it was trained already"))
    teach(manifest, tmp_path / "runs", settings)


def test_what_is_wrong_with_a_network_shows_at_once(tmp_path: Path) -> None:
    NetworkOptions("test_resnet", image_size=32).check()
    with pytest.raises(UnknownModelError, match="resnet18"):
        NetworkOptions("resnet81").check()
    with pytest.raises(WeightsError):
        NetworkOptions("test_resnet", weights=tmp_path / "missing.safetensors").check()
    with pytest.raises(SettingsError, match="give one of them"):
        NetworkOptions("test_resnet", weights=tmp_path, pretrained=True).check()
