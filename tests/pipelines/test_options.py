"""Options made from a dataclass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from models.recipes import RECIPES, made_of
from models.settings import TrainSettings
from pipelines import cli
from pipelines.commands.options import attribute_help, options_from


@dataclass(frozen=True)
class Bread:
    """What to bake.

    Attributes:
        flour: which `flour`, and
            how fine.
        loaves: how many.
        crisp: yes or no.
    """

    flour: Literal["rye", "wheat"] = "rye"
    loaves: int = 2
    crisp: bool = False


def make_app() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @options_from(Bread)
    def bake(name: Annotated[str, typer.Argument()], settings: Bread) -> None:
        """Bake."""
        print(name, settings)

    return app


def test_help_comes_from_the_docstring() -> None:
    assert attribute_help(Bread) == {
        "flour": "which flour, and how fine.",
        "loaves": "how many.",
        "crisp": "yes or no.",
    }


def test_defaults_are_the_dataclasss() -> None:
    result = CliRunner().invoke(make_app(), ["Bob"])
    assert result.output.strip() == f"Bob {Bread()}"


def test_options_reach_the_dataclass() -> None:
    result = CliRunner().invoke(make_app(), ["Bob", "--flour", "wheat", "--loaves", "3", "--crisp"])
    assert result.output.strip() == f"Bob {Bread('wheat', 3, True)}"


def test_a_value_outside_the_choices_is_refused() -> None:
    assert CliRunner().invoke(make_app(), ["Bob", "--flour", "sand"]).exit_code == 2


def test_a_field_without_a_default_cannot_be_an_option() -> None:
    @dataclass
    class Needy:
        must: int

    with pytest.raises(TypeError, match="default"):
        options_from(Needy)(lambda settings: None)


def test_train_has_an_option_for_every_setting_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    told = attribute_help(TrainSettings)
    assert all(told.get(each.name) for each in fields(TrainSettings))
    assert cli.run(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    for each in fields(TrainSettings):
        # Long names are cut in a narrow table.
        assert "--" + each.name.replace("_", "-")[:14] in shown


def oven(names: Sequence[str], typed: Mapping[str, Any]) -> dict[str, Any]:
    """Presets as a command may have them: the later name decides, what was typed stands above."""
    known: dict[str, dict[str, Any]] = {
        "brown": {"flour": "wheat", "crisp": True},
        "many": {"loaves": 9, "crisp": False},
    }
    made: dict[str, Any] = {}
    for name in names:
        made |= known[name]
    return made | dict(typed)


@pytest.mark.parametrize(
    ("typed", "made"),
    [
        ([], Bread()),
        (["--like", "brown"], Bread("wheat", 2, True)),
        (["--like", "brown", "--like", "many"], Bread("wheat", 9, False)),
        (["--like", "many", "--like", "brown", "--loaves", "2"], Bread("wheat", 2, True)),
        (["--loaves", "2", "--no-crisp", "--like", "brown"], Bread("wheat", 2, False)),
    ],
)
def test_what_is_typed_stands_above_presets_even_where_it_is_the_default(typed: list[str], made: Bread) -> None:
    app = typer.Typer()

    @app.command()
    @options_from(Bread, presets=("like", oven))
    def bake(settings: Bread, like: Annotated[list[str] | None, typer.Option()] = None) -> None:
        """Bake."""
        print(settings)

    assert CliRunner().invoke(app, typed).output.strip() == str(made)


def test_train_takes_recipes_and_lists_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[TrainSettings] = []

    def stage(settings: Any, **_: Any) -> dict[str, Any]:
        asked.append(settings.training)
        return {"checkpoint": "x", "metrics": {}, "reused": False}

    monkeypatch.setattr("pipelines.stages.train_stage", stage)
    monkeypatch.setattr("pipelines.brief.brief_training", lambda result: {})
    assert cli.run(["train", "merged", "--recipe", "small", "--recipe", "three-heads", "--epochs", "3"]) == 0
    assert asked == [made_of(["small", "three-heads"], {"epochs": 3})]
    assert cli.run(["train", "merged", "--recipe", "nothing"]) == 2
    assert "no recipe named 'nothing': palette train --list shows them" in capsys.readouterr().err
    assert cli.run(["train", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in RECIPES)
