"""Errors that a user can cause are logged as their message; the traceback would only hide it."""

from __future__ import annotations

import logging

LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


def is_user_error(error: BaseException | None) -> bool:
    """Say whether an error is one that the rooms raise with a message for the user."""
    from datasets.errors import DatasetsError
    from models.errors import ModelsError
    from pipelines.errors import PipelinesError
    from synth.errors import SynthError

    return isinstance(error, DatasetsError | ModelsError | PipelinesError | SynthError)


class NoTracebackForUserErrors(logging.Filter):
    """Takes the traceback off records of user errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        if record.exc_info and is_user_error(record.exc_info[1]):
            record.exc_info = None
            record.exc_text = None
        return True


def install() -> None:
    """Put the filter on the loggers of flow and task runs, once."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, NoTracebackForUserErrors) for each in logger.filters):
            logger.addFilter(NoTracebackForUserErrors())
