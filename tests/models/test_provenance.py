from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from datasets.manifest import make_manifest
from models.heads import MISSING
from models.provenance import label_weights, origins
from models.settings import TrainSettings
from tests.models.builders import labelled_row


def frame_of(*changes: dict[str, Any]) -> pd.DataFrame:
    return make_manifest([labelled_row(f"{at}.jpg", f"p{at}", 0, **each) for at, each in enumerate(changes)])


def weights_of(*changes: dict[str, Any], **settings: Any) -> list[list[float]]:
    weights = label_weights(frame_of(*changes), TrainSettings(**settings))
    assert weights.dtype == np.float32
    return [[round(float(each), 5) for each in row] for row in weights]


def pseudo(confidence: float) -> dict[str, Any]:
    return {"gender_from": "pseudo", "gender_confidence": confidence}


VARIANT = {"parent_id": "sample:x.jpg", "recipe_id": "r", "mask_from": "synthetic"}


def test_all_labels_count_alike_unless_told_otherwise() -> None:
    assert weights_of({}, pseudo(0.6), VARIANT) == [[1.0] * 3] * 3


def test_sureness_goes_from_chance_to_certainty() -> None:
    sure = [0.4, 0.5, 0.75, 0.9, 1.0]
    told = weights_of(*[pseudo(each) for each in sure], trust="confidence")
    assert [row[1] for row in told] == [0.0, 0.0, 0.5, 0.8, 1.0]
    assert all(row[0] == row[2] == 1.0 for row in told)


@pytest.mark.parametrize("origin", ["pseudo", "corrected", "synthetic"])
def test_chance_is_one_by_the_number_of_classes(origin: str) -> None:
    told = weights_of({"mask_from": origin, "mask_confidence": 2 / 3}, trust="confidence")
    assert told == [[0.5, 1.0, 1.0]]


def test_a_given_label_counts_in_full_however_doubtful() -> None:
    assert weights_of({"age_confidence": 0.1}, trust="confidence") == [[1.0, 1.0, 1.0]]


def test_of_labels_without_a_confidence_only_pseudo_labels_are_doubted() -> None:
    frame = frame_of(pseudo(0.9), {"gender_from": "corrected"}).assign(gender_confidence=np.nan)
    told = label_weights(frame, TrainSettings(trust="confidence"))
    assert told[:, 1].tolist() == [0.0, 1.0]


def test_weights_of_variants_and_of_pseudo_labels_multiply() -> None:
    rows = ({}, VARIANT, pseudo(0.75), {**VARIANT, **pseudo(0.75)})
    plain = weights_of(*rows, synthetic_weight=0.5, pseudo_weight=0.2)
    assert plain == [[1.0, 1.0, 1.0], [0.5, 0.5, 0.5], [1.0, 0.2, 1.0], [0.5, 0.1, 0.5]]
    sure = weights_of(*rows, synthetic_weight=0.5, pseudo_weight=0.2, trust="confidence")
    assert sure == [[1.0, 1.0, 1.0], [0.5, 0.5, 0.5], [1.0, 0.1, 1.0], [0.5, 0.05, 0.5]]


def test_where_labels_come_from_is_counted() -> None:
    frame = frame_of({}, pseudo(0.75), pseudo(1.0), pseudo(0.9))
    codes = np.zeros((4, 3), dtype=np.int64)
    codes[3, 1] = MISSING
    found = origins(frame, codes, label_weights(frame, TrainSettings(trust="confidence")))
    assert found["mask"] == {"given": {"labels": 4, "weight": 4.0}}
    assert found["gender"] == {"given": {"labels": 1, "weight": 1.0}, "pseudo": {"labels": 2, "weight": 1.5}}
