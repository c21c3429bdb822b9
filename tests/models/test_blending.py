from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.blending import Blend, Stacking, blend_from, codes_of
from models.chances import Chances, of_heads, of_labels
from models.errors import TeamError
from models.heads import to_labels


def surely(label: int, chance: float = 1.0) -> Chances:
    """One photo, of that class by so much; the rest is spread evenly."""
    row = np.full((1, 18), (1 - chance) / 17)
    row[0, label] = chance
    return of_labels(row)


def identity(groups: tuple[str, ...], counts: str) -> Stacking:
    """A stacking that repeats what one group says."""
    coefficients = np.zeros((18, 18 * len(groups)))
    at = groups.index(counts)
    coefficients[:, 18 * at : 18 * (at + 1)] = np.eye(18)
    return Stacking(groups, tuple(range(18)), tuple(map(tuple, coefficients.tolist())), (0.0,) * 18)


def test_the_mean_counts_groups_alike() -> None:
    label = Blend().apply({"a": surely(3), "b": surely(5)}).label
    assert label is not None
    assert label[0, [3, 5]].tolist() == [0.5, 0.5]


def test_weights_count_in_proportion() -> None:
    label = Blend("weighted", {"a": 3.0, "b": 1.0}).apply({"a": surely(3), "b": surely(5)}).label
    assert label is not None
    assert label[0, [3, 5]].tolist() == [0.75, 0.25]


def test_weights_of_models_with_other_heads_count_where_they_answer() -> None:
    first = of_heads({"mask": np.array([[1.0, 0, 0]]), "gender": np.array([[1.0, 0]])})
    second = of_heads({"mask": np.array([[0.0, 1, 0]])})
    third = of_heads({"age_group": np.array([[0.0, 0, 1]])}, np.array([70.0]))
    said = Blend("weighted", {"a": 1.0, "b": 3.0, "c": 9.0}).apply({"a": first, "b": second, "c": third})
    assert said.heads["mask"].tolist() == [[0.25, 0.75, 0]]
    assert said.heads["gender"].tolist() == [[1, 0]]
    assert said.label is not None
    assert said.label[0, 8] == 0.75  # incorrect, male, 60_plus
    assert said.years is not None
    assert said.years.tolist() == [70.0]


def test_a_group_without_weight_is_not_asked() -> None:
    assert Blend("weighted", {"a": 0.0, "b": 1.0}).needed(["a", "b"]) == ["b"]
    assert Blend().needed(["a", "b"]) == ["a", "b"]


def test_stacking_is_a_softmax_of_weighted_log_chances() -> None:
    groups = {"a": surely(3, 0.9), "b": surely(5, 0.6)}
    kept = identity(("a", "b"), "b").apply(groups).label
    assert kept is not None
    np.testing.assert_allclose(kept, groups["b"].label, atol=1e-12)


def test_stacking_gives_no_chance_to_classes_it_does_not_know() -> None:
    rows = ((1.0, *[0.0] * 17), (0.0,) * 18)
    label = Stacking(("a",), (0, 7), rows, (0.0, float(np.log(0.25)))).apply({"a": surely(0, 0.5)}).label
    assert label is not None
    np.testing.assert_allclose(label[0, [0, 7]], [2 / 3, 1 / 3])
    assert label.sum() == pytest.approx(1)


def test_cutoffs_move_the_choice_and_not_the_chances() -> None:
    chances = of_labels(np.array([[0.4, 0.35, 0.25, *[0.0] * 15]]))
    assert to_labels(codes_of(chances)).tolist() == [0]
    assert to_labels(codes_of(chances, {"label": [1, 1, 2, *[1] * 15]})).tolist() == [2]
    assert to_labels(codes_of(chances, {"age_group": [1, 2, 1]})).tolist() == [1]
    both = {"age_group": [1, 2, 1], "label": [2, *[1] * 17]}
    assert to_labels(codes_of(chances, both)).tolist() == [0]  # 0.8 against 0.7


def test_cutoffs_of_heads_apart() -> None:
    chances = of_heads({"mask": np.array([[0.6, 0.3, 0.1]]), "gender": np.array([[0.6, 0.4]])})
    assert codes_of(chances).tolist() == [[0, 0, -1]]
    assert codes_of(chances, {"mask": [1, 3, 1], "gender": [1, 1.4]}).tolist() == [[1, 0, -1]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"how": "median"}, "mean, weighted, stacking"),
        ({"how": "weighted"}, "weights belong"),
        ({"weights": {"a": 1.0}}, "weights belong"),
        ({"how": "stacking"}, "stacking"),
        ({"how": "weighted", "weights": {"a": -1.0, "b": 2.0}}, "below 0"),
        ({"how": "weighted", "weights": {"a": 0.0}}, "one is above"),
        ({"how": "weighted", "weights": {"a": float("nan")}}, "numbers"),
        ({"cutoffs": {"label": [1.0] * 17}}, "label 18"),
        ({"cutoffs": {"mask": [1.0, 0.0, 1.0]}}, "above 0"),
        ({"cutoffs": {"hat": [1.0]}}, "hat"),
    ],
)
def test_contradictions_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TeamError, match=message):
        blend_from({"how": "mean", **values})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intercepts": (0.0,)}, "a row of 18"),
        ({"classes": (0, 18)}, "labels 0..17"),
        ({"classes": (7, 0)}, "rising"),
        ({"coefficients": ((float("inf"),) * 18, (0.0,) * 18)}, "no number"),
        ({"floor": 0.0}, "floor"),
    ],
)
def test_a_stacking_that_cannot_be_is_named(changes: dict[str, Any], message: str) -> None:
    plain = {"groups": ("a",), "classes": (0, 7), "coefficients": ((0.0,) * 18,) * 2, "intercepts": (0.0, 0.0)}
    with pytest.raises(TeamError, match=message):
        Stacking(**{**plain, **changes})


def test_a_blend_survives_json() -> None:
    import json

    for blend in (
        Blend(cutoffs={"mask": (1.0, 2.0, 0.5)}),
        Blend("weighted", {"b": 0.25, "a": 0.75}),
        Blend("stacking", None, identity(("a", "b"), "a")),
    ):
        assert blend_from(json.loads(json.dumps(blend.to_dict()))) == blend
