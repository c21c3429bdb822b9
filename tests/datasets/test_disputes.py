from __future__ import annotations

import pandas as pd

from datasets.card import data_card
from datasets.disputes import DISPUTED_COLUMNS
from tests.datasets.builders import row, save_manifest
from tests.datasets.merge_builders import SAME, merged, near


def sources(home):
    """`free` says its photos may be used; `owner` has three of them, of which nobody said that."""
    free = [
        row("1", source="free", licence="CC0-1.0", sha256=SAME),
        row("2", source="free", licence="CC0-1.0"),
        row("3", source="free", licence="CC0-1.0"),
        row("4", source="free", licence="CC0-1.0"),
        row("4-masked", source="free", licence="CC0-1.0", parent_id="free:4", seed=1, recipe_id="0" * 16,
            wear_style="correct", mask="wear", mask_from="synthetic"),
    ]  # fmt: skip
    owner = [row(name, source="owner", licence="LicenseRef-unstated") for name in ("2", "4", "9")]
    save_manifest(home / "free", free)
    save_manifest(home / "owner", [row("1", source="owner", licence="LicenseRef-unstated", sha256=SAME), *owner])
    return [home / "free", home / "owner"]


def test_what_is_admitted_though_its_picture_is_excluded_elsewhere_is_listed(tmp_path):
    inputs = sources(tmp_path)
    pairs = near(tmp_path / "d", ("free:2", "owner:2"), ("free:4", "owner:4"))
    result = merged(inputs, tmp_path / "out", "competition", duplicates=pairs)
    assert result.disputed[["photo_id", "other"]].values.tolist() == [
        ["free:1", "owner:1"],
        ["free:2", "owner:2"],
        ["free:4", "owner:4"],
        ["free:4-masked", "owner:4"],
    ]
    assert set(result.manifest["source"]) == {"free"}
    turned = merged(inputs[::-1], tmp_path / "turned", "competition", duplicates=pairs)
    pd.testing.assert_frame_equal(turned.disputed, result.disputed)
    card = data_card(result.manifest, refusals=result.refusals, disputed=result.disputed, rules="competition")
    assert "| free | CC0-1.0 | owner | LicenseRef-unstated | 4 |" in card


def test_copies_of_copies_are_the_same_picture(tmp_path):
    pairs = near(tmp_path / "d", ("free:2", "free:3"), ("free:3", "owner:9"))
    result = merged(sources(tmp_path), tmp_path / "out", "competition", duplicates=pairs)
    assert result.disputed["photo_id"].tolist()[0] == "free:1"
    assert set(result.disputed["other"]) == {"owner:1", "owner:9"}


def test_variants_speak_for_their_photos_on_both_sides(tmp_path):
    made = {"parent_id": "owner:1", "seed": 1, "recipe_id": "0" * 16, "wear_style": "correct", "mask": "wear"}
    save_manifest(tmp_path / "base", [row("1", source="base", licence="CC0-1.0"), row("2", source="base")])
    masked = row("1-v", source="owner", licence="LicenseRef-unstated", mask_from="synthetic", **made)
    save_manifest(tmp_path / "owner", [masked])
    pairs = near(tmp_path / "d", ("base:1", "owner:1"))
    pairs += near(tmp_path / "p", ("base:2", "owner:1"), kind="same_person")
    result = merged([tmp_path / "base", tmp_path / "owner"], tmp_path / "out", "competition", duplicates=pairs)
    assert result.disputed[["photo_id", "other"]].values.tolist() == [["base:1", "owner:1-v"]]


def test_nothing_is_in_dispute_where_everything_is_admitted(tmp_path):
    result = merged(sources(tmp_path), tmp_path / "out", "research")
    assert result.disputed.empty
    assert tuple(result.disputed.columns) == DISPUTED_COLUMNS
    assert "dispute" not in data_card(result.manifest, refusals=result.refusals, disputed=result.disputed)
