"""`palette mask`: what it prints, how it ends, and what it refuses to begin."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.licences import UNSTATED
from datasets.manifest import make_manifest, read_manifest, read_refusals, write_manifest
from datasets.portraits import Portrait
from synth.plans import styles_of
from tests.datasets.builders import row, save_manifest, save_photo
from tests.pipelines.mask_builders import COMMAND, Done, palette, quick, results, save, save_people

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")
WEAR = ("--wear", "correct,not_wear", "--types", "kf94")


@pytest.fixture
def photos(tmp_path: Path, drawn: tuple[Portrait, ...]) -> Path:
    return save_people(tmp_path / "photos", drawn, 2)


def assert_one_line(done: Done, code: int) -> str:
    """The message of an error: one line on stderr, nothing else, no traceback."""
    assert done.code == code, done
    lines = done.err.strip().splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("error: ")
    return lines[0]


def test_a_plain_run_makes_the_plan_and_says_so(photos: Path, tmp_path: Path) -> None:
    done = palette("mask", photos, tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    made = read_manifest(tmp_path / "out")
    assert made["mask"].value_counts().to_dict() == {"wear": 10, "incorrect": 2, "not_wear": 2}
    assert set(made["licence"]) == {UNSTATED}
    for word in ("14", "manifest.parquet", "preview.jpg", "correct", "not_wear"):
        assert word in done.out


def test_json_is_all_of_stdout(photos: Path, tmp_path: Path) -> None:
    (photos / "text.jpg").write_text("no photo")
    done = palette("mask", photos, tmp_path / "out", *WEAR, "--json")
    assert done.code == 0
    summary = json.loads(done.out)
    assert (summary["photos"], summary["masked_photos"], summary["variants"]) == (3, 2, 4)
    assert summary["wear_styles"] == {"correct": 2, "not_wear": 2}
    assert summary["refusals"] == {"not_an_image": 1}
    assert Path(summary["manifest"]).is_file()
    assert Path(summary["preview"]).is_file()


def test_a_dry_run_opens_and_writes_nothing(photos: Path, tmp_path: Path) -> None:
    save_photo(photos / "deep" / "er" / "est" / "C.JPEG")
    (photos / "text.jpg").write_text("no photo, but nobody looks")
    before = {path: path.stat().st_atime_ns for path in tmp_path.rglob("*") if path.is_file()}
    done = palette("mask", photos, tmp_path / "out", "--dry-run", "--json")
    assert done.code == 0
    summary = json.loads(done.out)
    assert (summary["photos"], summary["variants_at_most"], summary["plan"]) == (4, 28, "competition")
    assert summary["per_photo"] == {"correct": 5, " or ".join(styles_of("incorrect")): 1, "not_wear": 1}
    assert {path: path.stat().st_atime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "out").exists()


def test_a_second_call_goes_on_and_overwrite_begins_anew(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert palette("mask", photos, out, *WEAR).code == 0
    before = results(out)
    again = json.loads(palette("mask", photos, out, *WEAR, "--json").out)
    assert again["finished_before"] == 2
    told = assert_one_line(palette("mask", photos, out, "--wear", "chin"), 2)
    assert "--overwrite" in told
    assert results(out) == before
    assert palette("mask", photos, out, "--wear", "chin", "--overwrite").code == 0
    assert sorted(name for name in results(out) if "__" in name) == ["p00__incorrect1.jpg", "p01__incorrect1.jpg"]
    same = json.loads(palette("mask", photos, out, "--wear", "chin", "--overwrite", "--json").out)
    assert same["finished_before"] == 0


def test_labels_are_read_and_broken_ones_explained(photos: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file_name,gender,age\np00.png,female,70\n")
    assert palette("mask", photos, tmp_path / "out", *WEAR, "--labels", labels).code == 0
    made = read_manifest(tmp_path / "out").set_index("photo_id")
    assert made.loc["folder:p00.png#wear1", "label"] == 5
    labels.write_text("file_name,gender\np00.png,somebody\n")
    told = assert_one_line(palette("mask", photos, tmp_path / "two", *WEAR, "--labels", labels), 2)
    assert "somebody" in told
    told = assert_one_line(palette("mask", photos, tmp_path / "two", "--labels", tmp_path / "none.csv"), 2)
    assert "none.csv" in told


def test_photos_labelled_as_worn_are_refused(photos: Path, tmp_path: Path) -> None:
    (photos / "metadata.csv").write_text("file_name,mask\np00.png,wear\np01.png,not_wear\n")
    assert palette("mask", photos, tmp_path / "out", *WEAR).code == 0
    assert set(read_manifest(tmp_path / "out")["parent_id"]) == {"folder:p01.png"}
    refusal = read_refusals(tmp_path / "out").iloc[0]
    assert (refusal["photo_id"], refusal["reason"]) == ("folder:p00.png", "already_covered")


@pytest.mark.parametrize("below", ["", "sub", "a/b"])
def test_an_output_among_the_photos_is_refused(photos: Path, below: str) -> None:
    before = sorted(photos.rglob("*"))
    told = assert_one_line(palette("mask", photos, photos / below), 2)
    assert "outside" in told
    assert sorted(photos.rglob("*")) == before


def test_neither_is_it_by_a_link(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos)
    assert "outside" in assert_one_line(palette("mask", photos, tmp_path / "link" / "out"), 2)


def test_an_output_that_is_a_file_is_refused(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    assert "is a file" in assert_one_line(palette("mask", photos, tmp_path / "out"), 2)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
def test_a_datasets_own_folder_is_no_output(photos: Path, tmp_path: Path, option: str) -> None:
    data = tmp_path / "data"
    save_manifest(data, [row("a.jpg")])
    before = results(data)
    assert "another folder" in assert_one_line(palette("mask", photos, data, option), 2)
    assert results(data) == before


@pytest.mark.parametrize(
    ("arguments", "listed"),
    [
        (["--plan", "every"], ["competition", "all-styles", ".toml"]),
        (["--wear", "nose"], ["nose_out", "chin", "not_wear"]),
        (["--wear", "chin:many"], ["nose_out:2"]),
        (["--types", "veil"], ["kf94", "surgical"]),
        (["--templates", "no-such-folder"], ["templates", "no-such-folder"]),
        (["--size", "big"], ["WxH"]),
        (["--size", "9999x9999"], ["4096"]),
        (["--faces", "both"], ["auto", "largest", "refuse"]),
        (["--quality", "0"], ["1 to 100"]),
        (["--tilt", "25"], ["a tilt of heads of 0 to 20 degrees"]),
        (["--turn", "-3"], ["a turn of heads of 0 to 20 degrees"]),
        (["--backend", "cloud"], ["processes", "ray"]),
        (["--plan", "none.toml"], ["none.toml"]),
        (["--name", "My Photos"], ["lower-case"]),
    ],
)
def test_wrong_options_end_with_2_and_name_the_right_ones(
    photos: Path, tmp_path: Path, arguments: list[str], listed: list[str]
) -> None:
    told = assert_one_line(palette("mask", photos, tmp_path / "out", *arguments), 2)
    assert all(word in told for word in listed), told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [[], ["photos"], ["photos", "out", "--colour"], ["photos", "out", "--seed", "x"]])
def test_a_malformed_call_ends_with_2(arguments: list[str]) -> None:
    done = palette("mask", *arguments)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_photos_that_are_not_there_end_with_2(tmp_path: Path) -> None:
    assert "no such folder" in assert_one_line(palette("mask", tmp_path / "none", tmp_path / "out"), 2)
    (tmp_path / "photos").mkdir()
    assert "no photos" in assert_one_line(palette("mask", tmp_path / "photos", tmp_path / "out"), 2)
    assert not (tmp_path / "out").exists()


def test_when_no_photo_can_be_masked_it_ends_with_1_and_says_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "text.jpg").write_text("no photo")
    done = palette("mask", tmp_path / "photos", tmp_path / "out", "--json")
    assert "refusals.csv" in assert_one_line(done, 1)
    assert json.loads(done.out)["refusals"] == {"not_an_image": 1}
    assert read_refusals(tmp_path / "out")["reason"].tolist() == ["not_an_image"]
    assert len(read_manifest(tmp_path / "out")) == 0


def test_an_output_that_cannot_be_written_ends_with_1(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot write" in assert_one_line(palette("mask", photos, tmp_path / "file" / "out"), 1)


def test_a_size_reframes(photos: Path, tmp_path: Path) -> None:
    assert palette("mask", photos, tmp_path / "out", *WEAR, "--size", "96x128").code == 0
    for path in (tmp_path / "out").glob("*__*.jpg"):
        with Image.open(path) as image:
            assert image.size == (96, 128)


def test_quality_makes_smaller_files(photos: Path, tmp_path: Path) -> None:
    sizes = []
    for quality in (40, 95):
        out = tmp_path / str(quality)
        assert palette("mask", photos, out, *WEAR, "--quality", quality).code == 0
        sizes.append((out / "p00__not_wear1.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("option", ["--tilt", "--turn"])
def test_heads_can_be_tilted_and_bare_ones_are_as_well(photos: Path, tmp_path: Path, option: str) -> None:
    made = {}
    for tilt in (0, 15):
        out = tmp_path / str(tilt)
        assert palette("mask", photos, out, *WEAR, option, tilt).code == 0
        made[tilt] = read_manifest(out).set_index("photo_id")
    level, tilted = made[0], made[15]
    assert list(level.index) == list(tilted.index)
    assert (level["sha256"] != tilted["sha256"]).all()
    assert (level["recipe_id"] != tilted["recipe_id"]).all()
    assert level["wear_style"].equals(tilted["wear_style"])


def test_a_plan_from_a_file(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[[variants]]\nwear = "nose_out"\ncount = 2\ntypes = ["black"]\n')
    assert palette("mask", photos, tmp_path / "out", "--plan", tmp_path / "mine.toml").code == 0
    made = read_manifest(tmp_path / "out")
    assert made["mask_type"].tolist() == ["black"] * 4
    assert made["wear_style"].tolist() == ["nose_out"] * 4


def test_of_several_faces_the_largest_can_be_meant(tmp_path: Path, drawn: tuple[Portrait, ...]) -> None:
    save(np.hstack([drawn[0].rgb, drawn[1].rgb]), tmp_path / "photos" / "two.png")
    done = palette("mask", tmp_path / "photos", tmp_path / "out", *WEAR)
    assert read_refusals(tmp_path / "out")["reason"].tolist() == ["several_faces"]
    assert done.code == 1
    assert palette("mask", tmp_path / "photos", tmp_path / "two", *WEAR, "--faces", "largest").code == 0


def test_help_tells_every_option_of_the_job() -> None:
    done = palette("mask", "--help")
    assert done.code == 0
    wanted = ("--plan", "--wear", "--types", "--size", "--seed", "--workers", "--dry-run", "--resume", "--overwrite")
    assert all(option in done.out for option in (*wanted, "--quality", "--labels", "--json"))


@pytest.mark.slow
def test_the_real_command_keeps_stdout_for_json_and_ends_with_its_code(photos: Path, tmp_path: Path) -> None:
    command = [*COMMAND, "mask", str(photos), str(tmp_path / "out"), *WEAR, "--workers", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["variants"] == 4
    assert done.stderr == ""


def test_a_manifest_is_masked_with_its_labels(tmp_path: Path, drawn: tuple[Portrait, ...]) -> None:
    folder = tmp_path / "ingested"
    picture = save(drawn[0].rgb, folder / "a.png")
    labelled = row("a.png", sha256=hashlib.sha256(picture.read_bytes()).hexdigest(), gender="female", age=65.0)
    write_manifest(make_manifest([labelled]), folder)
    for number, given in enumerate((folder, folder / "manifest.parquet")):
        assert palette("mask", given, tmp_path / f"out{number}", *WEAR).code == 0
        made = read_manifest(tmp_path / f"out{number}")
        assert set(made["parent_id"]) == {"folder:a.png"}
        assert (set(made["gender"]), set(made["age"])) == ({"female"}, {65.0})
    refused = palette("mask", folder, tmp_path / "out2", "--licence", "CC0-1.0")
    assert "labels of its own" in assert_one_line(refused, 2)


def test_faces_are_kept_for_other_runs_where_asked(tmp_path: Path, drawn: tuple[Portrait, ...]) -> None:
    photos = save_people(tmp_path / "photos", drawn, 1)
    first = palette("mask", photos, tmp_path / "one", "--cache", tmp_path / "kept", "--workers", 1)
    assert first.code == 0, first.err
    kept = [path.read_bytes() for path in sorted((tmp_path / "kept").iterdir())]
    assert kept
    again = palette("mask", photos, tmp_path / "two", "--cache", tmp_path / "kept", "--workers", 1)
    assert again.code == 0, again.err
    assert [path.read_bytes() for path in sorted((tmp_path / "kept").iterdir())] == kept
    assert results(tmp_path / "one") == results(tmp_path / "two")


def test_a_budget_of_nothing_is_a_wrong_call(tmp_path: Path, drawn: tuple[Portrait, ...]) -> None:
    photos = save_people(tmp_path / "photos", drawn, 1)
    done = palette("mask", photos, tmp_path / "out", "--find-budget", 0)
    assert done.code == 2
    assert "budget" in done.err
    assert not (tmp_path / "out").exists()


def test_the_help_shows_what_a_plan_looks_like() -> None:
    told = palette("mask", "--help").out
    for line in ("[[variants]]", "wear = {nose_out = 3, chin = 2}", 'types = ["kf94", "surgical"]'):
        assert line in told
