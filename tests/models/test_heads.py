from __future__ import annotations

import numpy as np
import pytest
import torch

from datasets.labels import AGE_GROUPS, GENDERS, MASK_STATES, N_LABELS, encode_label
from models.heads import MISSING, Layout, to_codes, to_labels


def test_codes_are_the_labels_of_the_datasets_room() -> None:
    codes = to_codes(np.arange(N_LABELS))
    words = [encode_label(MASK_STATES[m], GENDERS[g], AGE_GROUPS[a]) for m, g, a in codes]
    assert words == list(range(N_LABELS))
    np.testing.assert_array_equal(to_labels(codes), np.arange(N_LABELS))


def test_a_missing_part_leaves_no_label() -> None:
    codes = np.array([[MISSING, 0, 0], [2, MISSING, 2], [1, 1, MISSING], [2, 1, 2]])
    np.testing.assert_array_equal(to_labels(codes), [MISSING, MISSING, MISSING, 17])


@pytest.mark.parametrize(
    ("layout", "pieces"),
    [
        (Layout(), {"label": 18}),
        (Layout("triple"), {"mask": 3, "gender": 2, "age_group": 3}),
        (Layout("triple", age_as="regression"), {"mask": 3, "gender": 2, "years": 1}),
        (Layout("triple", age_as="both"), {"mask": 3, "gender": 2, "age_group": 3, "years": 1}),
        (Layout("triple", age_as="ordinal"), {"mask": 3, "gender": 2, "older": 2}),
        (Layout("triple", ("mask", "gender")), {"mask": 3, "gender": 2}),
        (Layout("triple", ("age_group",), "regression"), {"years": 1}),
    ],
)
def test_pieces_lie_side_by_side_and_fill_the_numbers(layout: Layout, pieces: dict[str, int]) -> None:
    logits = torch.arange(2.0 * sum(pieces.values())).reshape(2, -1)
    assert layout.n_outputs == sum(pieces.values())
    split = layout.split(logits)
    assert {name: each.shape[1] for name, each in split.items()} == pieces
    torch.testing.assert_close(torch.cat(list(split.values()), dim=1), logits)


def test_only_a_layout_of_all_three_gives_classes() -> None:
    assert Layout().whole
    assert Layout("triple", age_as="ordinal").whole
    assert not Layout("triple", ("mask", "age_group")).whole


def test_what_can_be_scored_is_what_is_answered() -> None:
    codes = np.array([[0, MISSING, MISSING], [MISSING, 1, 2]])
    assert not Layout("triple").scorable(codes)
    assert Layout("triple", ("mask", "gender")).scorable(codes)
    assert not Layout("triple", ("gender",)).scorable(codes[:1])
