"""One photo's whole work: variants on disk and an outcome that says what they are."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from datasets.portraits import Portrait
from synth import Face, FaceFinder, MaskEngine, Prepared, run
from synth.arrays import RgbImage
from synth.errors import OutputError, PhotoRefusedError
from synth.framing import Size
from synth.plans import Plan, Slot, custom_plan, get_plan
from synth.run import DECODE_SIDE, Job, PhotoTask, Settings, died, file_stamp, mask_photo

COMPETITION = Settings(get_plan("competition"), seed=7)


@dataclass
class Decoded:
    rgb: RgbImage
    sha256: str
    scale: float = 1.0


def read(path: Path, side: int | None) -> Decoded:
    data = path.read_bytes()
    if not data:
        raise PhotoRefusedError("empty_file", "nothing in it")
    with Image.open(path) as image:
        rgb = np.asarray(image.convert("RGB"))
    return Decoded(rgb, hashlib.sha256(data).hexdigest())


@pytest.fixture
def photo(tmp_path: Path, drawn: tuple[Portrait, ...]) -> PhotoTask:
    path = tmp_path / "photos" / "deep" / "a.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(drawn[0].rgb).save(path)
    return PhotoTask("folder:deep/a.png", path, "deep/a")


def job(tmp_path: Path, settings: Settings = COMPETITION) -> Job:
    return Job(settings, tmp_path / "out", read)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_variant_is_on_disk_and_described(tmp_path: Path, photo: PhotoTask) -> None:
    outcome = mask_photo(job(tmp_path), photo)
    assert outcome["refusals"] == []
    made = files(tmp_path / "out")
    assert [variant["path"] for variant in outcome["variants"]] == [f"deep/a__{k}.jpg" for k in COMPETITION.plan.keys]
    assert set(made) == {variant["path"] for variant in outcome["variants"]}
    for variant in outcome["variants"]:
        assert hashlib.sha256(made[variant["path"]]).hexdigest() == variant["sha256"]
        assert len(made[variant["path"]]) == variant["bytes"]
        assert variant["parent_id"] == photo.photo_id
        assert variant["photo_id"].startswith("folder:deep/a.png#")
        assert (variant["width"], variant["height"]) == (240, 320)
    assert outcome["stamp"] == file_stamp(photo.path)
    assert json.loads(json.dumps(outcome)) == outcome


def test_measured_coverage_agrees_with_the_label(tmp_path: Path, photo: PhotoTask) -> None:
    for variant in mask_photo(job(tmp_path), photo)["variants"]:
        nose, mouth = variant["nose_covered"], variant["mouth_covered"]
        if variant["mask"] == "wear":
            assert (variant["wear_style"], nose >= 0.95, mouth >= 0.98) == ("correct", True, True)
        elif variant["mask"] == "incorrect":
            assert nose <= 0.35
            assert mouth <= 0.12 if variant["wear_style"] == "chin" else mouth >= 0.95
        else:
            assert (nose, mouth, variant["chin_covered"]) == (0, 0, 0)
            assert "mask_type" not in variant
            assert "wear_style" not in variant


def test_the_same_settings_give_the_same_bytes_elsewhere_too(tmp_path: Path, photo: PhotoTask) -> None:
    one, two = mask_photo(job(tmp_path / "1"), photo), mask_photo(job(tmp_path / "2"), photo)
    assert one == two
    assert files(tmp_path / "1") == files(tmp_path / "2")
    moved = replace(photo, stem="elsewhere", photo_id="folder:elsewhere.png")
    assert [v["sha256"] for v in mask_photo(job(tmp_path / "3"), moved)["variants"]] == [
        v["sha256"] for v in one["variants"]
    ]


def test_another_seed_gives_other_masks_and_the_same_bare_face(tmp_path: Path, photo: PhotoTask) -> None:
    one = mask_photo(job(tmp_path / "1"), photo)["variants"]
    two = mask_photo(job(tmp_path / "2", replace(COMPETITION, seed=8)), photo)["variants"]
    same = [a["path"] for a, b in zip(one, two, strict=True) if a["sha256"] == b["sha256"]]
    assert same == ["deep/a__not_wear1.jpg"]


@pytest.mark.parametrize(("tilt", "turn"), [(12.0, 0.0), (0.0, 9.0), (12.0, 9.0)])
def test_each_variant_is_tilted_by_another_angle_and_again_by_the_same(
    tmp_path: Path, photo: PhotoTask, monkeypatch: pytest.MonkeyPatch, tilt: float, turn: float
) -> None:
    asked: list[tuple[float, float]] = []

    def noted(_: MaskEngine, ready: Prepared, pitch: float, yaw: float) -> Prepared:
        asked.append((pitch, yaw))
        return ready

    monkeypatch.setattr(MaskEngine, "tilt", noted)
    for _ in range(2):
        mask_photo(job(tmp_path, replace(COMPETITION, tilt=tilt, turn=turn)), photo)
    assert len(asked) == 14
    assert asked[:7] == asked[7:]
    for angles, most in zip(np.transpose(asked), (tilt, turn), strict=True):
        assert len(set(angles)) == (7 if most else 1)
        assert np.abs(angles).max() <= most
        assert not most or angles.min() < 0 < angles.max()
    mask_photo(job(tmp_path, COMPETITION), photo)
    assert len(asked) == 14


def test_the_recipe_tells_what_shapes_a_variant(tmp_path: Path, photo: PhotoTask) -> None:
    settings = Settings(custom_plan(get_plan("wear"), ["correct:2", "chin"], ["kf94"]))
    first, second, chin = mask_photo(job(tmp_path, settings), photo)["variants"]
    assert first["recipe_id"] == second["recipe_id"] != chin["recipe_id"]
    assert len({first["seed"], second["seed"], chin["seed"]}) == 3
    other = mask_photo(job(tmp_path, replace(settings, quality=60)), photo)["variants"]
    assert other[0]["recipe_id"] != first["recipe_id"]


def test_a_refused_photo_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    outcome = mask_photo(job(tmp_path), PhotoTask("folder:empty.jpg", empty, "empty"))
    assert outcome["variants"] == []
    assert outcome["refusals"] == [
        {"photo_id": "folder:empty.jpg", "stage": "mask", "reason": "empty_file", "detail": "nothing in it"}
    ]
    assert not (tmp_path / "out").exists()


def test_what_an_earlier_run_made_of_a_photo_now_refused_is_removed(tmp_path: Path, photo: PhotoTask) -> None:
    mask_photo(job(tmp_path), photo)
    own = tmp_path / "out" / "deep" / "a__mine.jpg"
    own.write_bytes(b"not ours")
    Image.new("RGB", (200, 200)).save(photo.path)
    assert mask_photo(job(tmp_path), photo)["refusals"][0]["reason"] == "no_face"
    assert list(files(tmp_path / "out")) == ["deep/a__mine.jpg"]


def test_sizes_are_the_frames(tmp_path: Path, photo: PhotoTask) -> None:
    settings = Settings(Plan("x", (Slot(("correct",)), Slot(("not_wear",)))), size=Size(96, 128))
    variants = mask_photo(job(tmp_path, settings), photo)["variants"]
    assert {(variant["width"], variant["height"]) for variant in variants} == {(96, 128)}
    with Image.open(tmp_path / "out" / variants[0]["path"]) as image:
        assert image.size == (96, 128)


@pytest.mark.parametrize(("scale", "asked"), [(1.0, [DECODE_SIDE]), (0.25, [DECODE_SIDE, None])])
def test_a_photo_is_decoded_again_in_full_only_where_more_pixels_could_help(
    tmp_path: Path, drawn: tuple[Portrait, ...], scale: float, asked: list[int | None]
) -> None:
    sides: list[int | None] = []

    def reader(path: Path, side: int | None) -> Decoded:
        sides.append(side)
        tiny = cv2.resize(drawn[0].rgb, (24, 32), interpolation=cv2.INTER_AREA)
        return Decoded(np.asarray(tiny, np.uint8), "0" * 64, scale if side else 1.0)

    outcome = mask_photo(
        Job(replace(COMPETITION, size=Size(96, 128)), tmp_path / "out", reader),
        PhotoTask("folder:a.jpg", tmp_path / "a.jpg", "a"),
    )
    assert outcome["refusals"][0]["reason"] in ("no_face", "face_too_small")
    assert sides == asked


@contextmanager
def without_writing(folder: Path) -> Iterator[None]:
    """A folder in which nothing can be made, for root too: a file stands where it should be."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    yield


def test_an_output_that_cannot_be_written_ends_the_run_with_one_clear_error(tmp_path: Path, photo: PhotoTask) -> None:
    with without_writing(tmp_path / "out" / "deep"), pytest.raises(OutputError, match=r"deep.*run"):
        mask_photo(job(tmp_path), photo)


def test_a_variant_that_cannot_be_written_ends_it_too(tmp_path: Path, photo: PhotoTask) -> None:
    (tmp_path / "out" / "deep" / "a__wear1.jpg" / "full").mkdir(parents=True)
    with pytest.raises(OutputError, match="a__wear1"):
        mask_photo(job(tmp_path), photo)
    assert not list((tmp_path / "out").rglob(".*"))


def test_a_fault_of_ours_is_a_refusal_of_that_photo(
    tmp_path: Path, photo: PhotoTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("synth.run.write_jpeg", broken)
    outcome = mask_photo(job(tmp_path), photo)
    assert not outcome["variants"]
    assert [refusal["reason"] for refusal in outcome["refusals"]] == ["engine_failed"]
    assert outcome["refusals"][0]["detail"] == "ZeroDivisionError: division by zero"
    assert outcome["refusals"][0]["photo_id"] == photo.photo_id


def test_a_photo_whose_worker_died_is_a_refusal(photo: PhotoTask) -> None:
    outcome = died(photo)
    assert (outcome["photo_id"], outcome["variants"]) == (photo.photo_id, [])
    assert outcome["refusals"][0]["reason"] == "worker_died"
    assert outcome["stamp"] == file_stamp(photo.path)


def test_stamps_tell_changed_photos(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    assert file_stamp(path) == []
    path.write_bytes(b"one")
    before = file_stamp(path)
    os.utime(path, ns=(1, before[1] + 5_000_000))
    assert file_stamp(path) != before


def test_a_second_run_with_other_masks_takes_the_faces_from_the_cache(
    tmp_path: Path, photo: PhotoTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    found = FaceFinder.find

    def counted(self: FaceFinder, rgb: RgbImage, *how: Any) -> list[Face]:
        calls.append(rgb.shape)
        return found(self, rgb, *how)

    monkeypatch.setattr(FaceFinder, "find", counted)
    cached = replace(job(tmp_path), cache=tmp_path / "cache")
    first = mask_photo(cached, photo)
    assert len(calls) == 1
    other = replace(COMPETITION, seed=8, plan=get_plan("wear"), size=Size(96, 128))
    for settings in (COMPETITION, replace(COMPETITION, seed=8), other):
        run._cache.cache_clear()
        again = mask_photo(replace(cached, settings=settings, out=tmp_path / "again"), photo)
        assert again["variants"]
    assert len(calls) == 1
    assert mask_photo(replace(job(tmp_path), out=tmp_path / "without"), photo) == first
    assert len(calls) == 2
    mask_photo(replace(cached, settings=replace(COMPETITION, find_budget=40.0), out=tmp_path / "budget"), photo)
    assert len(calls) == 3


def test_with_a_cache_the_bytes_are_the_same(tmp_path: Path, photo: PhotoTask) -> None:
    mask_photo(job(tmp_path / "plain"), photo)
    for name in ("one", "two"):
        run._cache.cache_clear()
        mask_photo(replace(job(tmp_path / name), cache=tmp_path / "cache"), photo)
        assert files(tmp_path / name) == files(tmp_path / "plain")
