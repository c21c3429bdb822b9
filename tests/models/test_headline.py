"""Which rows models are compared by."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.headline import headline_of


def _codes(*rows: tuple[int, int, int]) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


_BARE = _codes((2, 0, 0), (2, 1, 1), (2, 0, 2))
_MASKED = _codes((0, 0, 0), (1, 1, 1), (2, 0, 2))


def test_real_photos_that_show_as_much_are_the_headline() -> None:
    assert headline_of(_MASKED, _MASKED) == "real"
    assert headline_of(_MASKED, _MASKED[:2]) == "real"


def test_variants_are_the_headline_where_real_faces_are_all_bare() -> None:
    assert headline_of(_BARE, _MASKED) == "synthetic"


def test_only_what_is_answered_counts() -> None:
    assert headline_of(_BARE, _MASKED, [1, 2]) == "real"
    assert headline_of(_BARE, _MASKED, [0]) == "synthetic"


def test_of_whole_answers_rows_with_all_three_labels_count() -> None:
    some = _codes((0, -1, -1), (1, -1, -1), (2, 0, 0), (2, 1, 1))

    assert headline_of(some, _codes((0, 0, 0), (1, 1, 1))) == "synthetic"
    assert headline_of(some, _codes((0, 0, 0), (1, 1, 1)), [0]) == "real"


def test_partial_labels_decide_where_no_row_has_all_three() -> None:
    assert headline_of(_codes((2, -1, -1)), _codes((0, -1, -1), (1, -1, -1))) == "synthetic"
    assert headline_of(_codes((2, -1, -1)), _codes((0, -1, -1))) == "real"


@pytest.mark.parametrize("real", [_codes(), _codes((-1, -1, -1)), _codes((-1, -1, 0))])
def test_real_photos_without_a_label_to_compare_with_are_no_headline(real: NDArray[np.int64]) -> None:
    assert headline_of(real, _codes((0, 0, 0)), [0, 1]) == "synthetic"
