"""Recipes and seeds: what shapes a variant, and what its random generator starts from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

ENGINE_VERSION = "6"
"""Raised with every change of the engine that changes a pixel, so that no old variant passes for a new one."""


def recipe_id(parameters: dict[str, Any]) -> str:
    """Sixteen hex digits that stand for every parameter that shapes a variant; the engine's version is one of them.

    Args:
        parameters: JSON values; their order doesn't matter.
    """
    text = json.dumps({"engine": ENGINE_VERSION, **parameters}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def variant_seed(run_seed: int, photo_sha256: str, variant_key: str, recipe: str) -> int:
    """The seed of one variant, 0 to 2**62: from the run's seed, the photo's bytes, the variant's key and its recipe."""
    text = f"{run_seed}|{photo_sha256}|{variant_key}|{recipe}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 2
