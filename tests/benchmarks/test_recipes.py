from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.recipes import (
    HELD_OUT,
    RARE,
    RECIPES,
    SIDE,
    Task,
    Told,
    learn,
    recipe_table,
    settings_of,
    shares_table,
    thinned,
    with_variants,
)
from datasets.labels import decode_label
from datasets.manifest import read_manifest
from models.heads import to_codes
from models.scoring import score
from models.splits import split_manifest
from tests.models.builders import colour_rows, labelled_row, save_rows
from tests.models.conftest import tiny
from tests.models.test_splits import variant_of

ARGS = argparse.Namespace(epochs=2, draws=64)


def told(right: bool) -> Told:
    truth = to_codes(np.arange(18))
    return Told(score(truth, truth if right else truth[::-1].copy()), 0.5, 3.0)


def test_every_row_has_the_same_draws_and_no_choice_made_on_who_is_held_out(tmp_path: Path) -> None:
    for recipes in RECIPES:
        settings = settings_of(recipes, ARGS, tmp_path, seed=1)
        assert (settings.epochs, settings.epoch_rows, settings.image_size, settings.seed) == (2, 64, SIDE, 1)
        assert settings.keep == "last"
        assert settings.model == "test_resnet"
    assert len({str(settings_of(each, ARGS, tmp_path, 0).to_dict()) for each in RECIPES}) == len(RECIPES)


def test_old_people_are_rare_in_training_and_not_in_what_is_held_out() -> None:
    rows = [labelled_row(f"{each}.png", f"p{each}", 2, fold=each % 2) for each in range(60)]
    rows += [labelled_row(f"y{each}.png", f"y{each}", 0, fold=each % 2) for each in range(20)]
    frame = read_frame(rows)
    kept = thinned(frame)
    old = kept["age_group"].eq("60_plus")
    assert (old & kept["fold"].eq(HELD_OUT)).sum() == 30
    assert (old & kept["fold"].ne(HELD_OUT)).sum() == 30 // RARE
    assert (~old).sum() == 20


def test_variants_are_left_out_of_training_alone_and_not_always_the_same(tmp_path: Path) -> None:
    rows = []
    for each in range(24):
        photo = labelled_row(f"{each}.png", f"p{each}", 12, fold=each % 2)
        styles = ("wear", "incorrect", "not_wear")
        rows += [
            photo,
            *(variant_of(photo, f"v{at}", mask=style, mask_confidence=1.0) for at, style in enumerate(styles)),
        ]
    merged = save_rows(tmp_path / "merged", rows).parent
    for row in rows:
        path = merged / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"photo")
    for most in (0, 1, 2, 3):
        frame = read_manifest(with_variants(merged, most, tmp_path / str(most)))
        taught = frame[frame["fold"].ne(HELD_OUT)]
        assert taught["parent_id"].notna().sum() == 12 * most
        assert frame.loc[frame["fold"].eq(HELD_OUT), "parent_id"].notna().sum() == 12 * 3
        assert all((tmp_path / str(most) / path).read_bytes() == b"photo" for path in frame["path"])
        if most == 1:
            assert taught.loc[taught["parent_id"].notna(), "mask"].nunique() == 3


def test_a_run_is_done_once_and_answers_photos_and_variants(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    rows = colour_rows(folder, people_per_cell=4)
    bare = [each for each in rows if each["mask"] == "not_wear"]
    rows += [variant_of(each, "v", mask="not_wear", path=each["path"], mask_confidence=1.0) for each in bare]
    manifest = save_rows(folder, rows)
    settings = tiny(epochs=1, keep="last", cache=tmp_path / "packed")
    worn = (tuple(folder / each["path"] for each in rows[:6]), (0, 1, 2, 0, 1, 2))
    task = Task(manifest.parent, tmp_path / "run", settings, worn)
    first = learn(task)
    before = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    second = learn(task)
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == before
    assert second.scores.to_dict() == first.scores.to_dict()
    splits = split_manifest(manifest, settings)
    assert first.scores.label.rows == len(splits.real) + len(splits.synthetic)
    assert 0 <= first.worn <= 1


def test_tables_tell_means_and_each_seed() -> None:
    console = Console(record=True, width=170)
    console.print(recipe_table({("plain",): [told(True), told(False)], ("plain", "focal"): [told(True), told(True)]}))
    console.print(shares_table({0: [told(False)], 3: [told(True)]}))
    text = console.export_text()
    assert "0.500 (1.000, 0.000)" in text
    assert "+0.500" in text
    assert decode_label(0) == ("wear", "male", "under_30")
    row = next(line for line in text.splitlines() if "wear/male/under_30" in line or "wear male under_30" in line)
    assert "0.00" in row
    assert "1.00" in row


def read_frame(rows: list[dict[str, object]]):  # type: ignore[no-untyped-def]
    from datasets.manifest import make_manifest

    return make_manifest(rows)


def test_photographs_stay_out_of_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.recipes import main

    with pytest.raises(SystemExit) as ended:
        main(["--keep", str(Path(__file__).parent / "kept")])
    assert ended.value.code == 2
    assert "lies in the repository" in capsys.readouterr().err
