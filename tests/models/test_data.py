from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.data import Examples, PhotoDataset, make_loader, unique_refusals
from models.heads import to_codes
from models.sampling import BalancedSampler, Draw, InOrder
from models.transforms import PhotoTransform
from tests.models.builders import colour_coded


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    """Six photos, of which the second is text, the fourth is missing and the fifth is a folder."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{each}.png" for each in range(6)]
    for label in (0, 2, 5):
        Image.fromarray(colour_coded(label, rng)).save(paths[label])
    paths[1].write_text("not a photo")
    paths[4].mkdir()
    weights = np.linspace(0.5, 1, 6, dtype=np.float32)
    plain = Examples.unlabelled(paths, [f"s:{each}" for each in range(6)])
    return replace(plain, codes=to_codes(np.arange(6)), weights=np.repeat(weights[:, None], 3, axis=1))


def dataset_of(examples: Examples, augment: str = "none") -> PhotoDataset:
    transform = PhotoTransform(24, (0.5,) * 3, (0.5,) * 3, augment)  # type: ignore[arg-type]
    return PhotoDataset(examples, transform, 24, "train")


def test_unreadable_photos_leave_the_batch_and_are_named(examples: Examples) -> None:
    (batch,) = make_loader(dataset_of(examples), InOrder(6), 6, workers=0)
    assert batch.index.tolist() == [0, 2, 5]
    assert batch.images.shape == (3, 3, 24, 24)
    torch.testing.assert_close(batch.targets.codes, torch.from_numpy(examples.codes[[0, 2, 5]]))
    torch.testing.assert_close(batch.targets.weights, torch.from_numpy(examples.weights[[0, 2, 5]]))
    assert [(each.photo_id, each.reason) for each in batch.refusals] == [
        ("s:1", "not_an_image"),
        ("s:3", "unreadable"),
        ("s:4", "unreadable"),
    ]
    assert batch.drawn == 6


def test_a_batch_of_nothing_but_unreadable_photos_is_empty(examples: Examples) -> None:
    batches = list(make_loader(dataset_of(examples), InOrder(6), 1, workers=0))
    assert len(batches[1].index) == len(batches[1].images) == 0
    assert batches[1].refusals[0].photo_id == "s:1"


def test_batches_do_not_depend_on_the_number_of_workers(examples: Examples) -> None:
    read = []
    for workers in (0, 2):
        sampler = BalancedSampler(examples.codes, 0.0, seed=1)
        read.append(list(make_loader(dataset_of(examples, "strong"), sampler, 2, workers)))
    for here, there in zip(*read, strict=True):
        np.testing.assert_array_equal(here.index, there.index)
        if len(here.index):
            torch.testing.assert_close(here.images, there.images, rtol=0, atol=0)


def test_large_photos_are_decoded_no_larger_than_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models import squares

    path = tmp_path / "large.jpg"
    Image.fromarray(np.zeros((1600, 1200, 3), np.uint8)).save(path)
    sizes = []

    def watched(*args: object, **options: object) -> object:
        photo = read(*args, **options)
        sizes.append(photo.rgb.shape)
        return photo

    read = squares.read_photo
    monkeypatch.setattr(squares, "read_photo", watched)
    one = Examples.unlabelled([path], ["s:large"])
    assert dataset_of(one)[Draw(0, 0)].image is not None
    assert max(sizes[0]) <= 200


def test_each_photo_is_reported_once(examples: Examples) -> None:
    dataset = dataset_of(examples)
    refusals = [dataset[Draw(row, 0)].refusal for row in (4, 1, 1, 3)]
    assert [each.photo_id for each in unique_refusals(each for each in refusals if each)] == ["s:1", "s:3", "s:4"]
