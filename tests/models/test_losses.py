from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch.nn.functional import cross_entropy

from models.class_losses import CrossEntropy, Focal, Ldam, LogitAdjusted, SoftF1
from models.heads import HEADS, MISSING, SIZES, Layout, to_codes
from models.losses import LabelLoss, make_loss, plain_loss
from models.mixing import Mixed
from models.settings import Loss, TrainSettings
from models.targets import Targets
from models.years import scaled

SINGLE, TRIPLE = Layout(), Layout("triple")
LOSSES = get_args(Loss)
LAYOUTS = [
    SINGLE,
    *(Layout("triple", HEADS, age_as) for age_as in ("classes", "regression", "both", "ordinal")),
    Layout("triple", ("mask", "gender")),
]


def targets(codes: torch.Tensor, weights: torch.Tensor | None = None, years: torch.Tensor | None = None) -> Targets:
    rows = len(codes)
    weights = torch.ones(rows) if weights is None else weights
    return Targets(codes, torch.full((rows,), torch.nan) if years is None else years, weights[:, None].expand(rows, 3))


def made(name: str, layout: Layout, codes: np.ndarray | None = None, **changes: Any) -> LabelLoss:
    """A loss made for uneven rows, of every class one at least."""
    rows = np.concatenate([np.arange(18), np.zeros(40, dtype=np.int64), np.full(9, 7)])
    return make_loss(layout, TrainSettings(**{"loss": name, **changes}), to_codes(rows) if codes is None else codes)


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
    loss = made("cross_entropy", SINGLE, label_smoothing=0.1)(logits, targets(torch.full_like(codes, MISSING)))
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
    loss = made("cross_entropy", SINGLE, codes, class_weight_power=1.0, label_smoothing=0.0)
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


KINDS = [
    ("cross_entropy", CrossEntropy),
    ("focal", Focal),
    ("class_balanced", CrossEntropy),
    ("ldam", Ldam),
    ("logit_adjusted", LogitAdjusted),
    ("f1", SoftF1),
]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_the_settings_choose_the_loss_of_each_answer(name: str, kind: type) -> None:
    both = Layout("triple", HEADS, "both")
    for layout, answers in ((SINGLE, ["label"]), (both, list(HEADS)), (LAYOUTS[2], ["mask", "gender"])):
        classes = made(name, layout).classes
        assert list(classes) == answers
        assert {type(each) for each in classes.values()} == {kind}
    assert {type(each) for each in plain_loss(TRIPLE).classes.values()} == {CrossEntropy}


def test_what_shapes_a_loss_reaches_it() -> None:
    codes = to_codes(np.repeat([0, 17], [160, 10]))
    focal = made("focal", TRIPLE, codes, focal_gamma=0.5, label_smoothing=0.2).classes["gender"]
    assert isinstance(focal, Focal)
    assert (focal.gamma, focal.smoothing) == (0.5, 0.2)
    balanced = made("class_balanced", TRIPLE, codes, effective_beta=0.9).classes["gender"]
    assert isinstance(balanced, CrossEntropy)
    assert balanced.weight is not None
    np.testing.assert_allclose(balanced.weight[1] / balanced.weight[0], (1 - 0.9**160) / (1 - 0.9**10), rtol=1e-5)
    ldam = made("ldam", TRIPLE, codes, ldam_margin=4.0, drw_from=0.5, effective_beta=0.9)
    head = ldam.classes["gender"]
    assert isinstance(head, Ldam)
    np.testing.assert_allclose(head.margins, [2.0, 4.0])
    assert head.late_weight is not None
    torch.testing.assert_close(head.late_weight, balanced.weight)
    ldam.set_epoch(0.5)
    assert head.late
    never = made("ldam", TRIPLE, codes).classes["gender"]
    assert isinstance(never, Ldam)
    never.set_epoch(1.0)
    assert not never.late
    f1 = made("f1", TRIPLE, f1_share=0.9).classes["mask"]
    assert isinstance(f1, SoftF1)
    assert f1.share == 0.9


def test_the_prior_is_that_of_the_draws() -> None:
    codes = to_codes(np.repeat([0, 17], [9, 1]))
    settings = TrainSettings(loss="logit_adjusted", head="triple")
    offsets = []
    for amounts in (None, np.repeat([[1 / 9], [1.0]], [9, 1], axis=0).repeat(3, axis=1)):
        head = make_loss(TRIPLE, settings, codes, amounts).classes["gender"]
        assert isinstance(head, LogitAdjusted)
        offsets.append(head.offsets.exp())
    np.testing.assert_allclose(offsets[0], [0.9, 0.1], rtol=1e-6)
    np.testing.assert_allclose(offsets[1], [0.5, 0.5], rtol=1e-6)


def mixed_of(own: Targets, other: Targets, shares: list[float]) -> Mixed:
    return Mixed(torch.zeros(len(own), 3, 4, 4), own, other, torch.tensor(shares))


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout.age_as != "regression"])
def test_a_mixture_counts_both_by_their_shares(layout: Layout) -> None:
    logits, codes, _ = batch(layout.n_outputs)
    own, other = targets(codes), targets(codes.flip(0))
    loss = plain_loss(layout)
    expected = 0.3 * loss(logits, own) + 0.7 * loss(logits, other)
    torch.testing.assert_close(loss.mixed(logits, mixed_of(own, other, [0.3] * 3)), expected)


def test_each_head_has_a_share_of_its_own() -> None:
    logits, codes, _ = batch(8)
    own, other = targets(codes), targets(codes.flip(0))
    heads = [(0, 3), (3, 5), (5, 8)]
    expected = [
        share * cross_entropy(logits[:, a:b], own.codes[:, at])
        + (1 - share) * cross_entropy(logits[:, a:b], other.codes[:, at])
        for at, (share, (a, b)) in enumerate(zip([1.0, 0.4, 0.4], heads, strict=True))
    ]
    told = plain_loss(TRIPLE).mixed(logits, mixed_of(own, other, [1.0, 0.4, 0.4]))
    torch.testing.assert_close(told, torch.stack(expected).sum())


def test_a_label_that_is_missing_on_one_side_does_not_count_there() -> None:
    logits, codes, _ = batch(18, rows=2)
    own, other = targets(codes[:1]), targets(codes[1:])
    nothing = targets(torch.full_like(codes[:1], MISSING))
    loss, one = plain_loss(SINGLE), logits[:1]
    torch.testing.assert_close(loss.mixed(one, mixed_of(own, nothing, [0.2] * 3)), loss(one, own))
    torch.testing.assert_close(loss.mixed(one, mixed_of(nothing, other, [0.2] * 3)), loss(one, other))
    assert loss.mixed(one, mixed_of(nothing, nothing, [0.2] * 3)).item() == 0


def test_of_two_rows_one_missing_a_side_the_mean_is_by_weight() -> None:
    logits, codes, _ = batch(18, rows=4)
    partners = codes[2:].clone()
    partners[1] = MISSING
    label = whole(codes)
    each = [cross_entropy(logits[a : a + 1], label[b : b + 1]) for a, b in ((0, 0), (1, 1), (0, 2))]
    expected = (0.6 * each[0] + 0.6 * each[1] + 0.4 * each[2]) / (0.6 + 0.6 + 0.4)
    mixed = mixed_of(targets(codes[:2]), targets(partners), [0.6] * 3)
    torch.testing.assert_close(plain_loss(SINGLE).mixed(logits[:2], mixed), expected)


def whole(codes: torch.Tensor) -> torch.Tensor:
    return codes[:, 0] * 6 + codes[:, 1] * 3 + codes[:, 2]


def test_a_batch_that_was_not_mixed_has_its_own_loss() -> None:
    logits, codes, weights = batch(8)
    own = targets(codes, weights)
    unmixed = Mixed(torch.zeros(12, 3, 4, 4), own, None, torch.ones(3))
    assert plain_loss(TRIPLE).mixed(logits, unmixed) == plain_loss(TRIPLE)(logits, own)


# What holds of any loss, whatever it is given.


@st.composite
def any_rows(draw: st.DrawFn, layout: Layout) -> tuple[torch.Tensor, Targets]:
    """Any logits that half precision can hold, any labels and weights, any of them missing."""
    rows = draw(st.integers(1, 5))
    numbers = st.floats(-60_000, 60_000, width=32)
    logits = draw(arrays.arrays(np.float32, (rows, layout.n_outputs), elements=numbers))
    columns = [draw(arrays.arrays(np.int64, rows, elements=st.integers(MISSING, size - 1))) for size in SIZES]
    years = draw(arrays.arrays(np.float32, rows, elements=st.floats(0, 120, width=32) | st.just(float("nan"))))
    weights = draw(arrays.arrays(np.float32, (rows, 3), elements=st.floats(0, 100, width=32)))
    codes = torch.from_numpy(np.stack(columns, axis=1))
    return torch.from_numpy(logits), Targets(codes, torch.from_numpy(years), torch.from_numpy(weights))


def slopes(loss: LabelLoss, logits: torch.Tensor, rows: Targets) -> tuple[torch.Tensor, torch.Tensor]:
    logits = logits.clone().requires_grad_()
    told = loss(logits, rows)
    told.backward()
    assert logits.grad is not None
    return told.detach(), logits.grad


def late(name: str, layout: Layout) -> LabelLoss:
    """Of a loss the variant with the most in it."""
    loss = made(name, layout, **({"drw_from": 0.5} if name == "ldam" else {}))
    loss.set_epoch(0.9)
    return loss


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_loss_and_its_slopes_are_numbers_and_no_loss_is_negative(name: str, data: st.DataObject) -> None:
    layout = data.draw(st.sampled_from(LAYOUTS))
    logits, rows = data.draw(any_rows(layout))
    told, slope = slopes(late(name, layout), logits, rows)
    assert torch.isfinite(told)
    assert told >= 0
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_order_of_a_batch_does_not_matter(name: str, data: st.DataObject) -> None:
    layout = data.draw(st.sampled_from(LAYOUTS))
    logits, rows = data.draw(any_rows(layout))
    order = torch.tensor(data.draw(st.permutations(range(len(rows)))))
    loss = late(name, layout)
    torch.testing.assert_close(loss(logits[order], rows.take(order)), loss(logits, rows), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_what_is_missing_or_counts_nothing_teaches_nothing(name: str, data: st.DataObject) -> None:
    layout = data.draw(st.sampled_from(LAYOUTS))
    logits, rows = data.draw(any_rows(layout))
    loss = late(name, layout)
    _, slope = slopes(loss, logits, rows)
    for piece, silent in silent_rows(layout, rows).items():
        assert (slope[silent, layout.pieces[piece]] == 0).all()
    gone = rows.weights.clone()
    gone[0] = 0
    without = Targets(rows.codes, rows.years, gone)
    if len(rows) > 1:
        others = torch.arange(1, len(rows))
        torch.testing.assert_close(loss(logits, without), loss(logits[1:], rows.take(others)), rtol=1e-4, atol=1e-5)
    else:
        assert loss(logits, without) == 0


def silent_rows(layout: Layout, rows: Targets) -> dict[str, torch.Tensor]:
    """By answer which rows say nothing of it."""
    weightless = rows.weights == 0
    unknown = (rows.codes == MISSING) | weightless
    silent = {name: unknown[:, at] for at, name in enumerate(HEADS)}
    silent |= {"label": unknown.any(dim=1), "older": unknown[:, 2], "years": rows.years.isnan() | weightless[:, 2]}
    return {name: silent[name] for name in layout.pieces}


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_mixture_teaches_a_head_only_what_one_of_both_knows(name: str, data: st.DataObject) -> None:
    layout = data.draw(st.sampled_from(LAYOUTS))
    logits, rows = data.draw(any_rows(layout))
    other = rows.take(torch.tensor(data.draw(st.permutations(range(len(rows))))))
    shares = [data.draw(st.floats(0, 1, width=32)) for _ in HEADS]
    seen = logits.clone().requires_grad_()
    told = late(name, layout).mixed(seen, mixed_of(rows, other, shares))
    told.backward()
    assert torch.isfinite(told)
    assert told >= 0
    assert seen.grad is not None
    assert torch.isfinite(seen.grad).all()
    silent, theirs = silent_rows(layout, rows), silent_rows(layout, other)
    for piece, at in layout.pieces.items():
        assert (seen.grad[silent[piece] & theirs[piece], at] == 0).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_loses_nothing_in_the_loss(name: str, half: torch.dtype) -> None:
    logits, codes, _ = batch(8)
    rough = (20 * logits.detach()).to(half)
    loss = late(name, TRIPLE)
    with torch.autocast("cpu", torch.bfloat16):
        told = loss(rough, targets(codes))
    assert told.dtype == torch.float32
    torch.testing.assert_close(told, loss(rough.float(), targets(codes)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("layout", [SINGLE, Layout("triple", HEADS, "both")])
def test_every_loss_can_be_learned_by(name: str, layout: Layout) -> None:
    torch.manual_seed(0)
    labels = torch.arange(18).repeat(3)
    codes = torch.from_numpy(to_codes(labels.numpy()))
    rows = targets(codes, years=torch.tensor([20.0, 45.0, 70.0])[codes[:, 2]])
    seen = torch.nn.functional.one_hot(labels, 18).float() + 0.1 * torch.randn(54, 18)
    network = torch.nn.Linear(18, layout.n_outputs)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    loss, told = late(name, layout), []
    for _ in range(120):
        told.append(loss(network(seen), rows))
        optimiser.zero_grad()
        told[-1].backward()
        optimiser.step()
    assert told[-1] < 0.7 * told[0]
    for piece, logits in layout.split(network(seen)).items():
        if piece in ("label", *HEADS):
            wanted = labels if piece == "label" else codes[:, HEADS.index(piece)]
            assert (logits.argmax(dim=1) == wanted).float().mean() > 0.9
