"""What is shown before training is what training will see."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.data import Examples, PhotoDataset, make_loader
from models.heads import WORDS, to_codes
from models.mixing import Mixer
from models.preview import first_batch
from models.sampling import make_sampler
from models.transforms import PhotoTransform
from tests.models.builders import colour_coded
from tests.models.conftest import tiny


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Twelve photos of one source, two of them variants, and two of another, one with a `#` in its name."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    names = [f"a:{each}" for each in range(10)] + ["a:0#chin", "a:1#chin", "b:img#1", "b:img2"]
    labels = np.arange(len(names))
    paths = [folder / f"{label}.png" for label in labels]
    for label, path in zip(labels, paths, strict=True):
        Image.fromarray(colour_coded(int(label), rng)).save(path)
    return dataclasses.replace(
        Examples.unlabelled(paths, names),
        codes=to_codes(labels),
        sources=tuple(name.partition(":")[0] for name in names),
        synthetic=np.array([name.endswith("chin") for name in names]),
    )


@pytest.mark.parametrize(
    "asked", [{}, {"balance_sources": 1.0}, {"synthetic_share": 0.75}, {"epoch_rows": 5}, {"balance": 1.0, "seed": 3}]
)
def test_the_rows_are_those_that_training_draws_first(examples: Examples, asked: dict[str, Any]) -> None:
    settings = tiny(**asked)
    drawn = [examples.photo_ids[draw.row] for draw in make_sampler(examples, settings)][: settings.batch_size]
    assert list(first_batch(examples, settings, 100).photo_ids) == drawn
    assert list(first_batch(examples, settings, 4).photo_ids) == drawn[:4]


def test_it_says_of_each_photo_where_it_comes_from(examples: Examples) -> None:
    preview = first_batch(examples, tiny(batch_size=40, epoch_rows=40, balance_sources=1.0), 40)
    told = dict(zip(preview.photo_ids, zip(preview.sources, preview.synthetic.tolist(), strict=True), strict=True))
    assert {told["b:img#1"], told["b:img2"]} == {("b", False)}
    assert told["a:0#chin"] == ("a", True)


@pytest.mark.parametrize("mix", ["none", "mixup", "cutmix"])
def test_pictures_and_labels_are_those_of_training_s_first_batch(examples: Examples, mix: str) -> None:
    settings = tiny(mix=mix, mix_chance=1.0, augment="light")
    dataset = PhotoDataset(examples, PhotoTransform(32, (0.0,) * 3, (1.0,) * 3, "light"), 32, "train")
    batch = next(iter(make_loader(dataset, make_sampler(examples, settings), settings.batch_size, 0)))
    mixed = Mixer(settings).mix(batch.images, batch.targets, 0, 0)
    preview = first_batch(examples, settings, 6)
    pixels = np.rint(mixed.images[:6].numpy().transpose(0, 2, 3, 1) * 255)
    np.testing.assert_array_equal(preview.images, np.clip(pixels, 0, 255).astype(np.uint8))
    np.testing.assert_allclose(list(preview.shares.values()), mixed.shares.numpy())
    if mixed.partner_targets is None:
        assert mix == "none"
        assert preview.partners == ()
    else:
        codes = mixed.partner_targets.codes[:6].tolist()
        words = [tuple(words[code] for words, code in zip(WORDS, each, strict=True)) for each in codes]
        assert list(preview.partners) == words
