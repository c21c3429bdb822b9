from __future__ import annotations

import numpy as np
import torch

from datasets.labels import AGE_GROUPS, GENDERS, MASK_STATES, N_LABELS, encode_label
from models.heads import MISSING, predicted_labels, to_codes, to_labels


def test_codes_are_the_labels_of_the_datasets_room() -> None:
    codes = to_codes(np.arange(N_LABELS))
    words = [encode_label(MASK_STATES[m], GENDERS[g], AGE_GROUPS[a]) for m, g, a in codes]
    assert words == list(range(N_LABELS))
    np.testing.assert_array_equal(to_labels(codes), np.arange(N_LABELS))


def test_a_missing_part_leaves_no_label() -> None:
    codes = np.array([[MISSING, 0, 0], [2, MISSING, 2], [1, 1, MISSING], [2, 1, 2]])
    np.testing.assert_array_equal(to_labels(codes), [MISSING, MISSING, MISSING, 17])


def test_a_triple_answer_is_the_likeliest_of_each_head() -> None:
    logits = torch.tensor([[0.0, 5, 1, 2, 9, 3, 0, 1], [7, 1, 1, 4, 0, 0, 0, 3]])
    np.testing.assert_array_equal(predicted_labels(logits, "triple"), [1 * 6 + 1 * 3 + 0, 0 * 6 + 0 * 3 + 2])


def test_a_single_answer_is_the_likeliest_of_all() -> None:
    np.testing.assert_array_equal(predicted_labels(torch.eye(18)[[3, 17]], "single"), [3, 17])
