from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from models.heads import MISSING, Layout, to_codes
from models.losses import LabelLoss
from models.sampling import class_weights
from models.targets import Targets
from models.years import scaled

SINGLE, TRIPLE = Layout(), Layout("triple")


def targets(codes: torch.Tensor, weights: torch.Tensor | None = None, years: torch.Tensor | None = None) -> Targets:
    rows = len(codes)
    weights = torch.ones(rows) if weights is None else weights
    return Targets(codes, torch.full((rows,), torch.nan) if years is None else years, weights[:, None].expand(rows, 3))


def batch(outputs: int, rows: int = 12) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, outputs, generator=generator, requires_grad=True)
    labels = torch.randint(0, 18, (rows,), generator=generator).numpy()
    return logits, torch.from_numpy(to_codes(labels)), torch.ones(rows)


def test_single_is_cross_entropy_of_the_label() -> None:
    logits, codes, weights = batch(18)
    label = codes[:, 0] * 6 + codes[:, 1] * 3 + codes[:, 2]
    torch.testing.assert_close(LabelLoss(SINGLE)(logits, targets(codes, weights)), cross_entropy(logits, label))


def test_triple_adds_the_three() -> None:
    logits, codes, weights = batch(8)
    parts = [cross_entropy(logits[:, a:b], codes[:, i]) for i, (a, b) in enumerate([(0, 3), (3, 5), (5, 8)])]
    torch.testing.assert_close(LabelLoss(TRIPLE)(logits, targets(codes, weights)), sum(parts))


@pytest.mark.parametrize(("head", "outputs"), [("single", 18), ("triple", 8)])
def test_a_row_without_labels_changes_nothing(head: str, outputs: int) -> None:
    logits, codes, _ = batch(outputs)
    loss = LabelLoss(Layout(head))  # type: ignore[arg-type]
    masked = codes.clone()
    masked[5:] = MISSING
    torch.testing.assert_close(loss(logits, targets(masked)), loss(logits[:5], targets(codes[:5])))


def test_a_partly_labelled_row_teaches_a_triple_head_what_it_knows() -> None:
    logits, codes, weights = batch(8)
    codes[:, 1:] = MISSING
    LabelLoss(TRIPLE)(logits, targets(codes, weights)).backward()
    assert logits.grad is not None
    assert logits.grad[:, :3].abs().sum() > 0
    assert logits.grad[:, 3:].abs().sum() == 0


def test_a_batch_without_any_label_gives_zero_and_no_nan() -> None:
    logits, codes, _ = batch(18)
    loss = LabelLoss(SINGLE, smoothing=0.1)(logits, targets(torch.full_like(codes, MISSING)))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_row_weights_weigh() -> None:
    logits, codes, weights = batch(18)
    weights[6:] = 0
    loss = LabelLoss(SINGLE)
    torch.testing.assert_close(loss(logits, targets(codes, weights)), loss(logits[:6], targets(codes[:6])))


def test_class_weights_weigh() -> None:
    codes = to_codes(np.repeat([0, 17], [9, 1]))
    logits = torch.zeros(10, 18)
    loss = LabelLoss(SINGLE, weights=class_weights(codes, 1.0))
    rare, common = (loss(logits[:1], targets(torch.from_numpy(codes[at : at + 1]))) for at in (9, 0))
    torch.testing.assert_close(rare / common, torch.tensor(9.0))


def test_years_teach_only_where_they_are_known() -> None:
    layout = Layout("triple", ("age_group",), "regression")
    answers = scaled(torch.tensor([[20.0], [50.0], [33.0]])).requires_grad_()
    years = torch.tensor([20.0, 60.0, torch.nan])
    loss = LabelLoss(layout)(answers, targets(torch.zeros(3, 3, dtype=torch.long), years=years))
    loss.backward()
    assert loss.item() > 0
    assert answers.grad is not None
    assert (answers.grad[:, 0] != 0).tolist() == [False, True, False]


def test_borders_are_asked_one_by_one() -> None:
    layout = Layout("triple", ("age_group",), "ordinal")
    codes = torch.tensor([[MISSING, MISSING, group] for group in (0, 1, 2, MISSING)])
    right = torch.tensor([[-9.0, -9], [9, -9], [9, 9], [9, -9]], requires_grad=True)
    loss = LabelLoss(layout)
    assert loss(right, targets(codes)).item() < 1e-3
    assert loss(-right, targets(codes)).item() > 10
