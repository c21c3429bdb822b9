from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from models import export_onnx as exporting
from models.blending import Blend, Stacking
from models.errors import ExportError, OnnxError, SettingsError
from models.export_onnx import export_onnx
from models.heads import to_labels
from models.onnx_model import open_model
from models.onnx_notes import KEY
from models.team import Team, member_of, open_run
from tests.models.team_builders import checkpoint_at, photos_at


def stacked(groups: tuple[str, ...]) -> Stacking:
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 0.5, (3, 18 * len(groups)))
    return Stacking(groups, (0, 7, 17), tuple(map(tuple, rows.tolist())), (0.1, -0.1, 0.0))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {
        "a0": checkpoint_at(root / "a0.safetensors", 0),
        "a1": checkpoint_at(root / "a1.safetensors", 1),
        "b": checkpoint_at(root / "b.safetensors", 2, "triple", age_as="both"),
        "looks": checkpoint_at(root / "looks.safetensors", 3, "triple", ("mask", "gender")),
        "ages": checkpoint_at(root / "ages.safetensors", 4, "triple", ("age_group",), age_as="regression"),
        "older": checkpoint_at(root / "older.safetensors", 5, "triple", ("age_group",), age_as="ordinal"),
    }


TEAMS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "one": ({"b": "b"}, {}),
    "part": ({"looks": "looks"}, {}),
    "folds": ({"a0": "a", "a1": "a"}, {"cutoffs": {"mask": (1.0, 1.0, 9.0)}}),
    "other heads": ({"looks": "x", "ages": "y", "older": "z"}, {}),
    "weighted": ({"looks": "x", "ages": "y", "older": "z"}, {"how": "weighted", "weights": {"x": 1, "y": 1, "z": 3}}),
    "one weight": ({"a0": "x", "b": "y"}, {"how": "weighted", "weights": {"x": 0.0, "y": 2.0}}),
    "stacking": ({"a0": "x", "b": "y"}, {"how": "stacking", "stacking": stacked(("y", "x"))}),
}


def team_of(files: dict[str, Path], name: str) -> Team:
    members, blend = TEAMS[name]
    return Team(tuple(member_of(files[each], group) for each, group in members.items()), Blend(**blend))


@pytest.mark.parametrize("name", TEAMS)
def test_onnx_answers_photos_as_torch_does(files: dict[str, Path], tmp_path: Path, name: str) -> None:
    team = team_of(files, name)
    made = export_onnx(team, tmp_path / "m.onnx")
    assert made.difference < 1e-4
    examples = photos_at(tmp_path / "photos", 7)
    examples.paths[3].write_bytes(b"broken")
    model = open_model(made.path)
    steps: list[tuple[int, int]] = []
    given = model.answer(examples, device="cpu", workers=0, batch_size=4, progress=lambda *at: steps.append(at))
    due = team.answer(examples, device="cpu", workers=0)
    assert (model.heads, model.most_frequent) == (team.heads, team.most_frequent)
    assert given.index.tolist() == due.index.tolist() == [0, 1, 2, 4, 5, 6]
    assert given.refusals == due.refusals
    assert given.codes.tolist() == due.codes.tolist()
    assert steps == [(4, 7), (7, 7)]
    assert given.chances.heads.keys() == due.chances.heads.keys()
    for head, chances in due.chances.heads.items():
        np.testing.assert_allclose(given.chances.heads[head], chances, atol=1e-4)
        assert np.ptp(chances, axis=0).max() > 1e-3  # photos differ, so that agreeing means something
    for mine, other in ((given.chances.label, due.chances.label), (given.chances.years, due.chances.years)):
        assert (mine is None) == (other is None)
        if mine is not None and other is not None:
            np.testing.assert_allclose(mine, other, atol=1e-3)


def test_the_file_says_all_that_is_needed_to_use_it(files: dict[str, Path], tmp_path: Path) -> None:
    team = team_of(files, "folds")
    path = export_onnx(team, tmp_path / "m.onnx").path
    session = onnxruntime.InferenceSession(path)
    notes = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
    entry = session.get_inputs()[0]
    assert (entry.name, entry.type, entry.shape[1:]) == (notes["input"]["name"], "tensor(uint8)", [32, 32, 3])
    assert isinstance(entry.shape[0], str)  # any number of photos
    assert (notes["input"]["colours"], notes["input"]["size"]) == ("RGB", 32)
    assert (notes["labels"][17], notes["words"]["mask"][1]) == ("not_wear/female/60_plus", "incorrect")
    assert notes["cutoffs"] == {"mask": [1.0, 1.0, 9.0]}
    assert [each["sha256"] for each in notes["members"]] == [member.sha256 for member in team.members]
    assert notes["members"][0]["mean"] == [0.5, 0.5, 0.5]
    examples = photos_at(tmp_path / "photos", 3)
    upright = [np.asarray(Image.open(file).convert("RGB")) for file in examples.paths]  # 32 x 40: no resize is needed
    pixels = np.stack([picture[4:36] for picture in upright])
    label = session.run(["label"], {"images": pixels})[0]
    due = team.answer(examples, device="cpu", workers=0)
    assert due.chances.label is not None
    np.testing.assert_allclose(label, due.chances.label, atol=1e-4)
    cube = label.reshape(-1, 3, 2, 3) * np.array(notes["cutoffs"]["mask"])[:, None, None]
    assert cube.reshape(-1, 18).argmax(axis=1).tolist() == to_labels(due.codes).tolist()


def test_the_same_in_gives_the_same_bytes(files: dict[str, Path], tmp_path: Path) -> None:
    made = [export_onnx(team_of(files, "one"), tmp_path / f"{at}.onnx").path.read_bytes() for at in range(2)]
    assert made[0] == made[1]
    onnx.checker.check_model(str(tmp_path / "0.onnx"), full_check=True)


def test_a_graph_that_answers_otherwise_is_not_written(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "chances_of", lambda logits, layout: exporting_wrong(logits, layout))
    with pytest.raises(ExportError, match="otherwise than torch"):
        export_onnx(team_of(files, "one"), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", [("due",), ("given",), ("due", "given")])
def test_a_graph_that_answers_no_numbers_is_not_written(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: tuple[str, ...]
) -> None:
    for name, function in (("due", "_due"), ("given", "run_session")):
        if name in broken:
            monkeypatch.setattr(exporting, function, in_place_of_numbers(getattr(exporting, function)))
    with pytest.raises(ExportError, match="what is no number"):
        export_onnx(team_of(files, "one"), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def in_place_of_numbers(function: Any) -> Any:
    """The function, its last answer undefined throughout."""

    def spoilt(*given: Any) -> dict[str, Any]:
        said = function(*given)
        return {name: each * np.nan if name == "years" else each for name, each in said.items()}

    return spoilt


def exporting_wrong(logits: Any, layout: Any) -> Any:
    from models.chances import chances_of

    return chances_of(logits * 1.01, layout)


def test_what_does_not_fit_one_graph_is_named(files: dict[str, Path], tmp_path: Path) -> None:
    larger = member_of(checkpoint_at(tmp_path / "larger.safetensors", image_size=48), "larger")
    team = Team((member_of(files["a0"], "a"), larger))
    with pytest.raises(ExportError, match="32, 48 pixels"):
        export_onnx(team, tmp_path / "m.onnx")
    with pytest.raises(SettingsError, match="opset"):
        export_onnx(team, tmp_path / "m.onnx", opset=9)
    with pytest.raises(SettingsError, match=r"ends in .onnx"):
        export_onnx(team, tmp_path / "m.pt")
    assert not (tmp_path / "m.onnx").exists()


def test_missing_broken_and_foreign_files_are_named(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with pytest.raises(OnnxError, match="no model at"):
        open_model(path)
    path.write_bytes(b"\xff" * 99)
    with pytest.raises(OnnxError, match="no ONNX model"):
        open_model(path)
    model = onnx.load(export_onnx(team_of(files, "one"), path).path)
    notes = json.loads(model.metadata_props[0].value)
    for changed in ({**notes, "format": 2}, {**notes, "labels": []}, {**notes, "heads": ["hat"]}, [], {}):
        model.metadata_props[0].value = json.dumps(changed)
        onnx.save(model, path)
        with pytest.raises(OnnxError, match="this version knows"):
            open_model(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    with pytest.raises(OnnxError, match="not written by palette"):
        open_model(path)


def test_without_the_extra_its_package_is_named(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        export_onnx(open_run(files["a0"]), tmp_path / "m.onnx")
    assert caught.value.name == "onnx"
    assert list(tmp_path.iterdir()) == []
