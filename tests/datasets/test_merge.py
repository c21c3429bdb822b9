from __future__ import annotations

import pandas as pd
import pytest

from datasets.errors import MergeError, UsageError
from datasets.folds import check_folds
from datasets.identities import PEOPLE
from datasets.manifest import Refusal, make_refusals, read_manifest, read_refusals, write_refusals
from datasets.merge import MergeOptions, merge
from tests.datasets.builders import row, save_manifest

SAME = "ab" * 32


def outputs(folder):
    return {name: (folder / name).read_bytes() for name in ("manifest.parquet", "manifest.csv", "refusals.csv", PEOPLE)}


@pytest.fixture
def inputs(tmp_path):
    """Three sources: labelled people, variants of photos that aren't there, and one that may not be used."""
    own = [
        row(f"{i}/{j}.jpg", source="competition", licence="LicenseRef-competition", person_id=f"competition:{i}",
            mask="wear", gender="male", age=20 + 8 * i)
        for i in range(6) for j in range(3)
    ]  # fmt: skip
    variants = [
        row(f"v{i}.jpg", source="fairface", photo_id=f"fairface:{i}.jpg#wear{j}", path=f"{i}__wear{j}.jpg",
            person_id=f"fairface:{i}", parent_id=f"fairface:{i}.jpg", recipe_id="r", seed=j, licence="CC-BY-4.0",
            mask="wear", mask_from="synthetic", wear_style="correct", sha256=f"{100 * i + j:064x}")
        for i in range(6) for j in range(2)
    ]  # fmt: skip
    closed = [row(f"{i}.jpg", source="aaf", licence="LicenseRef-unstated", gender="female") for i in range(4)]
    folders = [tmp_path / "own", tmp_path / "variants", tmp_path / "closed"]
    for folder, rows in zip(folders, (own, variants, closed), strict=True):
        save_manifest(folder, rows)
    write_refusals(make_refusals([Refusal("fairface:9.jpg", "mask", "no_face")]), folders[1])
    return folders


def test_rows_of_all_inputs_under_the_rules(inputs, tmp_path):
    result = merge(inputs, tmp_path / "out", rules="competition")
    assert len(result.manifest) == 18 + 12
    assert set(result.manifest["source"]) == {"competition", "fairface"}
    assert result.excluded.drop(columns="why").values.tolist() == [["aaf", "LicenseRef-unstated", "unstated", 4]]
    assert "all rights are reserved" in result.excluded["why"].iloc[0]
    assert result.refusals.groupby(["stage", "reason"]).size().to_dict() == {
        ("mask", "no_face"): 1,
        ("merge", "licence"): 4,
    }
    assert len(merge(inputs, tmp_path / "all", rules="research").manifest) == 34


def test_what_is_written_is_what_is_returned(inputs, tmp_path):
    result = merge(inputs, tmp_path / "out", rules="competition")
    assert result.path == tmp_path / "out" / "manifest.parquet"
    pd.testing.assert_frame_equal(read_manifest(tmp_path / "out"), result.manifest)
    pd.testing.assert_frame_equal(read_refusals(tmp_path / "out"), result.refusals)


def test_order_of_inputs_does_not_matter(inputs, tmp_path):
    wanted = None
    for number, order in enumerate((inputs, inputs[::-1], [*inputs[1:], inputs[0]])):
        merge(order, tmp_path / str(number), rules="research")
        wanted = wanted or outputs(tmp_path / str(number))
        assert outputs(tmp_path / str(number)) == wanted


def test_merging_again_over_the_result_gives_the_same_bytes(inputs, tmp_path):
    merge(inputs, tmp_path / "out", rules="research")
    before = outputs(tmp_path / "out")
    merge([*inputs, inputs[0] / "manifest.parquet"], tmp_path / "out", rules="research")
    assert outputs(tmp_path / "out") == before


@pytest.mark.parametrize("rules", ["competition", "research"])
def test_merging_the_result_changes_nothing(inputs, tmp_path, rules):
    merge(inputs, tmp_path / "out", rules=rules)
    before = outputs(tmp_path / "out")
    merge([tmp_path / "out"], tmp_path / "out", rules=rules)
    assert outputs(tmp_path / "out") == before
    merge([tmp_path / "out", *inputs], tmp_path / "out", rules=rules)
    assert outputs(tmp_path / "out") == before
    merge([tmp_path / "out"], tmp_path / "other", rules=rules)
    assert outputs(tmp_path / "other") == before


def test_one_after_another_is_as_good_as_all_at_once(inputs, tmp_path):
    """But for the folds, which those keep who were dealt first."""
    merge(inputs[:1], tmp_path / "one", rules="research")
    merge([tmp_path / "one", inputs[1]], tmp_path / "two", rules="research")
    merge([inputs[2], tmp_path / "two"], tmp_path / "three", rules="research")
    keep = MergeOptions(folds_from=[tmp_path / "three"])
    merge(inputs, tmp_path / "at_once", rules="research", options=keep)
    assert outputs(tmp_path / "three") == outputs(tmp_path / "at_once")


def test_folds_are_by_person_and_do_not_move(inputs, tmp_path):
    few = merge(inputs[:1], tmp_path / "few", rules="research").manifest.set_index("photo_id")["fold"]
    keep = MergeOptions(folds_from=[tmp_path / "few"])
    result = merge(inputs, tmp_path / "many", rules="research", options=keep)
    manifest = result.manifest
    assert result.people == {"joined": 0, "kept_fold": 6, "new_fold": 10, "moved_fold": 0}
    check_folds(manifest)
    assert manifest["fold"].notna().all()
    many = manifest.set_index("photo_id")["fold"]
    assert many[few.index].equals(few)


def test_photos_are_where_the_manifest_says(inputs, tmp_path):
    for photos in ("auto", "link", "copy"):
        out = tmp_path / photos
        for photo in merge(inputs, out, rules="research", photos=photos).manifest.itertuples():
            assert (out / photo.path).read_text() == photo.sha256
            assert photo.path.startswith(f"photos/{photo.source}/")
            assert ((out / photo.path).stat().st_nlink > 1) is (photos != "copy") or photos == "auto"
    around = merge(inputs, tmp_path, rules="research").manifest
    assert all((tmp_path / path).is_file() for path in around["path"])
    assert around["path"].str.match(r"(own|variants|closed)/").all()


def test_same_bytes_are_kept_once(tmp_path):
    save_manifest(tmp_path / "a", [row("x.jpg", sha256=SAME), row("y.jpg", sha256=SAME), row("z.jpg")])
    result = merge([tmp_path / "a"], tmp_path / "out", rules="research")
    assert result.manifest["photo_id"].tolist() == ["folder:x.jpg", "folder:z.jpg"]
    assert result.refusals.values.tolist() == [["folder:y.jpg", "merge", "duplicate", "same bytes as folder:x.jpg"]]


@pytest.mark.parametrize(
    ("kept", "dropped"),
    [
        ({"gender": "male"}, {}),
        ({"gender": "male"}, {"gender": "male", "gender_from": "pseudo", "gender_confidence": 0.99}),
        ({"gender": "male", "gender_from": "corrected"}, {"gender": "female", "gender_from": "pseudo"}),
        ({"gender": "male", "gender_from": "pseudo", "gender_confidence": 0.9},
         {"gender": "male", "gender_from": "pseudo", "gender_confidence": 0.8}),
        ({}, {"parent_id": "b:p.jpg", "recipe_id": "r", "gender": "male"}),
    ],
)  # fmt: skip
def test_which_duplicate_is_kept(tmp_path, kept, dropped):
    """The one to keep has the later photo id, so that only its labels can decide."""
    save_manifest(tmp_path / "k", [row("z.jpg", source="c", sha256=SAME, **kept)])
    save_manifest(tmp_path / "d", [row("a.jpg", source="b", sha256=SAME, **dropped)])
    for number, order in enumerate((["k", "d"], ["d", "k"])):
        result = merge([tmp_path / name for name in order], tmp_path / f"o{number}", rules="research")
        assert result.manifest["photo_id"].tolist() == ["c:z.jpg"]
        assert len(result.refusals) == 1


def test_conflicting_labels_are_reported(tmp_path):
    save_manifest(tmp_path / "a", [row("a.jpg", source="a", sha256=SAME, gender="male", age=20)])
    save_manifest(tmp_path / "b", [row("b.jpg", source="b", sha256=SAME, gender="female", age=65)])
    result = merge([tmp_path / "b", tmp_path / "a"], tmp_path / "out", rules="research")
    assert result.manifest["photo_id"].tolist() == ["a:a.jpg"]
    assert result.refusals.values.tolist() == [
        ["b:b.jpg", "merge", "label_conflict",
         "same bytes as a:a.jpg; gender male there, female here; age_group under_30 there, 60_plus here"]
    ]  # fmt: skip


def test_a_copy_of_a_record_is_no_refusal_but_a_poorer_one_is(tmp_path):
    save_manifest(tmp_path / "a", [row("x.jpg", gender="male")])
    save_manifest(tmp_path / "copy", [row("x.jpg", gender="male", path="moved/x.jpg", fold=3)])
    assert merge([tmp_path / "a", tmp_path / "copy"], tmp_path / "o1", rules="research").refusals.empty
    save_manifest(tmp_path / "poorer", [row("x.jpg")])
    result = merge([tmp_path / "poorer", tmp_path / "a"], tmp_path / "o2", rules="research")
    assert result.manifest["gender"].tolist() == ["male"]
    assert result.refusals["reason"].tolist() == ["duplicate"]
    again = merge([tmp_path / "o2"], tmp_path / "o3", rules="research")
    pd.testing.assert_frame_equal(again.refusals, result.refusals)


def test_excluded_twins_do_not_displace_admitted_ones(tmp_path):
    better = row("a.jpg", source="a", sha256=SAME, licence="CC-BY-NC-4.0", gender="male")
    save_manifest(tmp_path / "a", [better])
    save_manifest(tmp_path / "b", [row("b.jpg", source="b", sha256=SAME)])
    result = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out", rules="competition")
    assert result.manifest["photo_id"].tolist() == ["b:b.jpg"]


def test_one_id_for_two_photos_is_an_error(tmp_path):
    save_manifest(tmp_path / "a", [row("x.jpg")])
    save_manifest(tmp_path / "b", [row("x.jpg", sha256=SAME)])
    with pytest.raises(MergeError, match=r"'folder:x\.jpg'; ingest one folder under another name"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out", rules="research")
    assert not (tmp_path / "out" / "manifest.parquet").exists()


def test_different_photos_never_meet_at_one_path(tmp_path):
    save_manifest(tmp_path / "a", [row("x.jpg")])
    variant = {"photo_id": "folder:x.jpg#1", "parent_id": "folder:x.jpg", "recipe_id": "r"}
    save_manifest(tmp_path / "b", [row("x.jpg", **{**variant, "sha256": SAME})])
    before = None
    for number, order in enumerate((["a", "b"], ["b", "a"])):
        out = tmp_path / f"o{number}"
        manifest = merge([tmp_path / name for name in order], out, rules="research").manifest
        assert [(out / path).read_text() for path in manifest["path"]] == manifest["sha256"].tolist()
        before = before or outputs(out)
        assert outputs(out) == before
    merge([tmp_path / "o0"], tmp_path / "o0", rules="research")
    assert outputs(tmp_path / "o0") == before


def test_new_photos_do_not_overwrite_those_in_place(tmp_path):
    merged = tmp_path / "out"
    save_manifest(tmp_path / "a", [row("x.jpg")])
    merge([tmp_path / "a"], merged, rules="research")
    variant = {"photo_id": "folder:x.jpg#1", "parent_id": "folder:x.jpg", "recipe_id": "r"}
    save_manifest(tmp_path / "b", [row("x.jpg", **{**variant, "sha256": SAME})])
    manifest = merge([merged, tmp_path / "b"], merged, rules="research").manifest
    assert [(merged / path).read_text() for path in manifest["path"]] == manifest["sha256"].tolist()


def test_photos_that_are_gone_or_outside_are_refused(tmp_path):
    folder = tmp_path / "a"
    save_manifest(folder, [row("gone.jpg"), row("link.jpg"), row("sub/x.jpg"), row("here.jpg")])
    (folder / "gone.jpg").unlink()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x.jpg").write_text("secret")
    (folder / "link.jpg").unlink()
    (folder / "link.jpg").symlink_to(tmp_path / "secret" / "x.jpg")
    (folder / "sub" / "x.jpg").unlink()
    (folder / "sub").rmdir()
    (folder / "sub").symlink_to(tmp_path / "secret")
    result = merge([folder], tmp_path / "out", rules="research")
    assert result.manifest["photo_id"].tolist() == ["folder:here.jpg"]
    assert dict(zip(result.refusals["photo_id"], result.refusals["reason"], strict=True)) == {
        "folder:gone.jpg": "missing_photo", "folder:link.jpg": "outside_root", "folder:sub/x.jpg": "outside_root"
    }  # fmt: skip
    assert not (tmp_path / "out" / "photos" / "folder" / "link.jpg").exists()


def test_a_link_within_the_folder_is_followed(tmp_path):
    save_manifest(tmp_path / "a", [row("real.jpg"), row("link.jpg", sha256=SAME)])
    (tmp_path / "a" / "link.jpg").unlink()
    (tmp_path / "a" / "link.jpg").symlink_to("real.jpg")
    merge([tmp_path / "a"], tmp_path / "out", rules="research")
    link = tmp_path / "out" / "photos" / "folder" / "link.jpg"
    assert not link.is_symlink()
    assert link.read_text() == (tmp_path / "a" / "real.jpg").read_text()


def test_changed_photo_replaces_the_linked_one(tmp_path):
    save_manifest(tmp_path / "a", [row("x.jpg")])
    merge([tmp_path / "a"], tmp_path / "out", rules="research")
    (tmp_path / "a" / "x.jpg").unlink()
    save_manifest(tmp_path / "a", [row("x.jpg", sha256=SAME)])
    merge([tmp_path / "a"], tmp_path / "out", rules="research")
    assert (tmp_path / "out" / "photos" / "folder" / "x.jpg").read_text() == SAME


def test_bad_arguments(tmp_path, inputs):
    with pytest.raises(UsageError, match="nothing to merge"):
        merge([], tmp_path / "out", rules="research")
    with pytest.raises(UsageError, match="unknown rules"):
        merge(inputs, tmp_path / "out", rules="any")
    with pytest.raises(UsageError, match="no manifest"):
        merge([tmp_path / "none"], tmp_path / "out", rules="research")
    with pytest.raises(UsageError, match="photos must be one of"):
        merge(inputs, tmp_path / "out", rules="research", photos="move")
    with pytest.raises(UsageError, match="n_folds"):
        merge(inputs, tmp_path / "out", rules="research", n_folds=1)


def test_nothing_left_is_an_empty_manifest(tmp_path):
    save_manifest(tmp_path / "a", [row("x.jpg", licence="LicenseRef-unstated")])
    result = merge([tmp_path / "a"], tmp_path / "out", rules="competition")
    assert len(result.manifest) == 0
    assert result.excluded["rows"].tolist() == [1]
    assert result.refusals["reason"].tolist() == ["licence"]
