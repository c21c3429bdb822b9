"""Training with packed photos, about faces, and at sides that grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.manifest import read_manifest
from models.boxes import COLUMNS, FACES
from models.data import PhotoDataset
from models.errors import TrainingDataError
from models.pack_index import PHOTOS
from models.packed import pack_folder, plan_packing
from models.resume import fingerprint
from models.splits import packed_splits, split_manifest
from models.squares import stored_side
from models.train import train
from tests.models.builders import colour_rows, save_rows
from tests.models.conftest import Trained, tiny


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return save_rows(tmp_path / "data", colour_rows(tmp_path / "data", people_per_cell=4))


def boxes_beside(manifest: Path, share: float) -> None:
    frame = read_manifest(manifest)
    rows = [
        f"{name},{sha256},{share},{share},0.25,0.2,found,,"
        for name, sha256 in zip(frame["photo_id"], frame["sha256"], strict=True)
    ]
    (manifest.parent / FACES).write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")


def test_a_model_is_the_same_from_packed_photos(single: Trained, tmp_path: Path) -> None:
    settings = tiny(cache=tmp_path / "cache")
    again = train(single.manifest, tmp_path / "out", settings)
    assert again.checkpoint.read_bytes() == single.result.checkpoint.read_bytes()
    assert fingerprint(single.manifest, settings) == fingerprint(single.manifest, single.settings)
    wanted = split_manifest(single.manifest, settings).train.wanted()
    side = stored_side(settings.image_size)
    assert plan_packing(tmp_path / "cache", wanted, side).new == 0
    assert (pack_folder(tmp_path / "cache", side) / PHOTOS).stat().st_size > 32 * 32 * 3 * len(wanted)


def test_no_photo_is_opened_once_all_are_packed(manifest: Path, tmp_path: Path) -> None:
    settings = tiny(cache=tmp_path / "cache", epochs=2)
    splits = packed_splits(split_manifest(manifest, settings), settings)
    for path in (*splits.train.paths, *splits.real.paths):
        path.unlink()
    result = train(manifest, tmp_path / "out", settings)
    assert result.metrics["refusals"] == []
    assert result.metrics["scores"]["real"]["rows"] == len(splits.real)


def test_a_run_whose_sides_grow_ends_the_same_when_it_was_killed(manifest: Path, tmp_path: Path) -> None:
    settings = tiny(epochs=4, sizes="16:0.5,24")
    whole = train(manifest, tmp_path / "whole", settings)
    rows = whole.metrics["data"]["rows"]["train"]
    seen: set[int] = set()

    def kill(done: int, total: int) -> None:
        if done > 1.5 * rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(manifest, tmp_path / "killed", settings, kill)
    again = train(manifest, tmp_path / "killed", settings, lambda done, _: seen.add(done))
    assert min(seen) > rows
    assert again.checkpoint.read_bytes() == whole.checkpoint.read_bytes()


def test_each_epoch_sees_squares_of_its_side(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sides: list[int] = []
    get = PhotoDataset.__getitem__

    def watched(self: PhotoDataset, draw: object) -> object:
        item = get(self, draw)  # type: ignore[arg-type]
        assert item.image is not None
        if self.transform.random:
            sides.append(item.image.shape[-1])
        return item

    monkeypatch.setattr(PhotoDataset, "__getitem__", watched)
    result = train(manifest, tmp_path / "out", tiny(epochs=3, sizes="16:0.4,24", workers=0))
    batches = result.metrics["data"]["rows"]["train"] // 16 * 16
    assert sides == [16] * batches + [24] * 2 * batches


def test_where_faces_lie_shapes_a_run(manifest: Path, tmp_path: Path) -> None:
    settings = tiny(crop="face", epochs=1)
    with pytest.raises(TrainingDataError, match=FACES):
        split_manifest(manifest, settings)
    boxes_beside(manifest, 0.4)
    first = fingerprint(manifest, settings)
    splits = split_manifest(manifest, settings)
    assert splits.train.box(0) == pytest.approx((0.4, 0.4, 0.25, 0.2))
    assert train(manifest, tmp_path / "out", settings).metrics["refusals"] == []
    boxes_beside(manifest, 0.3)
    assert fingerprint(manifest, settings) != first
    assert split_manifest(manifest, tiny()).train.boxes is None


def test_squares_about_faces_and_from_the_middle_share_a_cache(manifest: Path, tmp_path: Path) -> None:
    boxes_beside(manifest, 0.4)
    for crop, side in (("middle", 32), ("face", 16)):
        settings = tiny(crop=crop, cache=tmp_path / "cache")
        splits = packed_splits(split_manifest(manifest, settings), settings)
        assert splits.train.packed is not None
        assert set(splits.train.packed.sides.tolist()) == {side}
