from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from models.heads import MISSING, to_codes
from models.losses import LabelLoss
from models.sampling import class_weights


def batch(outputs: int, rows: int = 12) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, outputs, generator=generator, requires_grad=True)
    labels = torch.randint(0, 18, (rows,), generator=generator).numpy()
    return logits, torch.from_numpy(to_codes(labels)), torch.ones(rows)


def test_single_is_cross_entropy_of_the_label() -> None:
    logits, codes, weights = batch(18)
    label = codes[:, 0] * 6 + codes[:, 1] * 3 + codes[:, 2]
    torch.testing.assert_close(LabelLoss("single")(logits, codes, weights), cross_entropy(logits, label))


def test_triple_adds_the_three() -> None:
    logits, codes, weights = batch(8)
    parts = [cross_entropy(logits[:, a:b], codes[:, i]) for i, (a, b) in enumerate([(0, 3), (3, 5), (5, 8)])]
    torch.testing.assert_close(LabelLoss("triple")(logits, codes, weights), sum(parts))


@pytest.mark.parametrize(("head", "outputs"), [("single", 18), ("triple", 8)])
def test_a_row_without_labels_changes_nothing(head: str, outputs: int) -> None:
    logits, codes, weights = batch(outputs)
    loss = LabelLoss(head)  # type: ignore[arg-type]
    masked = codes.clone()
    masked[5:] = MISSING
    torch.testing.assert_close(loss(logits, masked, weights), loss(logits[:5], codes[:5], weights[:5]))


def test_a_partly_labelled_row_teaches_a_triple_head_what_it_knows() -> None:
    logits, codes, weights = batch(8)
    codes[:, 1:] = MISSING
    LabelLoss("triple")(logits, codes, weights).backward()
    assert logits.grad is not None
    assert logits.grad[:, :3].abs().sum() > 0
    assert logits.grad[:, 3:].abs().sum() == 0


def test_a_batch_without_any_label_gives_zero_and_no_nan() -> None:
    logits, codes, weights = batch(18)
    loss = LabelLoss("single", smoothing=0.1)(logits, torch.full_like(codes, MISSING), weights)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_row_weights_weigh() -> None:
    logits, codes, weights = batch(18)
    weights[6:] = 0
    loss = LabelLoss("single")
    torch.testing.assert_close(loss(logits, codes, weights), loss(logits[:6], codes[:6], weights[:6]))


def test_class_weights_weigh() -> None:
    codes = to_codes(np.repeat([0, 17], [9, 1]))
    logits = torch.zeros(10, 18)
    loss = LabelLoss("single", weights=class_weights(codes, 1.0))
    rare, common = (loss(logits[:1], torch.from_numpy(codes[at : at + 1]), torch.ones(1)) for at in (9, 0))
    torch.testing.assert_close(rare / common, torch.tensor(9.0))
