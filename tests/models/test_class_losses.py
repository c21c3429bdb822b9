from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch.nn.functional import cross_entropy, one_hot

from models.class_losses import CrossEntropy, Focal, Ldam, LogitAdjusted, SoftF1
from models.heads import MISSING


def batch(rows: int = 20, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, classes, generator=generator)
    return logits, torch.randint(0, classes, (rows,), generator=generator), torch.ones(rows)


def of_one(loss: CrossEntropy, logits: list[float], target: int) -> float:
    return float(loss(torch.tensor([logits]), torch.tensor([target]), torch.ones(1)))


def test_focal_of_the_paper() -> None:
    # At a chance of a half, gamma 2 leaves a quarter of the cross-entropy.
    assert of_one(Focal(2.0), [1.0, 1.0], 0) == pytest.approx(0.25 * math.log(2))
    easy, hard = [math.log(9), 0.0], [0.0, math.log(9)]
    assert of_one(Focal(2.0), easy, 0) == pytest.approx(-0.01 * math.log(0.9), rel=1e-4)
    assert of_one(Focal(2.0), hard, 0) == pytest.approx(-0.81 * math.log(0.1), rel=1e-4)


def test_focal_without_gamma_is_cross_entropy() -> None:
    weight = np.array([0.5, 1.0, 1.5], dtype=np.float32)
    torch.testing.assert_close(Focal(0.0, 0.1, weight)(*batch()), CrossEntropy(0.1, weight)(*batch()))


def test_focal_with_a_small_gamma_has_a_slope_where_it_is_sure() -> None:
    logits = torch.tensor([[40.0, -40.0]], requires_grad=True)
    Focal(0.1)(logits, torch.tensor([0]), torch.ones(1)).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_margins_fall_with_the_fourth_root_of_the_count() -> None:
    loss = Ldam(np.array([160_000.0, 160.0, 10.0, 0.0]), margin=4.0)
    np.testing.assert_allclose(loss.margins.numpy(), [4 * (10 / 160_000) ** 0.25, 2.0, 4.0, 4.0], rtol=1e-6)


def test_a_margin_lowers_the_true_class_alone() -> None:
    loss = Ldam(np.array([160.0, 10.0]), margin=4.0)
    assert of_one(loss, [1.0, 0.0], 0) == pytest.approx(math.log1p(math.exp(0 - (1.0 - 2.0))))
    assert of_one(loss, [0.0, 1.0], 1) == pytest.approx(math.log1p(math.exp(0 - (1.0 - 4.0))))
    logits, target, weights = batch(classes=2)
    torch.testing.assert_close(Ldam(np.array([9.0, 1.0]), 0.0)(logits, target, weights), cross_entropy(logits, target))


def test_weights_are_deferred_until_their_share_of_the_epochs() -> None:
    late = np.array([0.5, 1.5], dtype=np.float32)
    loss = Ldam(np.array([30.0, 10.0]), margin=0.0, late_weight=late, late_from=0.8)
    rows = [1.0, 1.0], 1
    told = []
    for share in (0.0, 0.79, 0.8, 0.95, 0.1):
        loss.set_epoch(share)
        told.append(of_one(loss, *rows) / math.log(2))
    assert told == pytest.approx([1.0, 1.0, 1.5, 1.5, 1.0])


def test_adjusting_adds_the_log_of_the_prior_within_the_loss() -> None:
    loss = LogitAdjusted(np.array([30.0, 10.0]), tau=1.0)
    assert of_one(loss, [0.0, 0.0], 1) == pytest.approx(-math.log(0.25))
    assert of_one(LogitAdjusted(np.array([30.0, 10.0]), tau=0.0), [0.0, 0.0], 1) == pytest.approx(math.log(2))
    counted = LogitAdjusted(np.array([30.0, 10.0, 0.0]), tau=1.0).offsets.exp()
    np.testing.assert_allclose(counted, [0.6, 0.2, 0.2], rtol=1e-6)


def test_an_adjusted_network_that_knows_nothing_says_that_all_classes_are_equally_likely() -> None:
    target = torch.tensor([0] * 3 + [1])
    slopes = []
    for loss in (LogitAdjusted(np.array([3.0, 1.0]), 1.0), CrossEntropy()):
        logits = torch.zeros(1, 2, requires_grad=True)
        loss(logits.expand(4, 2), target, torch.ones(4)).backward()
        assert logits.grad is not None
        slopes.append(float(logits.grad.abs().max()))
    assert slopes[0] < 1e-6 < slopes[1]


def test_soft_f1_of_sure_answers_is_that_of_scikit_learn() -> None:
    logits, target, weights = batch(60, 5)
    target[target == 4] = 0  # a class that the batch lacks, and some answers name
    said = logits.argmax(dim=1)
    assert (said == 4).any()
    expected = 1 - f1_score(target, said, average="macro", labels=[0, 1, 2, 3])
    sure = 200.0 * one_hot(said, 5).float()
    assert float(SoftF1(1.0)(sure, target, weights)) == pytest.approx(expected, abs=1e-6)
    right = 200.0 * one_hot(target, 5).float()
    assert float(SoftF1(1.0)(right, target, weights)) == pytest.approx(0.0, abs=1e-6)
    assert float(SoftF1(1.0)(-right, target, weights)) == pytest.approx(1.0, abs=1e-6)


def test_soft_f1_is_blended_with_cross_entropy() -> None:
    both, f1, entropy = (SoftF1(share)(*batch()) for share in (0.25, 1.0, 0.0))
    torch.testing.assert_close(both, 0.25 * f1 + 0.75 * entropy)
    torch.testing.assert_close(entropy, CrossEntropy()(*batch()))


def test_soft_f1_counts_rows_by_their_weights() -> None:
    logits, target, _ = batch()
    twice = torch.arange(20).repeat_interleave(2)
    once = SoftF1(1.0)(logits, target, torch.full((20,), 2.0))
    torch.testing.assert_close(once, SoftF1(1.0)(logits[twice], target[twice], torch.ones(40)))
    gone = target.clone()
    gone[5:] = MISSING
    expected = SoftF1(1.0)(logits[:5], target[:5], torch.ones(5))
    torch.testing.assert_close(SoftF1(1.0)(logits, gone, torch.ones(20)), expected)
