"""Artifacts: everything said, and never a run that fails for one."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pipelines import artifacts
from pipelines.artifacts import MAX_REFUSAL_ROWS, flatten, progress_artifact, publish_refusals, publish_summary


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have reached Prefect."""
    seen: list[dict[str, Any]] = []

    def create(**contents: Any) -> str:
        seen.append(contents)
        return "an id"

    for name in ("create_table_artifact", "create_progress_artifact", "update_progress_artifact"):
        monkeypatch.setattr(artifacts, name, create)
    return seen


def test_nested_values_become_rows() -> None:
    summary = {"photos": 3, "refusals": {"no_face": 1, "deep": {"er": [1, 2]}}}
    assert flatten(summary) == [
        {"what": "photos", "value": 3},
        {"what": "refusals / no face", "value": 1},
        {"what": "refusals / deep / er", "value": "1, 2"},
    ]


def test_a_long_table_of_refusals_is_cut_and_says_so(published: list[dict[str, Any]]) -> None:
    rows = [{"photo_id": f"a:{number}", "stage": "mask", "reason": "no_face", "detail": ""} for number in range(700)]
    publish_refusals(rows)
    assert published[0]["table"] == rows[:MAX_REFUSAL_ROWS]
    assert "700 refusals; 200 more" in published[0]["description"]


def test_progress_goes_up_and_ends_at_100(
    published: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(artifacts, "UPDATE_EVERY_S", 0.0)
    monkeypatch.setattr(artifacts, "LOG_EVERY_S", 0.0)
    monkeypatch.setattr(artifacts, "logger", logging.getLogger("of this test"))
    with caplog.at_level(logging.INFO), progress_artifact("palette-mask", "masking") as report:
        report(0, 0)
        report(1, 4)
        report(5, 4)
    assert [each["progress"] for each in published] == [0.0, 25.0, 100.0, 100.0]
    assert "masking: 1 of 4" in caplog.messages


def test_a_failing_block_does_not_reach_100(published: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="broken"), progress_artifact("palette-mask", "masking"):
        raise ValueError("broken")
    assert [each["progress"] for each in published] == [0.0]


def test_a_server_that_refuses_artifacts_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def refuse(**_: Any) -> None:
        calls.append("asked")
        raise ConnectionError("gone")

    for name in ("create_table_artifact", "create_progress_artifact", "update_progress_artifact"):
        monkeypatch.setattr(artifacts, name, refuse)
    monkeypatch.setattr(artifacts, "UPDATE_EVERY_S", 0.0)
    publish_summary({"photos": 1}, "a run")
    with progress_artifact("palette-mask", "masking") as report:
        report(1, 2)
    # The bar that could not be made is not asked for again.
    assert calls == ["asked", "asked"]
