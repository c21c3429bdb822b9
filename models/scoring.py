"""How good the answers are: macro F1 and accuracy, over the 18 classes and head by head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
)

from datasets.labels import N_LABELS, label_name
from models.heads import HEADS, MISSING, WORDS, to_labels

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Scores of one set of classes.

    Attributes:
        names: of the classes, in order.
        rows: how many photos were scored.
        macro_f1: mean F1 over **all** classes; one that neither truth nor answers hold counts 0, as in a test set
            where every class is due.
        macro_f1_present: mean F1 over the classes that the truth holds.
        accuracy: share of right answers.
        f1: (C,) of each class.
        confusion: (C, C) counts, truth down, answers across.
    """

    names: tuple[str, ...]
    rows: int
    macro_f1: float
    macro_f1_present: float
    accuracy: float
    f1: NDArray[np.float64]
    confusion: IntArray

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes that the truth doesn't hold."""
        return tuple(name for name, count in zip(self.names, self.confusion.sum(axis=1), strict=True) if count == 0)

    def to_dict(self) -> dict[str, Any]:
        """The scores as JSON takes them."""
        support = self.confusion.sum(axis=1).tolist()
        return {
            "rows": self.rows,
            "macro_f1": self.macro_f1,
            "macro_f1_present": self.macro_f1_present,
            "accuracy": self.accuracy,
            "absent": list(self.absent),
            "per_class": {
                name: {"f1": float(f1), "rows": rows}
                for name, f1, rows in zip(self.names, self.f1, support, strict=True)
            },
            "confusion": self.confusion.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores over the 18 classes and by head; a head is scored on every row that has its label.

    Attributes:
        label: over the 18 classes.
        heads: `mask`, `gender` and `age_group`.
    """

    label: ClassScores
    heads: dict[str, ClassScores]

    @property
    def macro_f1(self) -> float:
        """What models are compared by: macro F1 of the classes; where heads are missing, the mean of those answered."""
        if self.label.rows:
            return self.label.macro_f1
        return float(np.mean([each.macro_f1 for each in self.heads.values() if each.rows] or [0.0]))

    def to_dict(self) -> dict[str, Any]:
        """The scores as JSON takes them: those of the 18 classes, and `heads`."""
        return {**self.label.to_dict(), "heads": {name: each.to_dict() for name, each in self.heads.items()}}


def score(truth: IntArray, answers: IntArray) -> Scores:
    """Scores answers against the truth.

    Args:
        truth: (N, 3) codes of `models.heads`, -1 for a label that is missing.
        answers: (N, 3) codes likewise, -1 where the model gives no answer: that counts neither for nor against it.
    """
    names = tuple(label_name(label) for label in range(N_LABELS))
    heads = {name: _score_classes(truth[:, at], answers[:, at], WORDS[at]) for at, name in enumerate(HEADS)}
    return Scores(_score_classes(to_labels(truth), to_labels(answers), names), heads)


def _score_classes(truth: IntArray, answers: IntArray, names: tuple[str, ...]) -> ClassScores:
    known = (truth != MISSING) & (answers != MISSING)
    size = len(names)
    if not known.any():
        return ClassScores(names, 0, 0.0, 0.0, 0.0, np.zeros(size), np.zeros((size, size), dtype=np.int64))
    target, given = torch.from_numpy(truth[known]), torch.from_numpy(answers[known])
    f1 = multiclass_f1_score(given, target, num_classes=size, average="none").double().numpy()
    confusion = multiclass_confusion_matrix(given, target, num_classes=size).numpy().astype(np.int64)
    present = confusion.sum(axis=1) > 0
    return ClassScores(
        names=names,
        rows=int(known.sum()),
        macro_f1=float(f1.mean()),
        macro_f1_present=float(f1[present].mean()),
        accuracy=float(multiclass_accuracy(given, target, num_classes=size, average="micro")),
        f1=f1,
        confusion=confusion,
    )
