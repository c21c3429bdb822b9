"""What importing the engine brings along: a library that is called from a training script shouldn't cost much."""

from __future__ import annotations

import subprocess
import sys

import pytest

import synth

HEAVY = ("torch", "prefect", "albumentations", "pandas", "matplotlib", "scipy", "sklearn", "imagehash")


@pytest.mark.parametrize("statement", ["import synth", "from synth import *; MaskEngine()"])
def test_nothing_heavy_comes_along(statement: str) -> None:
    code = f"{statement}; import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "synth" in loaded
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)


def test_names_are_there_and_others_are_not() -> None:
    assert all(getattr(synth, name).__name__ == name for name in synth.__all__)
    assert set(synth.__all__) <= set(dir(synth))
    with pytest.raises(AttributeError, match="no attribute 'Mask'"):
        synth.Mask  # noqa: B018
