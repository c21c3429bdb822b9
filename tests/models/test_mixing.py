from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.heads import to_codes
from models.mixing import LOWER_FACE, Mixed, Mixer, shares_of
from models.settings import TrainSettings
from models.targets import Targets

ROWS, SIDE = 6, 40


def mixer(mix: str = "both", **changes: Any) -> Mixer:
    return Mixer(TrainSettings(**{"mix": mix, "mix_alpha": 1.0, "mix_chance": 1.0, **changes}))


def numbered(rows: int = ROWS) -> tuple[torch.Tensor, Targets]:
    """Images that are their own row's number all over, and labels of that number."""
    images = torch.arange(float(rows))[:, None, None, None].expand(rows, 3, SIDE, SIDE).contiguous()
    codes = torch.from_numpy(to_codes(np.arange(rows)))
    return images, Targets(codes, torch.arange(float(rows)), torch.ones(rows, 3))


def partners_of(mixed: Mixed) -> torch.Tensor:
    assert mixed.partner_targets is not None
    return mixed.partner_targets.years


def many(mix: str, count: int = 40, **changes: Any) -> list[Mixed]:
    return [mixer(mix, **changes).mix(*numbered(), epoch=2, step=step) for step in range(count)]


def test_blending_leaves_the_share_that_the_loss_counts() -> None:
    for mixed in many("mixup"):
        share = mixed.shares[0]
        assert (mixed.shares == share).all()
        expected = share * torch.arange(float(ROWS)) + (1 - share) * partners_of(mixed)
        torch.testing.assert_close(mixed.images, expected[:, None, None, None].expand_as(mixed.images))


def test_pasting_leaves_the_share_of_the_picture_for_gender_and_age() -> None:
    for mixed in many("cutmix"):
        own = torch.arange(float(ROWS))[:, None, None, None]
        theirs = partners_of(mixed)[:, None, None, None]
        assert ((mixed.images == own) | (mixed.images == theirs)).all()
        moved = (partners_of(mixed) != torch.arange(float(ROWS))).nonzero()[:, 0]
        left = (mixed.images == own).float().mean(dim=(1, 2, 3))[moved]
        torch.testing.assert_close(left, mixed.shares[1].expand(len(moved)))
        assert mixed.shares[1] == mixed.shares[2]


def test_a_patch_counts_for_the_mask_by_how_much_of_the_lower_face_it_covers() -> None:
    left, top, right, bottom = (round(100 * each) for each in LOWER_FACE)
    assert shares_of((0, 0, 100, top), 100, 100) == pytest.approx([1.0, 1 - top / 100, 1 - top / 100])
    whole = (right - left) * (bottom - top) / 100**2
    assert shares_of((left, top, right, bottom), 100, 100) == pytest.approx([0.0, 1 - whole, 1 - whole])
    half = (left, top, (left + right) // 2, bottom)
    assert shares_of(half, 100, 100) == pytest.approx([0.5, 1 - whole / 2, 1 - whole / 2])
    assert shares_of((0, 0, 200, 100), 100, 200) == [0.0, 0.0, 0.0]
    assert shares_of((7, 7, 7, 50), 100, 100) == [1.0, 1.0, 1.0]


@given(st.tuples(*[st.integers(0, 64)] * 4))
def test_shares_are_shares(corners: tuple[int, int, int, int]) -> None:
    (left, right), (top, bottom) = sorted(corners[:2]), sorted(corners[2:])
    shares = shares_of((left, top, right, bottom), 64, 64)
    assert all(0 <= each <= 1 for each in shares)


def test_each_is_mixed_with_another_of_the_batch_whose_labels_come_along() -> None:
    mixed = many("mixup", 1)[0]
    assert mixed.partner_targets is not None
    assert sorted(partners_of(mixed).tolist()) == list(range(ROWS))
    labels = torch.from_numpy(to_codes(np.arange(ROWS)))[partners_of(mixed).long()]
    torch.testing.assert_close(mixed.partner_targets.codes, labels)
    torch.testing.assert_close(mixed.targets.years, torch.arange(float(ROWS)))


def test_seed_epoch_and_step_fix_what_is_drawn_and_nothing_before_them_does() -> None:
    one, other = mixer(seed=4), mixer(seed=4)
    for step in range(5):
        other.mix(*numbered(), epoch=0, step=step)
    first, again = (each.mix(*numbered(), epoch=1, step=3) for each in (one, other))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.shares, again.shares)
    for changed in (
        one.mix(*numbered(), 1, 4),
        one.mix(*numbered(), 2, 3),
        mixer(seed=5).mix(*numbered(), 1, 3),
    ):
        assert not torch.equal(first.images, changed.images)


def test_what_came_is_not_changed() -> None:
    for mix in ("mixup", "cutmix"):
        images, targets = numbered()
        mixer(mix).mix(images, targets, 0, 0)
        assert torch.equal(images, numbered()[0])


def test_both_come_by_turns() -> None:
    kinds = Counter(bool((mixed.images == mixed.images.round()).all()) for mixed in many("both", 60))
    assert min(kinds[True], kinds[False]) > 15


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_the_chance_says_how_many_batches_are_mixed(chance: float) -> None:
    share = np.mean([mixed.partner_targets is not None for mixed in many("mixup", 200, mix_chance=chance)])
    assert abs(share - chance) <= (0.1 if 0 < chance < 1 else 0)


def test_a_batch_that_is_not_mixed_is_the_one_that_came() -> None:
    images, targets = numbered()
    one, of_one = numbered(1)
    for mixed in (mixer("none").mix(images, targets, 0, 0), mixer("both").mix(one, of_one, 0, 0)):
        assert mixed.images is images or mixed.images is one
        assert mixed.partner_targets is None
        assert mixed.shares.tolist() == [1.0, 1.0, 1.0]


def test_a_small_alpha_leaves_nearly_all_or_nearly_nothing() -> None:
    near = [min(float(mixed.shares[0]), 1 - float(mixed.shares[0])) for mixed in many("mixup", 60, mix_alpha=0.05)]
    wide = [min(float(mixed.shares[0]), 1 - float(mixed.shares[0])) for mixed in many("mixup", 60, mix_alpha=10.0)]
    assert np.mean(near) < 0.1 < 0.3 < np.mean(wide)


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_half_precision_stays(mix: str) -> None:
    images, targets = numbered()
    assert mixer(mix).mix(images.half(), targets, 0, 0).images.dtype == torch.float16
