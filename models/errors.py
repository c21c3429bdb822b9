"""What can go wrong in this room, as one tree of exceptions.

Every message says what was expected, what came, and what to do about it.
"""

from __future__ import annotations


class ModelsError(Exception):
    """Base of every error this room raises on purpose.

    Attributes:
        exit_code: what the command line exits with; 2 where the caller asked for something impossible.
    """

    exit_code: int = 1


class SettingsError(ModelsError):
    """A setting is out of its range, or two settings contradict each other."""

    exit_code = 2


class UnknownModelError(SettingsError):
    """timm knows no model of that name."""


class WeightsError(ModelsError):
    """Weights could not be read, fetched, or fitted to the model."""

    exit_code = 2


class CheckpointError(ModelsError):
    """A checkpoint is missing, broken, or not one of ours."""

    exit_code = 2


class TeamError(ModelsError):
    """A run or team is missing, broken, unfinished, or made of checkpoints that are not those it names."""

    exit_code = 2


class OnnxError(ModelsError):
    """An ONNX file is missing, broken, or not one of ours."""

    exit_code = 2


class ExportError(ModelsError):
    """A team can't be written in another form, or what was written answers otherwise than it."""


class AttributionError(ModelsError):
    """A model has no feature map from which to tell where it sees its answer."""


class EvaluationFolderError(ModelsError):
    """A folder to predict on is not in the competition's form."""

    exit_code = 2


class TrainingDataError(ModelsError):
    """The manifest holds too little, or nothing, to learn from or to score on."""


class TooFewLabelsError(ModelsError):
    """Too few labelled people to learn a pseudo-label from."""


class EmbeddingError(ModelsError):
    """A face could not be embedded, or the embedding model is not there."""


class GenderModelError(ModelsError):
    """A saved gender model is missing or broken."""

    exit_code = 2


class OutOfFoldError(ModelsError):
    """An out-of-fold table is missing or broken, or tables are of other photos."""

    exit_code = 2
