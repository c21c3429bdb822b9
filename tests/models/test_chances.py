from __future__ import annotations

import numpy as np
import pytest
import torch

from models.chances import Chances, chances_of, combine, mean_of, of_heads, of_labels
from models.heads import MISSING, Layout, to_labels
from models.years import scaled

LAYOUTS = [
    Layout(),
    *(Layout("triple", age_as=age_as) for age_as in ("classes", "regression", "both", "ordinal")),
    Layout("triple", ("mask", "gender")),
    Layout("triple", ("age_group",), "both"),
]


def some(layout: Layout, rows: int = 40, seed: int = 0) -> Chances:
    return chances_of(torch.randn(rows, layout.n_outputs, generator=torch.Generator().manual_seed(seed)) * 3, layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_chances_are_chances(layout: Layout) -> None:
    said = some(layout)
    assert (said.label is not None) == layout.whole
    for each in [*said.heads.values(), *([said.label] if said.label is not None else [])]:
        assert (each >= 0).all()
        np.testing.assert_allclose(each.sum(axis=1), 1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_answers_are_the_likeliest(layout: Layout) -> None:
    said = some(layout)
    codes = said.codes()
    if said.label is not None:
        np.testing.assert_array_equal(to_labels(codes), said.label.argmax(axis=1))
    for at, name in enumerate(("mask", "gender", "age_group")):
        if name not in said.heads:
            assert (codes[:, at] == MISSING).all()
        elif layout.head == "triple":
            np.testing.assert_array_equal(codes[:, at], said.heads[name].argmax(axis=1))


def test_heads_of_one_answer_are_sums_over_its_classes() -> None:
    label = np.zeros((1, 18))
    label[0, [0 * 6 + 1 * 3 + 2, 1 * 6 + 1 * 3 + 0]] = 0.25, 0.75
    said = of_labels(label)
    np.testing.assert_allclose(said.heads["mask"], [[0.25, 0.75, 0]])
    np.testing.assert_allclose(said.heads["gender"], [[0, 1]])
    np.testing.assert_allclose(said.heads["age_group"], [[0.75, 0, 0.25]])


def test_years_say_the_group_and_doubt_near_a_border() -> None:
    layout = Layout("triple", ("age_group",), "regression")
    said = chances_of(scaled(torch.tensor([[10.0], [29.9], [45], [60.1], [80]])), layout)
    np.testing.assert_allclose(said.years, [10, 29.9, 45, 60.1, 80], atol=1e-4)
    assert said.heads["age_group"].argmax(axis=1).tolist() == [0, 0, 1, 2, 2]
    assert said.heads["age_group"].max(axis=1)[[0, 4]].min() > 0.99
    assert said.heads["age_group"].max(axis=1)[[1, 3]].max() < 0.52


def test_borders_that_contradict_each_other_give_no_negative_chance() -> None:
    said = chances_of(torch.tensor([[-5.0, 5.0]]), Layout("triple", ("age_group",), "ordinal"))
    assert (said.heads["age_group"] >= 0).all()
    np.testing.assert_allclose(said.heads["age_group"].sum(), 1)


def test_a_mean_is_weighted_and_of_the_same_heads() -> None:
    first, second = some(Layout(), seed=1), some(Layout(), seed=2)
    mean = mean_of([first, second], [3, 1])
    assert mean.label is not None
    assert first.label is not None
    assert second.label is not None
    np.testing.assert_allclose(mean.label, 0.75 * first.label + 0.25 * second.label)
    np.testing.assert_allclose(mean.heads["mask"], mean.label.reshape(-1, 3, 6).sum(axis=2))
    with pytest.raises(ValueError, match="same heads"):
        mean_of([first, some(Layout("triple", ("mask",)))])


def test_models_of_different_heads_make_one_classifier() -> None:
    two, age = some(Layout("triple", ("mask", "gender"))), some(Layout("triple", ("age_group",), "regression"))
    both = combine([two, age])
    assert both.label is not None
    product = of_heads({**two.heads, **age.heads})
    np.testing.assert_allclose(both.label, product.label)
    np.testing.assert_allclose(both.years, age.years)
    assert combine([two, two]).label is None


def test_rows_can_be_taken() -> None:
    said = some(Layout("triple", age_as="both"))
    part = said.take(np.array([5, 2]))
    assert len(part) == 2
    np.testing.assert_array_equal(part.codes(), said.codes()[[5, 2]])
