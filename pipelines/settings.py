"""What the flows need to know, as pydantic models that load from TOML, from JSON, or from Prefect parameters."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from datasets.policies import LabelPolicy
from models.errors import ModelsError
from models.recipes import settings_of
from models.settings import TrainSettings
from pipelines.errors import MissingInputError, SettingsError
from pipelines.types import ConflictRule, PhotoPlacing

SAMPLE_LICENCE = "CC0-1.0"
"""The sample people are drawn by this project's own code and given away."""

SAMPLE_TRAINING = TrainSettings(image_size=96, epochs=5, batch_size=32)
"""Enough to see every stage work on drawn people within a minute or two of CPU time; no measure of the classifier."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
SETTINGS_TYPES = (".toml", ".json")

SettingsModel = TypeVar("SettingsModel", bound=BaseModel)
Value = TypeVar("Value")


def _as_setting(check: Callable[[Value], object], value: Value) -> None:
    """Lets a room judge a setting before anything has run: a wrong one would be found hours later."""
    from datasets.errors import UsageError
    from synth.errors import SynthUsageError

    try:
        check(value)
    except (UsageError, SynthUsageError) as error:
        raise ValueError(str(error)) from error


def _with_recipes(value: Any) -> Any:
    """Puts the settings of named recipes below those that are given beside them."""
    if not isinstance(value, Mapping) or "recipes" not in value:
        return value
    names = value["recipes"]
    if not isinstance(names, (list, tuple)) or not all(isinstance(each, str) for each in names):
        raise ValueError(f"recipes must be a list of names, as palette train --list shows them, not {names!r}")
    try:
        return settings_of(names, {name: each for name, each in value.items() if name != "recipes"})
    except ModelsError as error:
        raise ValueError(str(error)) from error


Training = Annotated[TrainSettings, BeforeValidator(_with_recipes)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceSettings(_Settings):
    """One dataset to ingest."""

    source: str = Field(description="a reader's name; palette ingest --list has them")
    root: Path = Field(description="the folder that the dataset lies in, or an archive of it")
    name: str = Field(default="", pattern=r"^$|" + NAME_PATTERN, description="its folder in the output; the source's")
    licence: str | None = Field(default=None, description="SPDX id to use instead of the source's own licence")
    options: dict[str, Any] = Field(default_factory=dict, description="options of the reader")
    labels: LabelPolicy = Field(default=LabelPolicy(), description="what its labels are taken to mean")

    @property
    def folder(self) -> str:
        """The name of this source's folder in each stage's output."""
        return self.name or self.source

    @property
    def source_name(self) -> str:
        """What the manifest's `source` column will say."""
        return str(self.reader_options.get("name", self.source)) if self.source == "folder" else self.source

    @property
    def reader_options(self) -> dict[str, Any]:
        """The reader's options, the licence override among them; two folders are told apart by their names."""
        name = {"name": self.name} if self.name and self.source == "folder" else {}
        licence = {"licence": self.licence} if self.licence else {}
        return name | self.options | licence


class SampleSettings(_Settings):
    """The sample people to draw when no sources are given."""

    people: int = Field(default=48, ge=1, le=5000, description="people in the competition's layout, 7 photos each")
    photos: int = Field(default=36, ge=2, le=5000, description="photos in All-Age-Faces' layout")
    unlabelled: int = Field(default=16, ge=2, le=5000, description="photos in a plain folder, without a gender")
    eval_photos: int = Field(default=48, ge=1, le=5000, description="photos to predict, in the competition's layout")
    seed: int = Field(default=0, ge=0, le=2**31 - 1)


class GenderNetworkSettings(_Settings):
    """A network that learns gender beside the embedding; what it says counts only where that makes things better."""

    backbone: str = Field(description="a timm model, such as resnet18")
    weights: Path | None = Field(default=None, description="a file it starts from")
    pretrained: bool = Field(default=False, description="start from timm's published weights, which needs its hub")
    image_size: int = Field(default=96, ge=16, le=2048, description="side that it sees, in pixels")
    epochs: int = Field(default=30, ge=1, le=10_000)


class SynthFlowSettings(_Settings):
    """Everything `synth-flow` needs; with nothing given it runs on drawn sample people in ./out."""

    sources: tuple[SourceSettings, ...] = Field(default=(), description="datasets; drawn sample people when empty")
    base: str = Field(default="competition", description="the source (by name) that enters the merge as it is")
    out: Path = Field(default=Path("out"), description="each stage writes to a folder of its own in here")
    rules: str = Field(default="competition", description="which licences a merge admits; see palette licences")
    plan: str = Field(default="competition", description="which variants a photo gets; balance, or a plan's file")
    target: str = Field(
        default="max", coerce_numbers_to_str=True, description="photos of each class for balance: max, median, a number"
    )
    cap: int = Field(default=20, ge=1, le=100, description="most variants of one person that balance makes")
    size: tuple[int, int] | None = Field(default=(384, 512), description="width and height of a variant, in pixels")
    tilt: float = Field(default=0.0, description="degrees by which heads are raised or lowered at most, bare ones too")
    turn: float = Field(default=0.0, description="degrees by which heads are turned to a side at most, bare ones too")
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    workers: int = Field(default=0, ge=0, le=1024, description="processes; 0 takes every core")
    precision: float = Field(default=0.97, gt=0.5, lt=1.0, description="that a pseudo-labelled gender must reach")
    learn_from: int = Field(default=3000, ge=20, description="photos with a given gender to learn genders from")
    gender_network: GenderNetworkSettings | None = Field(
        default=None, description="a network that learns gender too: minutes to hours"
    )
    pseudo_ages: bool = Field(default=False, description="fill in missing age groups, as far as faces tell them")
    self_train: bool = Field(
        default=False, description="people pseudo-labelled with a gender teach it, once, where that is surely better"
    )
    check_ages: bool = Field(default=False, description="say how sure each given age is; embeds every bare face")
    duplicates: bool = Field(default=True, description="look for copies of photos before merging")
    same_people: bool = Field(default=False, description="and for the same people in other pictures, by their faces")
    conflicts: ConflictRule = Field(default="keep", description="copies with other labels: keep the best, or drop all")
    evaluation: tuple[SourceSettings, ...] = Field(default=(), description="evaluation sets; their people stay out")
    folds: int = Field(default=5, ge=2, le=50)
    photos: PhotoPlacing = Field(default="auto", description="how photos get into the outputs")
    train: bool = Field(default=True, description="trigger train-flow at the end")
    training: Training | None = Field(default=None, description="how to train; quick settings on sample people")
    sample: SampleSettings = Field(default=SampleSettings())

    @property
    def training_settings(self) -> TrainSettings:
        """How to train, defaults filled in."""
        return self.training or (TrainSettings() if self.sources else SAMPLE_TRAINING)

    @field_validator("size")
    @classmethod
    def _size_is_sensible(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        from synth.framing import Size

        if size is not None:
            _as_setting(Size.parse, f"{size[0]}x{size[1]}")
        return size

    @field_validator("tilt", "turn")
    @classmethod
    def _heads_stay_in_range(cls, degrees: float, info: ValidationInfo) -> float:
        from synth.tilt import check_tilt

        _as_setting(partial(check_tilt, name=info.field_name or "tilt"), degrees)
        return degrees

    @field_validator("rules")
    @classmethod
    def _rules_are_known(cls, rules: str) -> str:
        from datasets.rules import get_rule

        _as_setting(get_rule, rules)
        return rules

    @field_validator("plan")
    @classmethod
    def _plan_is_known(cls, plan: str) -> str:
        from synth.balance_file import is_balance_file
        from synth.plans import get_plan

        if plan != "balance" and not is_balance_file(plan):
            _as_setting(get_plan, plan)
        return plan

    @field_validator("target")
    @classmethod
    def _target_is_one(cls, target: str) -> str:
        from synth.balance import FaceClass, resolve_target

        _as_setting(lambda text: resolve_target(text, {FaceClass("wear", "", ""): 1}), target)
        return target

    @model_validator(mode="after")
    def _sources_fit_together(self) -> SynthFlowSettings:
        names = [source.folder for source in self.sources]
        kept_out = [source.folder for source in self.evaluation]
        doubles = sorted({name for name in names + kept_out if (names + kept_out).count(name) > 1})
        if doubles:
            raise ValueError(f"two sources are called {', '.join(doubles)}: give one of them another name")
        if kept_out and not names:
            raise ValueError("there are evaluation sets but no sources")
        if kept_out and not self.duplicates:
            raise ValueError("whoever is in an evaluation set is found as a duplicate: set duplicates, too")
        if self.same_people and not self.duplicates:
            raise ValueError("same_people is part of looking for duplicates: set duplicates, too")
        if names and self.base not in names:
            raise ValueError(f"base is {self.base!r}, which is none of the sources: {', '.join(names)}")
        return self


class TrainFlowSettings(_Settings):
    """Everything `train-flow` needs; with nothing given it learns from what `synth-flow` merged in ./out."""

    manifest: Path = Field(default=Path("out/merge"), description="the merged manifest, or its folder")
    out: Path = Field(default=Path("out/train"), description="where the checkpoint, metrics and plots go")
    training: Training = Field(default=TrainSettings(), description="how to train: settings, and recipes by name")
    folds: str | None = Field(
        default=None,
        coerce_numbers_to_str=True,
        description="train a model for each of these folds, held out in turn: all, or numbers with commas",
    )


def read_settings_file(path: Path) -> dict[str, Any]:
    """Return what a TOML or JSON settings file says.

    Args:
        path: A file ending in .toml or .json.

    Raises:
        MissingInputError: There is no such file.
        SettingsError: The file is neither, or cannot be parsed, or isn't a table.
    """
    if path.suffix.lower() not in SETTINGS_TYPES:
        raise SettingsError(f"expected a settings file ending in .toml or .json, got {path}")
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise MissingInputError(f"cannot read the settings file {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"the settings file {path} cannot be parsed: {error}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"the settings file {path} must hold a table of settings, not a {type(values).__name__}")
    return values


def parse_assignment(text: str) -> tuple[list[str], Any]:
    """Return the dotted key's parts and the value of `key.part=value`.

    The value is read as JSON where that works (`3`, `true`, `[384, 512]`), else taken as text.

    Raises:
        SettingsError: There is no `=`, or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise SettingsError(f"expected key=value, such as training.epochs=3, got {text!r}")
    try:
        return key.split("."), json.loads(value)
    except json.JSONDecodeError:
        return key.split("."), value


def with_assignments(values: Mapping[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Return `values` with each `key.part=value` of `assignments` put in, the later one winning.

    Raises:
        SettingsError: An assignment is malformed, or goes through a value that isn't a table.
    """
    merged: dict[str, Any] = dict(values)
    for text in assignments:
        parts, value = parse_assignment(text)
        table = merged
        for part in parts[:-1]:
            inner = table.get(part, {})
            if not isinstance(inner, Mapping):
                raise SettingsError(f"{text!r}: {part} is {inner!r}, not a table of settings")
            table[part] = dict(inner)
            table = table[part]
        table[parts[-1]] = value
    return merged


def load_settings(
    kind: type[SettingsModel], path: Path | None = None, assignments: list[str] | None = None
) -> SettingsModel:
    """Return settings from a file, from assignments, or both; defaults for all that neither says.

    Args:
        kind: `SynthFlowSettings` or `TrainFlowSettings`.
        path: A .toml or .json file; none for defaults.
        assignments: `key.part=value` texts that win over the file.

    Raises:
        SettingsError: A value has the wrong type or range, or a name is unknown; every one of them is listed.
    """
    values = read_settings_file(path) if path else {}
    values = with_assignments(values, assignments or [])
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_told(error, path)) from error


def _told(error: ValidationError, path: Path | None) -> str:
    problems = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"])
        got = "" if problem["type"] in ("missing", "value_error") else f", got {problem['input']!r}"
        problems.append(f"{where + ': ' if where else ''}{problem['msg']}{got}")
    return f"settings{f' in {path}' if path else ''} not usable: " + "; ".join(problems)
