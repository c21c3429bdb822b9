"""A calibrated guess at gender from a face embedding, that knows when to say nothing."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.atomic import atomic_write
from datasets.labels import GENDERS
from models.calibration import FloatArray
from models.errors import GenderModelError
from models.face_machine import ARRAYS, FaceMachine, machine_from
from models.gender_calibration import Calibration, calibration_from_dict, calibration_to_dict

_FORMAT = 4


class Decision(NamedTuple):
    """Of one person.

    Attributes:
        gender: None where the confidence is below the threshold.
        confidence: in the likelier gender, 0.5 to 1.
        said: the likelier gender.
    """

    gender: str | None
    confidence: float
    said: str


@dataclass(frozen=True, eq=False)
class GenderModel:
    """A machine that scores faces, what its scores are worth, and thresholds to abstain below.

    It is plain arrays, so that it is saved without pickle and predicts without scikit-learn.

    Attributes:
        machine: whose positive scores are female.
        calibration: of its scores.
        held_out: what was measured on people left out of the fit; see `learn_gender`.
    """

    machine: FaceMachine
    calibration: Calibration
    held_out: dict[str, Any] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        """For people of unknown age; see `models.gender_calibration.Rule`."""
        return self.calibration.whole.threshold

    def score(self, faces: NDArray[Any]) -> FloatArray:
        """Signed distances from the boundary, (N,); positive is female. As `FaceMachine.score`, of (N, D) faces."""
        return self.machine.score(faces)

    def probability_of_score(self, scores: FloatArray, ages: NDArray[Any] | None = None) -> FloatArray:
        """P(female) of (N,) scores, calibrated; ages in years, nan where unknown, as all are without."""
        return self.calibration.probability(scores, ages)

    def predict_proba(self, faces: NDArray[Any], ages: NDArray[Any] | None = None) -> FloatArray:
        """Calibrated probabilities, (N, 2), columns in the order of `datasets.labels.GENDERS`; ages as above."""
        female = self.probability_of_score(self.score(faces), ages)
        return np.stack([1 - female, female], axis=1)

    def thresholds_for(self, ages: NDArray[Any]) -> FloatArray:
        """The thresholds for people of these ages in years, nan where unknown; (N,)."""
        return self.calibration.thresholds(ages)

    def decide(self, scores: FloatArray, age: float | None = None) -> Decision:
        """One decision for one person from the scores of their photos.

        Args:
            scores: (N,) of `score`, N at least 1; they are averaged. The calibration is of single photos, so that of
                several is on the careful side.
            age: in years, where it is known.

        Returns:
            The decision.
        """
        return decide(self.calibration, float(np.mean(scores)), age)

    def save(self, path: Path) -> None:
        """Writes the model as one `.npz`, atomically and without pickle."""
        rules, knots = calibration_to_dict(self.calibration)
        head = {"format": _FORMAT, "held_out": self.held_out, "calibration": rules, **self.machine.scalars()}
        with atomic_write(path) as temporary, Path(temporary).open("wb") as handle:
            arrays: dict[str, Any] = {**self.machine.arrays(), **knots}
            np.savez(handle, head=np.array(json.dumps(head)), **arrays)

    @classmethod
    def load(cls, path: Path) -> GenderModel:
        """Reads what `save` wrote.

        Raises:
            GenderModelError: the file is missing, broken, or of another format.
        """
        if not Path(path).is_file():
            raise GenderModelError(f"no gender model at {path}: pass the file that GenderModel.save wrote")
        try:
            with np.load(path, allow_pickle=False) as stored:
                head = json.loads(str(stored["head"]))
                held = {name: stored[name] for name in stored if name != "head"}
            if head["format"] != _FORMAT:
                raise GenderModelError(f"{path} holds a gender model of another format: fit and save it again")
            knots = {name: np.asarray(each, dtype=np.float64) for name, each in held.items() if name not in ARRAYS}
            calibration = calibration_from_dict(head["calibration"], knots)
            model = cls(machine_from(head, held), calibration, dict(head["held_out"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise GenderModelError(f"{path} is not a saved gender model ({error}): fit and save it again") from error
        if not model.machine.fits():
            raise GenderModelError(f"{path} holds a gender model of another format: fit and save it again")
        return model


def decide(calibration: Calibration, score: float, age: float | None) -> Decision:
    """The decision on one person.

    Args:
        calibration: of the scores.
        score: the mean of the person's photos'.
        age: in years, where it is known.
    """
    ages = np.array([np.nan if age is None else age])
    female = float(calibration.probability(np.array([score]), ages)[0])
    confidence = max(female, 1 - female)
    said = GENDERS[int(female >= 0.5)]
    return Decision(said if confidence >= calibration.thresholds(ages)[0] else None, confidence, said)
