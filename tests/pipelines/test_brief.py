from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.heads import MISSING, to_codes
from models.scoring import score
from pipelines.brief import brief_training


def result(answers: np.ndarray, **more: Any) -> dict[str, Any]:
    scores = score(to_codes(np.arange(18)), answers)
    metrics = {
        "headline": "real",
        "scores": {"real": scores.to_dict(), "synthetic": None},
        "macro_f1": scores.macro_f1,
        "accuracy": scores.label.accuracy,
        "data": {"rows": {"train": 40}},
        "best_epoch": 3,
        "device": "cpu",
        "seconds": 2.0,
        **more,
    }
    return {"checkpoint": "x", "reused": False, "metrics": metrics}


FOLDS = {
    "folds": {"0": {"macro_f1": 0.5}, "1": {"macro_f1": 0.7}},
    "spread": {"macro_f1": {"mean": 0.6, "min": 0.5, "max": 0.7}},
    "cutoffs": {"kept": None, "nested": {}},
}


@pytest.mark.parametrize("more", [{}, FOLDS])
def test_a_whole_model_is_told_by_its_classes(more: dict[str, Any]) -> None:
    told = brief_training(result(to_codes(np.arange(18)), **more))
    assert told["held_out_photos"] == 18
    assert told["macro_f1_of_18_classes"] == told["accuracy"] == pytest.approx(1)
    assert set(told["macro_f1_by_head"]) == {"mask", "gender", "age_group"}


@pytest.mark.parametrize("more", [{}, FOLDS])
def test_a_model_of_some_heads_is_told_by_those(more: dict[str, Any]) -> None:
    answers = to_codes(np.arange(18))
    answers[:, 2] = MISSING
    told = brief_training(result(answers, **more))
    assert told["held_out_photos"] == 18
    assert told["macro_f1_of_its_heads"] == pytest.approx(1)
    assert not {"macro_f1_of_18_classes", "macro_f1_of_classes_present", "accuracy"} & told.keys()
    assert told["macro_f1_by_head"] == {"mask": pytest.approx(1), "gender": pytest.approx(1)}
