"""What a flow run leaves on Prefect's pages: a summary table, a table of refusals, and progress while it works.

Artifacts are for looking at: a failure to write one is logged and never fails the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger

from pipelines.summary import plain
from pipelines.types import ProgressCallback

SUMMARY_KEY = "palette-summary"
TRAINING_SUMMARY_KEY = "palette-training-summary"
REFUSALS_KEY = "palette-refusals"
MAX_REFUSAL_ROWS = 500
"""Rows of the refusals artifact; the whole table is in refusals.csv, a page of 100,000 rows would help nobody."""
UPDATE_EVERY_S = 2.0
LOG_EVERY_S = 15.0

logger = get_logger("palette.artifacts")


def flatten(summary: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """Return the summary's values as rows of `what` and `value`, the names of nested ones joined by ` / `."""
    rows: list[dict[str, Any]] = []
    for name, value in plain(summary).items():
        what = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            rows += flatten(value, f"{what} / ")
        else:
            rows.append({"what": what, "value": ", ".join(map(str, value)) if isinstance(value, list) else value})
    return rows


def _publish(create: Callable[..., Any], **contents: Any) -> Any:
    try:
        return create(**contents)
    except Exception as error:
        logger.warning("the artifact %s could not be written: %s", contents.get("key"), error)
        return None


def publish_summary(summary: Mapping[str, Any], description: str, *, key: str = SUMMARY_KEY) -> None:
    """Write the summary table of a run."""
    _publish(create_table_artifact, key=key, table=flatten(summary), description=description)


def publish_refusals(refusals: Sequence[Mapping[Any, Any]]) -> None:
    """Write the refusals of a run, at most `MAX_REFUSAL_ROWS` of them.

    Args:
        refusals: Rows with photo_id, stage, reason, detail.
    """
    shown = [dict(row) for row in refusals[:MAX_REFUSAL_ROWS]]
    more = len(refusals) - len(shown)
    told = f"{len(refusals)} refusals" + (f"; {more} more are in refusals.csv" if more else "")
    _publish(create_table_artifact, key=REFUSALS_KEY, table=shown, description=told)


def _run_logger() -> Any:
    try:
        return get_run_logger()
    except MissingContextError:
        return logger


@contextmanager
def progress_artifact(key: str, description: str) -> Iterator[ProgressCallback]:
    """Show a bar on Prefect's pages, and a line in the log now and then, while the block runs.

    The bar reaches 100 when the block ends well.

    Args:
        key: Lower case letters, numbers and dashes.
        description: What is being done.

    Yields:
        A callback taking (done, total).
    """
    artifact = _publish(create_progress_artifact, progress=0.0, key=key, description=description)
    shown_at = told_at = time.monotonic()

    def show(percent: float) -> None:
        nonlocal artifact, shown_at
        if artifact is not None and _publish(update_progress_artifact, artifact_id=artifact, progress=percent) is None:
            artifact = None
        shown_at = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal told_at
        if total and time.monotonic() - shown_at >= UPDATE_EVERY_S:
            show(min(100.0 * done / total, 100.0))
        if time.monotonic() - told_at >= LOG_EVERY_S:
            told_at = time.monotonic()
            _run_logger().info("%s: %d of %d", description, done, total)

    yield report
    show(100.0)
