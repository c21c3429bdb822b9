from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.train import (
    HELD_OUT,
    Ground,
    lay_out,
    our_loader,
    photos_a_second,
    photos_to_train_on,
    plain_loader,
    rounds,
    second_epoch,
    table_of,
)
from datasets.manifest import read_manifest
from models.settings import TrainSettings
from tests.datasets.builders import save_photo


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """Twenty photos and one that is broken."""
    paths = [save_photo(tmp_path / "raw" / f"{each}.jpg", each) for each in range(20)]
    (tmp_path / "raw" / "broken.jpg").write_bytes(b"no photo")
    manifest, classes = lay_out([*paths, tmp_path / "raw" / "broken.jpg"], tmp_path / "data")
    settings = TrainSettings(model="test_resnet", image_size=32, batch_size=6, epochs=2, device="cpu")
    return Ground(manifest, classes, tmp_path, settings, torch.device("cpu"), 0)


def test_all_ways_read_the_same_photos(ground: Ground) -> None:
    frame = read_manifest(ground.manifest)
    assert len(frame) == 20
    assert (frame["fold"] == 0).sum() == HELD_OUT
    linked = {path.resolve() for path in ground.classes.rglob("*.jpg")}
    trained = {(ground.manifest.parent / path).resolve() for path in frame.loc[frame["fold"] == 1, "path"]}
    assert linked == trained
    assert photos_to_train_on(ground.classes) == 20 - HELD_OUT
    for loader in (our_loader(ground, ground.settings), our_loader(ground, ground.cached)):
        shapes = [tuple(batch.images.shape) for batch in loader]
        assert shapes == [tuple(images.shape) for images, _ in plain_loader(ground)] == [(6, 3, 32, 32)] * 3


def test_the_first_batch_of_a_pass_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 14.0])
    monkeypatch.setattr("benchmarks.train.time.perf_counter", lambda: next(clock))
    assert photos_a_second(iter("abc"), 8) == 2 * 8 / 4


def test_an_epoch_is_timed_between_its_batches() -> None:
    first = [(6, 1.0), (12, 2.0), (14, 2.1), (14, 2.2)]
    second = [(20, 50.0), (26, 52.0), (28, 60.0), (28, 61.0)]
    assert second_epoch([*first, *second], 6) == 6 / 2.0


def test_ratios_are_taken_within_a_round() -> None:
    rates = rounds({"ours": iter([10.0, 40.0]).__next__, "theirs": iter([5.0, 40.0]).__next__}, 2)
    assert rates == {"ours": [10.0, 40.0], "theirs": [5.0, 40.0]}
    table = table_of("a title", rates, "theirs", photos=100)
    assert table.row_count == 2
    assert next(iter(table.columns[-1].cells)) == "1.00 to 2.00"
    assert next(iter(table.columns[3].cells)) == "4.0"
