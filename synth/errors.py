"""The exceptions of this room: one tree, each message saying what was expected, what came, what to do."""

from __future__ import annotations


class SynthError(Exception):
    """Base of all errors of synth; the run fails."""

    exit_code: int = 1


class SynthUsageError(SynthError):
    """An argument no run can work with: an unknown plan, mask type or wear style, a malformed size."""

    exit_code: int = 2


class ModelFileError(SynthError):
    """A model file (detector, landmarks) is missing or broken."""


class OutputError(SynthError):
    """A variant or the run's journal can't be written; what was written stays, and the run can be taken up again."""


class PhotoRefusedError(SynthError):
    """A photo or variant that synth won't use.

    Args:
        reason: short code, one of `synth.gate.REASONS`.
        detail: one sentence with the figures behind the reason.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[PhotoRefusedError], tuple[str, str]]:
        return PhotoRefusedError, (self.reason, self.detail)
