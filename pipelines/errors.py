"""The errors of the pipelines room: one tree, each with the exit code the command line gives it.

A message says what was expected, what came, and what to do.
"""

from __future__ import annotations


class PipelinesError(Exception):
    """A stage, a flow or a command cannot go on; `exit_code` is 1 unless the call itself was wrong."""

    exit_code: int = 1


class SettingsError(PipelinesError):
    """A setting, an option or a settings file is not usable as given."""

    exit_code = 2


class MissingInputError(PipelinesError):
    """A folder or file that the call names does not exist, or lacks what is needed."""

    exit_code = 2


class FlowFailedError(PipelinesError):
    """A flow run ended in a state other than completed."""
