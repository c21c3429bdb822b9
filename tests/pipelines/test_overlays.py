from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.team import Team, member_of
from pipelines.overlays import STRENGTH, explained, overlay
from tests.models.team_builders import checkpoint_at, photos_at


def test_only_what_speaks_is_coloured() -> None:
    rgb = np.full((8, 8, 3), 100, dtype=np.uint8)
    heat = np.zeros((8, 8), dtype=np.float32)
    heat[:2, :2] = 1.0
    seen = overlay(rgb, heat)
    assert (seen[2:, 2:] == 100).all()
    assert (np.ptp(seen[0, 0].astype(int)) > 30).all()  # a colour, and not gray
    assert seen[0, 0, 0] > seen[0, 0, 2]  # red, as RGB
    assert (np.abs(seen[0, 0].astype(int) - 100) <= STRENGTH * 155 + 1).all()
    with pytest.raises(ValueError, match="as much heat"):
        overlay(rgb, heat[:4])


def test_photos_of_a_team_are_explained_by_row(tmp_path: Path) -> None:
    examples = photos_at(tmp_path / "photos", 4)
    examples.paths[1].write_bytes(b"broken")
    looks = checkpoint_at(tmp_path / "looks.safetensors", 0, "triple", ("mask", "gender"), image_size=64)
    ages = checkpoint_at(tmp_path / "ages.safetensors", 1, "triple", ("age_group",), image_size=48)
    team = Team((member_of(looks, "looks"), member_of(ages, "ages")))
    codes = np.array([[mask, -1, -1] for mask in (0, 1, 2, 0)])
    pictures = explained(team, examples, codes, device="cpu")
    assert list(pictures) == [0, 2, 3]
    assert {picture.size for picture in pictures.values()} == {(64, 64)}


def test_what_is_asked_for_is_explained(tmp_path: Path) -> None:
    examples = photos_at(tmp_path / "photos", 2)
    team = Team((member_of(checkpoint_at(tmp_path / "m.safetensors", image_size=64), "m"),))
    seen = []
    for mask in (0, 1):
        seen.append(explained(team, examples, np.full((2, 3), mask), device="cpu"))
    assert any(np.asarray(seen[0][row]).tolist() != np.asarray(seen[1][row]).tolist() for row in (0, 1))


def test_heat_is_averaged_over_models_that_see_the_same_square(tmp_path: Path) -> None:
    examples = photos_at(tmp_path / "photos", 1)
    boxed = replace(examples, boxes=np.float32([[0.1, 0.0, 0.3, 0.3]]))
    files = [
        checkpoint_at(tmp_path / f"{at}.safetensors", at, image_size=64, crop=crop)
        for at, crop in enumerate(("middle", "face", "middle"))  # type: ignore[arg-type]
    ]
    middle, face, other = (member_of(file, file.stem) for file in files)
    pictures = [
        np.asarray(explained(Team(members), boxed, np.zeros((1, 3), dtype=np.int64), device="cpu")[0])
        for members in ((middle,), (middle, face), (middle, other))
    ]
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] != pictures[2]).any()
