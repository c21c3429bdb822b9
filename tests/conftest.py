"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datasets.portraits import Person, Portrait, draw_portrait

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: one that came last would leave all processors but its own idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real photographs, found by PALETTE_REALDATA; the test skips without it."""
    folder = Path(os.environ.get("PALETTE_REALDATA", REPOSITORY.parent / "shared" / "realdata"))
    if not folder.is_dir():
        pytest.skip(f"real photographs not found at {folder}: set PALETTE_REALDATA to their folder")
    return folder


@pytest.fixture(scope="session")
def drawn() -> tuple[Portrait, ...]:
    """Three drawn portraits, 240 wide and 320 high, whose faces the detector finds."""
    people = (("female", 24.0), ("male", 45.0), ("female", 68.0))
    return tuple(
        draw_portrait(Person(f"sitter {number}", gender, age), size=(240, 320), seed=number)
        for number, (gender, age) in enumerate(people)
    )
