"""What the fingerprint benchmark concludes from what its classifiers found."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")

from benchmarks.fingerprint import COMPARISONS, Comparison, Found, deaf, missed, verdict
from benchmarks.residuals import Auc

SURE, SILENT = Auc(0.9, 0.8, 1.0), Auc(0.5, 0.4, 0.6)


def found(linear: Auc, trees: Auc) -> Found:
    return {"linear": linear, "trees": trees}


def results(control: Found, same: Found) -> list[tuple[Comparison, Found]]:
    answers = {"control": control, "same": same, "known": found(SURE, SURE)}
    return [(each, answers[each.asks]) for each in COMPARISONS]


def test_there_are_controls_and_things_to_find() -> None:
    assert {each.asks for each in COMPARISONS} == {"same", "control", "known"}


def test_silence_counts_where_the_controls_are_heard() -> None:
    heard = results(control=found(SURE, SURE), same=found(SILENT, SILENT))
    assert deaf(heard) == []
    assert verdict(found(SILENT, SILENT), deaf(heard)) == "not told apart"
    assert not missed(heard)


def test_silence_of_one_that_missed_a_control_says_nothing() -> None:
    unheard = results(control=found(SURE, SILENT), same=found(SILENT, SILENT))
    assert deaf(unheard) == ["trees"]
    assert verdict(found(SILENT, SILENT), deaf(unheard)) == "control failed: trees"
    assert missed(unheard)


def test_one_classifier_suffices_to_tell_apart() -> None:
    assert verdict(found(SILENT, SURE), ["linear"]) == "told apart"
    assert missed(results(control=found(SURE, SURE), same=found(SILENT, SURE)))
