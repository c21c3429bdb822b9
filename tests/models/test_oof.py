from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.chances import Chances, of_heads
from models.errors import OutOfFoldError
from models.oof import OOF, OutOfFold, aligned, joined, read_oof, write_oof
from tests.models.oof_builders import random_table


def same(one: OutOfFold, other: OutOfFold) -> bool:
    pieces = [(one.folds, other.folds), (one.truth, other.truth), (one.synthetic, other.synthetic)]
    pieces += [(one.chances.heads[name], other.chances.heads[name]) for name in one.chances.heads]
    if one.chances.label is not None and other.chances.label is not None:
        pieces.append((one.chances.label, other.chances.label))
    if one.chances.years is not None and other.chances.years is not None:
        pieces.append((one.chances.years, other.chances.years))
    return one.photo_ids == other.photo_ids and all(np.array_equal(left, right) for left, right in pieces)


def test_what_is_written_is_read_from_file_or_folder(tmp_path: Path) -> None:
    table = random_table(30)
    table.truth[3, 1] = -1
    table.synthetic[4] = True
    file = write_oof(table, tmp_path)
    assert file == tmp_path / OOF
    for back in (read_oof(tmp_path), read_oof(file)):
        assert same(table, back)
        assert back.chances.label is not None
    other = write_oof(table, tmp_path / "again.parquet")
    assert other.read_bytes() == file.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["again.parquet", OOF]


def test_its_columns_are_those_that_other_programs_read(tmp_path: Path) -> None:
    frame = pd.read_parquet(write_oof(random_table(5), tmp_path))
    heads = [f"{name}_{at}" for name, size in (("mask", 3), ("gender", 2), ("age_group", 3)) for at in range(size)]
    truth = ["truth_mask", "truth_gender", "truth_age_group"]
    assert list(frame) == ["photo_id", "fold", "synthetic", *truth, *(f"label_{at}" for at in range(18)), *heads]


def test_a_model_of_some_heads_keeps_its_heads_and_years(tmp_path: Path) -> None:
    whole = random_table(12)
    some = of_heads({"age_group": whole.chances.heads["age_group"]}, np.linspace(5, 80, 12))
    back = read_oof(write_oof(whole.with_chances(some), tmp_path))
    assert back.chances.label is None
    assert set(back.chances.heads) == {"age_group"}
    assert same(whole.with_chances(some), back)


def test_folds_are_put_together_by_photo_id() -> None:
    table = random_table(40)
    parts = [table.take(table.folds == fold) for fold in (2, 0, 3, 1)]
    assert same(joined(parts), table)
    with pytest.raises(OutOfFoldError, match=r"10 photos more than once, such as sample:00000\.png"):
        joined([*parts, parts[1]])
    heads = parts[0].with_chances(of_heads({"mask": parts[0].chances.heads["mask"]}))
    with pytest.raises(OutOfFoldError, match="other heads"):
        joined([heads, parts[1]])


def test_years_are_kept_where_all_folds_have_them() -> None:
    table = random_table(8)
    aged = table.with_chances(replace(table.chances, years=np.arange(8.0)))
    first, rest = np.arange(4), np.arange(4, 8)
    assert joined([aged.take(first), table.take(rest)]).chances.years is None
    assert np.asarray(joined([aged.take(first), aged.take(rest)]).chances.years).tolist() == list(range(8))


def test_runs_are_brought_into_one_order() -> None:
    table = random_table(40)
    shuffled = table.take(np.random.default_rng(1).permutation(40))
    assert same(aligned({"a": table, "b": shuffled})["b"], table)


def test_runs_of_other_photos_folds_or_truth_are_told_apart() -> None:
    table = random_table(40)
    with pytest.raises(OutOfFoldError, match=r"10 only in a, 0 only in b, such as sample:00000\.png"):
        aligned({"a": table, "b": table.take(table.folds != 0)})
    for part, told in (("folds", "fold"), ("truth", "truth"), ("synthetic", "being synthetic")):
        values: dict[str, Any] = {**vars(table)}
        values[part] = values[part].copy()
        values[part][7] = 1 - values[part][7] if part != "synthetic" else True
        with pytest.raises(
            OutOfFoldError, match=f"disagree on the {told} of 1 photos, such as sample:00007.png"
        ) as caught:
            aligned({"a": table, "b": OutOfFold(**values)})
        assert ("with the same seed, or merge with folds" in str(caught.value)) == (part == "folds")


def test_a_table_that_is_not_there_or_cut_short_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutOfFoldError, match="palette train --folds all"):
        read_oof(tmp_path)
    file = write_oof(random_table(5), tmp_path)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(OutOfFoldError, match=r"cannot read .*oof.parquet as Parquet"):
        read_oof(file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame.drop(columns="truth_mask"), "lacks the columns truth_mask"),
        (lambda frame: frame.drop(columns="label_17"), "of label's 18 columns"),
        (lambda frame: frame.assign(label_0=0.9), "of label don't sum to 1"),
        (lambda frame: frame.assign(gender_0=-1.0, gender_1=2.0), "of gender hold numbers that are no chances"),
        (lambda frame: frame.assign(mask_0=np.nan), "of mask hold numbers that are no chances"),
        (lambda frame: frame.assign(truth_gender=2), "codes that stand for nothing"),
        (lambda frame: frame.assign(photo_id="one"), "4 photos more than once"),
        (lambda frame: frame.assign(fold=None), "fold or synthetic is missing"),
        (lambda frame: frame.drop(columns=["mask_0", "mask_1", "mask_2"]), "without those of each head"),
        (lambda frame: frame[["photo_id", "fold", "synthetic", "truth_mask", "truth_gender", "truth_age_group"]],
         "lacks the chances of mask"),
    ],
)  # fmt: skip
def test_a_table_that_holds_nonsense_is_refused(tmp_path: Path, change: Any, told: str) -> None:
    file = write_oof(random_table(5), tmp_path)
    change(pd.read_parquet(file)).to_parquet(file)
    with pytest.raises(OutOfFoldError, match=told):
        read_oof(file)


def test_models_are_compared_by_real_photos_unless_variants_show_more() -> None:
    table = random_table(200)
    table.synthetic[:100] = True
    assert table.headline == "real"
    assert len(table.of_headline()) == 100
    table.truth[100:, 0] = 2
    assert table.headline == "synthetic"
    assert (table.of_headline().synthetic).all()
    ages = table.with_chances(of_heads({"age_group": table.chances.heads["age_group"]}))
    assert ages.headline == "real", "bare faces have ages like any"
    table.truth[100:] = -1
    assert ages.headline == "synthetic"


def test_shapes_are_checked() -> None:
    table = random_table(10)
    with pytest.raises(ValueError, match="chances of 10 photos"):
        table.with_chances(Chances(None, {"mask": np.ones((9, 3)) / 3}))
