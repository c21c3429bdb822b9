from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.blending import Blend
from models.chances import chances_of
from models.checkpoint import load_checkpoint
from models.data import Examples
from models.errors import CheckpointError, TeamError
from models.inference import Reading, answer
from models.team import Team, member_of, open_run, read_team, write_team
from tests.models.team_builders import checkpoint_at, photos_at

CPU = torch.device("cpu")


def team_at(folder: Path, **blend: Any) -> Path:
    """A run of two folds."""
    members = [
        member_of(checkpoint_at(folder / f"fold-{fold}" / "model.safetensors", fold), folder.name) for fold in (0, 1)
    ]
    return write_team(folder, Team(tuple(members), Blend(**blend)))


def label_of(checkpoint: Path, examples: Examples) -> Any:
    """(N, 18) of one checkpoint alone."""
    network, config = load_checkpoint(checkpoint)
    reading = Reading(config.image_size, config.mean, config.std, 4, 0)
    return answer(network, examples, reading, config.layout, CPU, stage="test").chances.label


def test_a_team_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = team_at(tmp_path / "run", cutoffs={"mask": (1.0, 2.0, 1.0)})
    team = open_run(tmp_path / "run")
    assert team == read_team(path) == open_run(path)
    assert [member.checkpoint.name for member in team.members] == ["model.safetensors"] * 2
    assert team.groups == ("run",)
    assert team.blend.cutoffs == {"mask": (1.0, 2.0, 1.0)}
    held = json.loads(path.read_text())
    assert [member["checkpoint"] for member in held["members"]] == [f"fold-{n}/model.safetensors" for n in (0, 1)]
    assert set(held) == {"format", "members", "how", "weights", "stacking", "cutoffs"}
    before = path.read_bytes()
    write_team(tmp_path / "run", team)
    assert path.read_bytes() == before


def test_a_lone_checkpoint_is_a_team_of_one(tmp_path: Path) -> None:
    checkpoint = checkpoint_at(tmp_path / "run" / "model.safetensors")
    for given in (checkpoint, tmp_path / "run"):
        team = open_run(given)
        assert [(member.checkpoint, member.group) for member in team.members] == [(checkpoint, "run")]


def test_a_team_that_was_moved_as_a_whole_still_works(tmp_path: Path) -> None:
    team_at(tmp_path / "here" / "run")
    (tmp_path / "here").rename(tmp_path / "there")
    assert len(open_run(tmp_path / "there" / "run").members) == 2


def test_members_beside_are_named_and_others_taken_in(tmp_path: Path) -> None:
    beside = member_of(checkpoint_at(tmp_path / "runs" / "a" / "model.safetensors", 0), "a")
    away = member_of(checkpoint_at(tmp_path / "else" / "b" / "model.safetensors", 1), "b")
    path = write_team(tmp_path / "runs" / "team", Team((beside, away)))
    named = [each["checkpoint"] for each in json.loads(path.read_text())["members"]]
    assert named == ["../a/model.safetensors", f"members/{away.sha256[:16]}.safetensors"]
    away.checkpoint.unlink()
    assert [each.sha256 for each in open_run(path).members] == [beside.sha256, away.sha256]
    write_team(tmp_path / "runs" / "team", open_run(path))
    assert [each["checkpoint"] for each in json.loads(path.read_text())["members"]] == named
    (tmp_path / "runs" / "team").rename(tmp_path / "alone")
    with pytest.raises(TeamError, match="takes along its whole folder, and the folders beside it that it names"):
        open_run(tmp_path / "alone")


@pytest.mark.parametrize(
    "checkpoint",
    ["/etc/passwd", "../../away/model.safetensors", "a/../../../m", "", "..", "C:\\m", "C:/m", "a\\b", "a\x00b"],
)
def test_a_checkpoint_elsewhere_is_refused(tmp_path: Path, checkpoint: str) -> None:
    path = team_at(tmp_path)
    values = json.loads(path.read_text())
    values["members"][0]["checkpoint"] = checkpoint
    path.write_text(json.dumps(values))
    with pytest.raises(TeamError, match="neither inside nor beside"):
        open_run(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format is not 1"),
        ({"members": []}, "at least one member"),
        ({"members": {}}, "no list"),
        ({"members": [{"checkpoint": "m"}]}, "checkpoint, sha256, group"),
        ({"how": "weighted", "weights": {"other": 1.0}}, "names the groups other"),
        ({"surprise": 1}, "surprise"),
        ({"cutoffs": {"mask": [1]}}, "mask 3"),
        ({"cutoffs": 3}, "no team"),
        ({"stacking": {"groups": []}, "how": "stacking"}, "classes"),
    ],
)
def test_what_is_wrong_with_a_team_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = team_at(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(TeamError, match=message):
        open_run(path)


def test_missing_broken_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TeamError, match="no run at"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(TeamError, match=r"neither model.safetensors nor team.json"):
        open_run(tmp_path)
    path = team_at(tmp_path)
    path.write_text("{")
    with pytest.raises(TeamError, match="no JSON"):
        open_run(tmp_path)
    path.write_text("[]")
    with pytest.raises(TeamError, match="no team"):
        open_run(tmp_path)
    path.unlink()
    with pytest.raises(TeamError, match="not finished"):
        open_run(tmp_path)
    (tmp_path / "other.safetensors").write_bytes(b"\xff" * 99)
    with pytest.raises(CheckpointError, match="not a readable"):
        open_run(tmp_path / "other.safetensors")


def test_a_checkpoint_that_changed_or_went_is_named(tmp_path: Path) -> None:
    path = team_at(tmp_path)
    changed = checkpoint_at(tmp_path / "fold-1" / "model.safetensors", seed=9)
    with pytest.raises(TeamError, match=r"fold-1.*is not the file"):
        open_run(path)
    changed.unlink()
    with pytest.raises(TeamError, match=r"fold-1.*not there"):
        open_run(path)


def test_folds_of_a_group_answer_the_same(tmp_path: Path) -> None:
    whole = member_of(checkpoint_at(tmp_path / "a.safetensors"), "run")
    part = member_of(checkpoint_at(tmp_path / "b.safetensors", head="triple", parts=("mask",)), "run")
    write_team(tmp_path, Team((whole, part)))
    with pytest.raises(TeamError, match="others of its group run answer mask, gender, age_group"):
        open_run(tmp_path)


def test_a_lone_checkpoint_answers_as_before(tmp_path: Path) -> None:
    checkpoint, examples = checkpoint_at(tmp_path / "m.safetensors"), photos_at(tmp_path / "photos")
    answers = open_run(checkpoint).answer(examples, device="cpu", workers=0, batch_size=4)
    assert answers.chances.label is not None
    np.testing.assert_allclose(answers.chances.label, label_of(checkpoint, examples), atol=1e-12)
    assert answers.index.tolist() == list(range(6))


def test_folds_are_averaged_before_groups(tmp_path: Path) -> None:
    # To float32: a batch of another size may add in another order.
    examples = photos_at(tmp_path / "photos")
    files = [checkpoint_at(tmp_path / f"{at}.safetensors", seed) for at, seed in enumerate((0, 1, 2))]
    first, second, third = (label_of(file, examples) for file in files)
    members = [member_of(file, group) for file, group in zip(files, ("a", "a", "b"), strict=True)]
    label = Team(tuple(members)).answer(examples, device="cpu", workers=0).chances.label
    assert label is not None
    np.testing.assert_allclose(label, ((first + second) / 2 + third) / 2, rtol=1e-6, atol=1e-9)
    blend = Blend("weighted", {"a": 1.0, "b": 3.0})
    label = Team(tuple(members), blend).answer(examples, device="cpu", workers=0).chances.label
    assert label is not None
    np.testing.assert_allclose(label, (first + second) / 8 + 0.75 * third, rtol=1e-6, atol=1e-9)


def test_memory_for_one_model_at_a_time_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = photos_at(tmp_path / "photos")
    files = [checkpoint_at(tmp_path / f"{at}.safetensors", at, image_size=32 + 16 * (at == 1)) for at in range(3)]
    team = Team(tuple(member_of(file, file.stem) for file in files))
    steps: list[tuple[int, int]] = []
    together = team.answer(examples, device="cpu", workers=0, batch_size=4, progress=lambda *at: steps.append(at))
    assert steps == [(4, 12), (6, 12), (10, 12), (12, 12)]  # the two of one size in one pass
    monkeypatch.setattr("models.answering.LOADED", 1)
    steps.clear()
    apart = team.answer(examples, device="cpu", workers=0, batch_size=4, progress=lambda *at: steps.append(at))
    assert steps[-1] == (18, 18)
    assert together.chances.label is not None
    assert apart.chances.label is not None
    np.testing.assert_allclose(apart.chances.label, together.chances.label, atol=1e-12)
    mean = np.mean([label_of(file, examples) for file in files], axis=0)
    np.testing.assert_allclose(together.chances.label, mean, atol=1e-9)


def test_models_of_other_heads_make_one_answer(tmp_path: Path) -> None:
    examples = photos_at(tmp_path / "photos")
    looks = checkpoint_at(tmp_path / "looks.safetensors", 0, "triple", ("mask", "gender"))
    ages = checkpoint_at(tmp_path / "ages.safetensors", 1, "triple", ("age_group",), age_as="both")
    team = Team((member_of(looks, "looks"), member_of(ages, "ages")))
    answers = team.answer(examples, device="cpu", workers=0)
    alone = [open_run(file).answer(examples, device="cpu", workers=0) for file in (looks, ages)]
    assert answers.codes[:, :2].tolist() == alone[0].codes[:, :2].tolist()
    assert answers.codes[:, 2].tolist() == alone[1].codes[:, 2].tolist()
    assert alone[0].codes[:, 2].tolist() == [-1] * 6
    assert answers.chances.label is not None
    assert answers.chances.years is not None


def test_views_are_averaged_as_chances(tmp_path: Path) -> None:
    checkpoint, examples = checkpoint_at(tmp_path / "m.safetensors"), photos_at(tmp_path / "photos")
    network, config = load_checkpoint(checkpoint)
    reading = Reading(config.image_size, config.mean, config.std, 4, 0)
    mirrored = torch.nn.Sequential(Mirror(), network)
    there = answer(mirrored, examples, reading, config.layout, CPU, stage="test")
    plain = label_of(checkpoint, examples)
    flipped = chances_of(there.logits, config.layout).label
    assert np.abs(flipped - plain).max() > 1e-4
    label = open_run(checkpoint).answer(examples, device="cpu", workers=0, tta="flip").chances.label
    np.testing.assert_allclose(label, (plain + flipped) / 2, atol=1e-6)


class Mirror(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flip(3)


def test_photos_that_cannot_be_read_are_refused_once(tmp_path: Path) -> None:
    examples = photos_at(tmp_path / "photos")
    examples.paths[2].write_bytes(b"broken")
    team = open_run(team_at(tmp_path / "run"))
    answers = team.answer(examples, device="cpu", workers=0, batch_size=2)
    assert answers.index.tolist() == [0, 1, 3, 4, 5]
    assert len(answers.codes) == len(answers.chances) == 5
    assert [(each.photo_id, each.reason) for each in answers.refusals] == [("2.png", "not_an_image")]


def test_cutoffs_of_a_team_decide_its_codes(tmp_path: Path) -> None:
    examples = photos_at(tmp_path / "photos", 18)
    team_at(tmp_path / "run")
    plain = open_run(tmp_path / "run").answer(examples, device="cpu", workers=0)
    team_at(tmp_path / "run", cutoffs={"mask": (1.0, 1e6, 1.0)})
    cut = open_run(tmp_path / "run").answer(examples, device="cpu", workers=0)
    assert set(cut.codes[:, 0]) == {1} != set(plain.codes[:, 0])
    assert cut.chances.label is not None
    np.testing.assert_allclose(cut.chances.label, plain.chances.label)


def test_squares_about_faces_are_seen_by_those_that_learned_from_them(tmp_path: Path) -> None:
    examples = photos_at(tmp_path / "photos")
    boxed = replace(examples, boxes=np.tile(np.float32([0.1, 0.0, 0.3, 0.3]), (len(examples), 1)))
    files = [checkpoint_at(tmp_path / f"{crop}.safetensors", 3, crop=crop) for crop in ("middle", "face")]  # type: ignore[arg-type]
    middle, face = (open_run(file) for file in files)
    assert (middle.needs_faces, face.needs_faces) == (False, True)
    said = [team.answer(boxed, device="cpu", workers=0).chances.label for team in (middle, face)]
    plain = face.answer(examples, device="cpu", workers=0).chances.label
    both = Team(tuple(member_of(file, file.stem) for file in files))
    together = both.answer(boxed, device="cpu", workers=0).chances.label
    assert said[0] is not None
    assert said[1] is not None
    assert plain is not None
    assert together is not None
    np.testing.assert_allclose(said[0], plain, atol=1e-9)  # one set of weights: without boxes the middle is seen
    assert np.abs(said[0] - said[1]).max() > 1e-4
    np.testing.assert_allclose(together, (said[0] + said[1]) / 2, atol=1e-9)
