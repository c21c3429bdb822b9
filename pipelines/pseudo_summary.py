"""What the pseudo-label stage tells of its models, beside its manifests as JSON, and read again for the report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import PipelinesError

SUMMARY: Final = "pseudo_labels.json"
DIGITS: Final = 6
"""Of a figure: beyond them machines differ in their rounding."""


class _Told(BaseModel):
    """What else a file holds is of no concern here."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Measured(_Told):
    """Of answers on people held out; see `models.gender_calibration.figures`."""

    log_loss: float
    accuracy: float
    calibration_error: float
    coverage: float
    precision: float | None = None


class Lower(_Told):
    """By how much a log loss is lower; see `models.confidence.Gain`."""

    mean: float
    low: float
    high: float


class SelfTraining(_Told):
    """See `models.self_training.Round`."""

    kept: bool
    reason: str | None = None
    asked: int = 0
    joined: int = 0
    judged_on: tuple[str, ...] = ()
    people: int = 0
    before: Measured | None = None
    after: Measured | None = None
    gain: Lower | None = None


class Network(_Told):
    """See `models.gender_blend.Judgement`."""

    kept: bool
    reason: str | None = None
    judged_on: tuple[str, ...] = ()
    people: int = 0
    embedding: Measured | None = None
    network: Measured | None = None
    blend: Measured | None = None
    gain: Lower | None = None


class Curves(_Told):
    """The kind of calibration curve, and the log losses of all kinds; see `models.gender_fit.learn_gender`."""

    calibration: str
    log_loss: dict[str, float]


class Group(_Told):
    """An age group of people held out; see `models.age_fit.learn_ages`."""

    people: int
    said: int
    precision: float | None = None


class AgesHeldOut(_Told):
    """See `models.age_fit.learn_ages`."""

    people: int
    coverage: float
    precision: float | None = None
    precision_wanted: float
    by_group: dict[str, Group]


class Ages(_Told):
    """See `models.pseudo_ages.PseudoAged`."""

    status: str
    reason: str | None = None
    held_out: AgesHeldOut | None = None
    people_missing: int
    people_filled: int
    filled_by_group: dict[str, int] = {}
    abstained: dict[str, int] = {}


class Summary(_Told):
    """What the report tells of; anything may be missing, since it wasn't asked for or couldn't be done."""

    held_out: Curves | None = None
    self_training: SelfTraining | None = None
    network: Network | None = None
    ages: Ages | None = None


def write_summary(report: Mapping[str, Any], out: Path) -> Path:
    """Write what the stage tells to `SUMMARY` in its folder; the same report gives the same bytes.

    Args:
        report: Of `pipelines.pseudo_labels.PseudoLabelResult`.
        out: The stage's folder.

    Raises:
        OutputError: It can't be written.
    """
    from datasets.atomic import atomic_write
    from pipelines.summary import plain

    text = json.dumps(_rounded(plain(report)), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    with atomic_write(out / SUMMARY) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return out / SUMMARY


def read_summary(out: Path) -> Summary:
    """Read what `write_summary` wrote; an empty summary where there is none, as earlier versions wrote none.

    Raises:
        PipelinesError: The file can't be read, or holds something else.
    """
    file = out / SUMMARY
    if not file.exists():
        return Summary()
    try:
        return Summary.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise PipelinesError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError, ValidationError) as error:
        raise PipelinesError(f"{file} isn't as palette pseudo-label wrote it: run that again") from error


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) and math.isfinite(value) else value
