"""Options made from a dataclass."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

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
