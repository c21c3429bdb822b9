"""Masking many photos: manifests in and out, going on where a run was, and the same bytes however it got there."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from datasets.errors import DatasetsError
from datasets.identities import People, read_people, write_people
from datasets.manifest import (
    make_manifest,
    make_refusals,
    read_manifest,
    read_refusals,
    write_manifest,
    write_refusals,
)
from datasets.photos import read_photo
from datasets.portraits import Portrait
from pipelines import masking
from pipelines.errors import SettingsError
from pipelines.mask_input import photos_of_folder
from pipelines.masking import MaskOptions, mask_manifest, mask_photos, read_for_masking
from synth.errors import PhotoRefusedError, SynthError, SynthUsageError
from synth.journal import run_lock
from tests.datasets.builders import as_nobody, open_folder, row, save_manifest
from tests.pipelines.mask_builders import COMMAND, palette, quick, results, save, save_people

__all__ = ["quick"]
SMALL = MaskOptions(wear=("correct", "chin", "not_wear"), seed=3, workers=1)
PEOPLE = 12


def photo_row(folder: Path, name: str, **values: Any) -> dict[str, Any]:
    """The manifest row of a photo that is there."""
    photo = read_photo(folder / name)
    return row(name, sha256=photo.sha256, phash=photo.phash, width=photo.width, height=photo.height, **values)


@pytest.fixture
def dataset(tmp_path: Path, drawn: tuple[Portrait, ...]) -> Path:
    """A manifest of three photos of two people, one of them without labels, and of a fourth that wears a mask."""
    folder = tmp_path / "data"
    for number, portrait in enumerate(drawn):
        save(portrait.rgb, folder / "photos" / f"{number}.png")
    save(drawn[0].rgb, folder / "photos" / "masked.png")
    known = {"gender": "female", "age": 24.0, "mask": "not_wear", "person_id": "aaf:one", "licence": "CC-BY-4.0"}
    rows = [
        photo_row(folder, "photos/0.png", **known, source="aaf", source_version="v1", gender_confidence=0.9),
        photo_row(folder, "photos/1.png", **known, source="aaf"),
        photo_row(folder, "photos/2.png", source="other"),
        photo_row(folder, "photos/masked.png", **{**known, "mask": "wear"}, source="aaf"),
    ]
    write_manifest(make_manifest(rows), folder)
    write_refusals(make_refusals([{"photo_id": "aaf:gone.jpg", "stage": "ingest", "reason": "truncated"}]), folder)
    return folder


@pytest.mark.usefixtures("quick")
def test_who_is_known_by_two_ids_is_known_beside_the_variants_too(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_people(People({"b:kim": "aaf:one"}, folds=5, seed=1), dataset)
    mask_manifest(dataset, out, SMALL)
    assert read_people(out) == People({"b:kim": "aaf:one"}), "variants are in no fold"
    write_people(People(), dataset)
    mask_manifest(dataset, out, SMALL)
    assert not (out / "people.json").exists(), "what is no longer known is not told on"


@pytest.mark.usefixtures("quick")
def test_variants_inherit_what_is_known_of_their_photo(dataset: Path, tmp_path: Path) -> None:
    summary = mask_manifest(dataset, tmp_path / "out", SMALL)
    made = read_manifest(tmp_path / "out").set_index("photo_id")
    assert len(made) == 9
    worn = made.loc["aaf:photos/0.png#wear1"]
    inherited = ("source", "source_version", "licence", "person_id", "gender", "age", "age_group")
    assert [worn[column] for column in inherited] == ["aaf", "v1", "CC-BY-4.0", "aaf:one", "female", 24, "under_30"]
    assert worn["gender_confidence"] == 0.9
    assert (worn["mask"], worn["mask_from"], worn["mask_confidence"]) == ("wear", "synthetic", 1)
    assert worn["label"] == 3
    assert worn["parent_id"] == "aaf:photos/0.png"
    bare = made.loc["other:photos/2.png#not_wear1"]
    assert pd.isna(bare["label"])
    assert pd.isna(bare["gender"])
    assert bare["mask"] == "not_wear"
    assert made["fold"].isna().all()
    assert (summary.photos, summary.masked_photos, summary.variants, summary.reused) == (3, 3, 9, 0)
    assert summary.by_wear_style == {"chin": 3, "correct": 3, "not_wear": 3}


@pytest.mark.usefixtures("quick")
def test_the_manifest_describes_the_files_beside_it(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mask_manifest(dataset, out, SMALL)
    made = read_manifest(out)
    pictures = {name for name in results(out) if name.endswith(".jpg")} - {"preview.jpg"}
    assert set(made["path"]) == pictures
    for variant in made.itertuples():
        photo = read_photo(out / variant.path)
        assert (photo.sha256, photo.phash) == (variant.sha256, variant.phash)
        assert (photo.width, photo.height) == (variant.width, variant.height)
    assert str(tmp_path) not in (out / "manifest.csv").read_text()
    assert len(pd.read_csv(out / "manifest.csv")) == len(made)


@pytest.mark.usefixtures("quick")
def test_who_wears_a_mask_already_is_refused_and_earlier_refusals_are_carried(dataset: Path, tmp_path: Path) -> None:
    summary = mask_manifest(dataset, tmp_path / "out", SMALL)
    refusals = read_refusals(tmp_path / "out").set_index("photo_id")
    assert dict(refusals["reason"]) == {"aaf:gone.jpg": "truncated", "aaf:photos/masked.png": "already_covered"}
    assert refusals.loc["aaf:photos/masked.png", "detail"] == "labelled wear"
    assert summary.refusals_by_reason == {"truncated": 1, "already_covered": 1}


@pytest.mark.usefixtures("quick")
def test_variants_in_a_manifest_are_not_masked_again(dataset: Path, tmp_path: Path) -> None:
    mask_manifest(dataset, tmp_path / "out", SMALL)
    again = mask_manifest(tmp_path / "out", tmp_path / "twice", SMALL)
    assert (again.photos, again.variants) == (0, 0)


@pytest.mark.usefixtures("quick")
def test_progress_counts_every_photo_up_to_the_total(dataset: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    mask_manifest(dataset, tmp_path / "out", SMALL, lambda done, total: told.append((done, total)))
    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)
    assert told == sorted(told)


def no_work(*_: object, **__: object) -> Any:
    raise AssertionError("a finished photo was worked on again")


@pytest.fixture
def people(tmp_path: Path, drawn: tuple[Portrait, ...]) -> Path:
    return save_people(tmp_path / "photos", drawn)


@pytest.mark.usefixtures("quick")
def test_a_second_run_works_on_nothing_and_changes_nothing(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    mask_photos(photos_of_folder(people), out, SMALL)
    before = results(out)
    monkeypatch.setattr(masking, "mask_photo", no_work)
    again = mask_photos(photos_of_folder(people), out, SMALL)
    assert again.reused == again.photos == 3
    assert results(out) == before


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_variant_that_is_gone_or_cut_is_made_again_as_it_was(people: Path, tmp_path: Path, damage: str) -> None:
    out = tmp_path / "out"
    mask_photos(photos_of_folder(people), out, SMALL)
    before = results(out)
    if damage == "missing":
        (out / "p01__chin1.jpg").unlink(missing_ok=True)
        (out / "p01__wear1.jpg").unlink()
    else:
        os.truncate(out / "p01__wear1.jpg", 100)
    assert mask_photos(photos_of_folder(people), out, SMALL).reused == 2
    assert results(out) == before


@pytest.mark.usefixtures("quick")
def test_a_changed_photo_is_worked_on_again(people: Path, tmp_path: Path, drawn: tuple[Portrait, ...]) -> None:
    out = tmp_path / "out"
    mask_photos(photos_of_folder(people), out, SMALL)
    save(drawn[2].rgb[:, ::-1].copy(), people / "p01.png")
    assert mask_photos(photos_of_folder(people), out, SMALL).reused == 2
    fresh = tmp_path / "fresh"
    mask_photos(photos_of_folder(people), fresh, SMALL)
    assert results(out) == results(fresh)


@pytest.mark.usefixtures("quick")
def test_new_photos_are_added(people: Path, tmp_path: Path, drawn: tuple[Portrait, ...]) -> None:
    out = tmp_path / "out"
    mask_photos(photos_of_folder(people), out, SMALL)
    save(drawn[0].rgb, people / "a" / "b" / "c" / "new.bmp")
    summary = mask_photos(photos_of_folder(people), out, SMALL)
    assert (summary.reused, summary.photos) == (3, 4)
    assert (out / "a" / "b" / "c" / "new__wear1.jpg").is_file()
    assert read_manifest(out)["parent_id"].is_monotonic_increasing


@pytest.mark.usefixtures("quick")
def test_a_run_with_other_options_is_not_mixed_in(people: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mask_photos(photos_of_folder(people), out, SMALL)
    before = results(out)
    with pytest.raises(SynthUsageError, match="--overwrite"):
        mask_photos(photos_of_folder(people), out, MaskOptions(seed=4, workers=1))
    assert results(out) == before


@pytest.mark.usefixtures("quick")
def test_overwriting_leaves_what_a_fresh_run_would(people: Path, tmp_path: Path) -> None:
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    mask_photos(photos_of_folder(people), out, SMALL)
    (out / "mine.txt").write_text("not a variant")
    other = MaskOptions(wear=("nose_out",), seed=9, workers=1, resume=False)
    mask_photos(photos_of_folder(people), out, other)
    mask_photos(photos_of_folder(people), fresh, other)
    assert results(out).pop("mine.txt") == b"not a variant"
    assert {name for name in results(out) if name != "mine.txt"} == set(results(fresh))
    assert results(out)["manifest.parquet"] == results(fresh)["manifest.parquet"]


@pytest.mark.usefixtures("quick")
def test_a_seed_decides_every_byte(people: Path, tmp_path: Path) -> None:
    made = {}
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        options = MaskOptions(plan="wear", seed=seed, workers=1)
        mask_photos(photos_of_folder(people), tmp_path / name, options)
        made[name] = results(tmp_path / name)
    assert made["one"] == made["same"]
    variants = [name for name in made["one"] if "__" in name]
    assert variants
    assert all(made["one"][name] != made["other"][name] for name in variants)


@pytest.mark.usefixtures("quick")
def test_labels_of_a_csv_reach_the_variants(people: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file_name,gender,age,person_id\np00.png,F,71,anna\np01.png,male,,\nnone.png,male,3,\n")
    mask_photos(photos_of_folder(people, labels), tmp_path / "out", SMALL)
    made = read_manifest(tmp_path / "out").set_index("photo_id")
    first = made.loc["folder:p00.png#wear1"]
    assert [first[c] for c in ("gender", "age_group", "person_id", "label")] == ["female", "60_plus", "folder:anna", 5]
    assert made.loc["folder:p01.png#wear1", "gender"] == "male"
    assert pd.isna(made.loc["folder:p02.png#wear1", "gender"])
    assert read_refusals(tmp_path / "out")["reason"].tolist() == ["missing_photo"]


@pytest.mark.usefixtures("quick")
def test_the_source_and_its_licence_can_be_named(people: Path, tmp_path: Path) -> None:
    mask_photos(photos_of_folder(people, None, "CC0-1.0", "mine"), tmp_path / "out", SMALL)
    made = read_manifest(tmp_path / "out")
    assert set(made["source"]) == {"mine"}
    assert set(made["licence"]) == {"CC0-1.0"}
    assert made["photo_id"].str.startswith("mine:p0").all()
    assert "p00__wear1.jpg" in set(made["path"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (MaskOptions(quality=0), "quality"),
        (MaskOptions(quality=101), "quality"),
        (MaskOptions(workers=-1), "workers"),
        (MaskOptions(backend="magic"), "processes, ray"),
    ],
)
def test_options_out_of_range_are_explained(options: MaskOptions, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        options.settings()


@pytest.mark.parametrize(
    "options",
    [MaskOptions(plan="x"), MaskOptions(wear=("x",)), MaskOptions(types=("x",)), MaskOptions(size=(1, 1))],
)
def test_unknown_names_are_explained_before_anything_is_done(
    options: MaskOptions, people: Path, tmp_path: Path
) -> None:
    with pytest.raises(SynthUsageError, match="expected"):
        mask_photos(photos_of_folder(people), tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_photos_is_an_error_and_so_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(DatasetsError, match="no photos"):
        photos_of_folder(tmp_path)
    with pytest.raises(DatasetsError, match="no such folder"):
        photos_of_folder(tmp_path / "none")
    with pytest.raises(DatasetsError, match="no manifest"):
        mask_manifest(tmp_path, tmp_path / "out", SMALL)


@pytest.mark.usefixtures("quick")
def test_a_photo_of_the_manifest_that_is_gone_is_a_refusal(tmp_path: Path) -> None:
    save_manifest(tmp_path / "data", [row("a.jpg"), row("b.jpg")])
    (tmp_path / "data" / "a.jpg").unlink()
    summary = mask_manifest(tmp_path / "data", tmp_path / "out", SMALL)
    assert summary.refusals_by_reason == {"unreadable": 1, "not_an_image": 1}
    assert summary.variants == 0
    assert len(read_manifest(tmp_path / "out")) == 0


def test_a_file_that_may_not_be_read_is_a_refusal() -> None:
    with open_folder() as folder:
        (folder / "locked.jpg").write_bytes(b"secret")
        (folder / "locked.jpg").chmod(0)
        with as_nobody(), pytest.raises(PhotoRefusedError) as caught:
            read_for_masking(folder / "locked.jpg", None)
    assert caught.value.reason == "unreadable"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory, drawn: tuple[Portrait, ...]) -> Path:
    """Twelve photos: three batches, so that a kill has a middle to come in."""
    return save_people(tmp_path_factory.mktemp("crowd"), drawn, PEOPLE)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, crowd: Path) -> dict[str, bytes]:
    """What one worker makes of the crowd."""
    out = tmp_path_factory.mktemp("one") / "out"
    assert palette("mask", crowd, out, "--seed", 7, "--workers", 1).code == 0
    made = results(out)
    assert len(made) == 7 * PEOPLE + 4
    assert {"manifest.parquet", "manifest.csv", "refusals.csv", "preview.jpg"} <= set(made)
    return made


def test_two_workers_make_the_same_bytes(crowd: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    assert palette("mask", crowd, tmp_path / "out", "--seed", 7, "--workers", 2).code == 0
    assert results(tmp_path / "out") == undisturbed


def kill_once_it_has_begun(command: list[object], journal: Path, environment: dict[str, str]) -> int:
    running = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    limit = time.monotonic() + 120
    while running.poll() is None and time.monotonic() < limit:
        if journal.is_file() and journal.read_bytes().count(b"\n") > 1:
            running.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    return running.wait(timeout=120)


@pytest.mark.slow
def test_a_run_that_is_killed_and_started_again_ends_as_one_that_was_not(
    crowd: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [*COMMAND, "mask", crowd, out, "--seed", 7, "--workers", 1]
    ended = kill_once_it_has_begun(command, out / ".palette" / "journal.jsonl", dict(os.environ))
    assert ended == -signal.SIGKILL
    assert not (out / "manifest.parquet").exists()
    # What else a kill may leave: half a variant, half a line.
    (out / ".1-0123456789abcdef.palette-part").write_bytes(b"half")
    with (out / ".palette" / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"photo_id": "folder:p')
    done = palette("mask", crowd, out, "--seed", 7, "--workers", 1, "--json")
    assert done.code == 0
    assert results(out) == undisturbed
    assert 0 < int(done.out.partition('"finished_before":')[2].partition(",")[0]) < PEOPLE
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == [".palette"]


@pytest.mark.usefixtures("quick")
def test_ids_that_lead_outside_write_nothing_there(tmp_path: Path, drawn: tuple[Portrait, ...]) -> None:
    data, out = tmp_path / "data", tmp_path / "deep" / "out"
    save(drawn[0].rgb, data / "a.png")
    hostile = photo_row(data, "a.png") | {"photo_id": "folder:../../stolen.png"}
    write_manifest(make_manifest([hostile]), data)
    before = {path for path in tmp_path.rglob("*") if out not in path.parents}
    mask_manifest(data, out, SMALL)
    assert {path for path in tmp_path.rglob("*") if out not in path.parents} - before <= {out, out.parent}
    assert len(read_manifest(out)) == 3


def test_a_second_run_in_the_same_folder_is_kept_out(people: Path, tmp_path: Path) -> None:
    with run_lock(tmp_path / "out"), pytest.raises(SynthError, match="another run"):
        mask_photos(photos_of_folder(people), tmp_path / "out", SMALL)


@pytest.mark.usefixtures("quick")
def test_the_preview_shows_every_photo(people: Path, tmp_path: Path) -> None:
    mask_photos(photos_of_folder(people), tmp_path / "out", SMALL)
    with Image.open(tmp_path / "out" / "preview.jpg") as preview:
        width, height = preview.size
    assert width > 3 * 144
    assert height > 3 * 192
