"""Settings: from TOML, JSON and assignments, with messages that name the wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.errors import ModelsError
from models.recipes import made_of
from models.settings import TrainSettings
from pipelines.errors import MissingInputError, SettingsError
from pipelines.settings import (
    SAMPLE_TRAINING,
    SourceSettings,
    SynthFlowSettings,
    TrainFlowSettings,
    load_settings,
    parse_assignment,
    with_assignments,
)

TOML = """
out = "elsewhere"
size = [96, 128]
base = "ours"

[[sources]]
source = "competition"
name = "ours"
root = "data/competition"

[[sources]]
source = "folder"
root = "data/more"
licence = "CC-BY-4.0"
options = { csv = "labels.csv" }

[training]
epochs = 3
"""


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    toml_file = tmp_path / "flow.toml"
    toml_file.write_text(TOML, encoding="utf-8")
    settings = load_settings(SynthFlowSettings, toml_file)
    assert settings.size == (96, 128)
    assert settings.training == TrainSettings(epochs=3)
    assert [source.folder for source in settings.sources] == ["ours", "folder"]
    assert settings.sources[1].reader_options == {"csv": "labels.csv", "licence": "CC-BY-4.0"}
    json_file = tmp_path / "flow.json"
    json_file.write_text(json.dumps(settings.model_dump(mode="json")), encoding="utf-8")
    assert load_settings(SynthFlowSettings, json_file) == settings


def test_the_example_of_the_documentation_can_be_used() -> None:
    example = load_settings(SynthFlowSettings, Path(__file__).parents[2] / "docs" / "flow.toml")
    assert example.plan == "balance"
    assert [source.folder for source in example.evaluation] == ["evaluation"]
    assert example.training_settings.age_confidence == 0.2


def test_assignments_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "flow.toml"
    path.write_text(TOML, encoding="utf-8")
    settings = load_settings(SynthFlowSettings, path, ["training.epochs=7", "rules=research", "training.head=triple"])
    assert settings.training == TrainSettings(epochs=7, head="triple")
    assert settings.rules == "research"


def test_nothing_given_means_sample_people_and_quick_training() -> None:
    settings = SynthFlowSettings()
    assert settings.sources == ()
    assert settings.training_settings == SAMPLE_TRAINING
    real = SynthFlowSettings(sources=(SourceSettings(source="competition", root=Path("data")),))
    assert real.training_settings == TrainSettings()


@pytest.mark.parametrize(
    ("assignments", "told"),
    [
        (["precision=2"], "precision"),
        (["size=[0,512]"], "0x512"),
        (["size=[16,16]"], "32x32"),
        (["tilt=21"], "expected a tilt of heads of 0 to 20 degrees"),
        (["turn=-1"], "expected a turn of heads of 0 to 20 degrees"),
        (["plan=nope"], "unknown plan 'nope'"),
        (["rules=nope"], "unknown rules 'nope'"),
        (["sizes=[1,2]"], "sizes"),
        (["training.epoch=3"], "training.epoch"),
        (["workers=-1"], "workers"),
        (['sources=[{"source":"folder","root":"a"},{"source":"folder","root":"b"}]', "base=folder"], "two sources"),
        (['sources=[{"source":"folder","root":"a"}]'], "none of the sources"),
        (['sources=[{"source":"folder","root":"a","name":"../up"}]'], "name"),
        (
            [
                'sources=[{"source":"folder","root":"a"}]',
                'evaluation=[{"source":"folder","root":"b"}]',
                "base=folder",
            ],
            "two sources",
        ),
        (['evaluation=[{"source":"folder","root":"a"}]'], "evaluation sets but no sources"),
        (
            [
                'sources=[{"source":"folder","root":"a"}]',
                'evaluation=[{"source":"folder","root":"b","name":"e"}]',
                "base=folder",
                "duplicates=false",
            ],
            "found as a duplicate",
        ),
        (["same_people=true", "duplicates=false"], "set duplicates, too"),
        (["conflicts=some"], "conflicts"),
    ],
)
def test_a_wrong_setting_is_named(assignments: list[str], told: str) -> None:
    with pytest.raises(SettingsError, match="settings not usable") as caught:
        load_settings(SynthFlowSettings, None, assignments)
    assert told in str(caught.value)


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(SynthFlowSettings, None, ["precision=2", "folds=1"])
    assert "precision" in str(caught.value)
    assert "folds" in str(caught.value)


def test_a_wrong_training_setting_keeps_its_own_message() -> None:
    with pytest.raises(ModelsError, match="epochs must be a number"):
        load_settings(TrainFlowSettings, None, ["training.epochs=0"])


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("nowhere.toml", None, MissingInputError),
        ("broken.toml", "a = [", SettingsError),
        ("broken.json", "{", SettingsError),
        ("list.json", "[1]", SettingsError),
        ("flow.yaml", "a: 1", SettingsError),
        ("binary.toml", b"\xff\xfe", SettingsError),
    ],
)
def test_an_unusable_file_is_a_clear_error(
    tmp_path: Path, name: str, content: str | bytes | None, kind: type[Exception]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(kind, match=name):
        load_settings(SynthFlowSettings, path)


@pytest.mark.parametrize("text", ["", "seed", "=3", "a..b=1", ".a=1"])
def test_a_malformed_assignment_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="key=value"):
        parse_assignment(text)


def test_assignments_do_not_touch_what_they_start_from() -> None:
    start = {"training": {"epochs": 1}}
    assert with_assignments(start, ["training.epochs=2"]) == {"training": {"epochs": 2}}
    assert start == {"training": {"epochs": 1}}
    with pytest.raises(SettingsError, match="not a table"):
        with_assignments({"seed": 3}, ["seed.deep=1"])


def test_settings_survive_the_way_through_prefects_parameters() -> None:
    settings = TrainFlowSettings(training=TrainSettings(weights=Path("w.safetensors"), head="triple"))
    assert TrainFlowSettings.model_validate(json.loads(settings.model_dump_json())) == settings


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        SynthFlowSettings().seed = 3  # type: ignore[misc]


def test_recipes_by_name_lie_below_what_is_set_beside_them() -> None:
    settings = TrainFlowSettings.model_validate({"training": {"recipes": ["small", "focal"], "epochs": 3}})
    assert settings.training == made_of(["small", "focal"], {"epochs": 3})
    flow = SynthFlowSettings.model_validate({"training": {"recipes": ["three-heads"]}})
    assert flow.training_settings == made_of(["three-heads"])


@pytest.mark.parametrize(
    ("recipes", "message"),
    [
        (["smal"], "no recipe named 'smal'"),
        ("small", "recipes must be a list of names"),
        ([3], "recipes must be a list of names"),
        (3, "recipes must be a list of names"),
        (None, "recipes must be a list of names"),
        ({"f1": 1}, "recipes must be a list of names"),
    ],
)
def test_a_recipe_that_is_none_is_named(recipes: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainFlowSettings.model_validate({"training": {"recipes": recipes}})
