"""Keeping memory: harmless to ask for twice."""

from __future__ import annotations

import numpy as np

from synth.memory import keep_memory


def test_asking_again_says_the_same_and_memory_is_still_to_be_had() -> None:
    assert keep_memory() == keep_memory()
    assert np.zeros(40_000_000, np.uint8).sum() == 0
