from __future__ import annotations

import numpy as np
import pytest

from models.class_weights import class_counts, class_weights, effective_weights
from models.heads import MISSING, to_codes


def uneven() -> np.ndarray:
    """Codes of 90 rows of class 0, 9 of class 7 and 1 of class 17."""
    return to_codes(np.repeat([0, 7, 17], [90, 9, 1]))


def test_rows_are_counted_by_class_and_by_head_where_labels_are_there() -> None:
    codes = uneven()
    codes[99, 1] = MISSING
    counts = class_counts(codes)
    assert counts["label"][[0, 7, 17]].tolist() == [90, 9, 0]
    assert counts["mask"].tolist() == [90, 9, 1]
    assert counts["gender"].tolist() == [99, 0]
    assert counts["age_group"].tolist() == [90, 9, 1]


def test_a_whole_label_counts_for_its_least() -> None:
    counts = class_counts(to_codes(np.array([0, 17])), np.array([[1.0, 0.5, 2.0], [3.0, 3.0, 3.0]]))
    assert counts["label"][[0, 17]].tolist() == [0.5, 3.0]
    assert counts["age_group"].tolist() == [2.0, 0.0, 3.0]


def test_class_weights_raise_rare_classes_and_average_one() -> None:
    weights = class_weights(uneven(), power=0.5)
    present = weights["label"][[0, 7, 17]]
    assert present[0] < present[1] < present[2]
    np.testing.assert_allclose(present.mean(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(present[2] / present[0], 90**0.5, rtol=1e-5)
    assert weights["label"][5] == 1.0
    assert [len(weights[name]) for name in ("mask", "gender", "age_group")] == [3, 2, 3]


def test_no_power_weighs_all_alike() -> None:
    for each in class_weights(uneven(), power=0.0).values():
        np.testing.assert_array_equal(each, 1.0)


def test_effective_numbers_of_the_paper() -> None:
    # With beta 0.9 one, two and three samples are worth 1, 1.9 and 2.71.
    weights = effective_weights(np.array([1.0, 2.0, 3.0, 0.0]), beta=0.9)
    np.testing.assert_allclose(weights[0] / weights[:3], [1.0, 1.9, 2.71], rtol=1e-5)
    np.testing.assert_allclose(weights[:3].mean(), 1.0, rtol=1e-6)
    assert weights[3] == 1.0


@pytest.mark.parametrize(("beta", "ratio"), [(0.0, 1.0), (0.999999, 1000.0)])
def test_effective_numbers_go_from_all_alike_to_one_by_the_count(beta: float, ratio: float) -> None:
    rare, common = effective_weights(np.array([1.0, 1000.0]), beta)
    np.testing.assert_allclose(rare / common, ratio, rtol=1e-3)
