from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.labels import (
    AGE_GROUPS,
    GENDERS,
    MASK_STATES,
    N_LABELS,
    age_group,
    decode_label,
    encode_label,
    label_name,
)


@pytest.mark.parametrize(
    ("mask", "gender", "group", "label"),
    [("wear", "male", "under_30", 0), ("wear", "male", "60_plus", 2), ("wear", "female", "under_30", 3),
     ("incorrect", "male", "under_30", 6), ("not_wear", "female", "60_plus", 17), ("not_wear", "male", "30_to_59", 13)],
)  # fmt: skip
def test_labels_are_the_competitions(mask, gender, group, label):
    assert encode_label(mask, gender, group) == label


def test_every_label_has_its_own_words():
    assert [encode_label(*decode_label(label)) for label in range(N_LABELS)] == list(range(N_LABELS))
    assert len({label_name(label) for label in range(N_LABELS)}) == len(MASK_STATES) * len(GENDERS) * len(AGE_GROUPS)
    assert label_name(0) == "wear/male/under_30"


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA])
def test_a_missing_part_leaves_no_label(missing):
    assert encode_label(missing, "male", "60_plus") is None
    assert encode_label("wear", missing, "60_plus") is None
    assert encode_label("wear", "male", missing) is None


def test_unknown_words_and_labels_are_errors():
    with pytest.raises(ValueError, match="not_wear, not 'mask'"):
        encode_label("mask", "male", "60_plus")
    for label in (-1, N_LABELS):
        with pytest.raises(ValueError, match=r"0\.\.17"):
            decode_label(label)


@pytest.mark.parametrize(
    ("age", "group"),
    [(0, "under_30"), (29, "under_30"), (29.9, "under_30"), (30, "30_to_59"), (59, "30_to_59"), (60, "60_plus"),
     (120, "60_plus"), (-1, None), (2019, None), (math.nan, None), (None, None), (pd.NA, None)],
)  # fmt: skip
def test_age_groups(age, group):
    assert age_group(age) == group


def test_cutoff_moves_the_oldest_group_only():
    assert age_group(58, cutoff=58) == "60_plus"
    assert age_group(29, cutoff=58) == "under_30"


@given(st.floats(0, 120), st.floats(0, 120))
def test_older_is_never_a_younger_group(one, other):
    younger, older = sorted((one, other))
    assert AGE_GROUPS.index(age_group(younger)) <= AGE_GROUPS.index(age_group(older))
