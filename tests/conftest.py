"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real photographs, found by PALETTE_REALDATA; the test skips without it."""
    folder = Path(os.environ.get("PALETTE_REALDATA", REPOSITORY.parent / "shared" / "realdata"))
    if not folder.is_dir():
        pytest.skip(f"real photographs not found at {folder}: set PALETTE_REALDATA to their folder")
    return folder
