"""Fitting a machine once more, to those it learned from and to others who join them with an answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.calibration import Codes, FloatArray
from models.face_machine import FaceMachine, kernel, parts, standardised
from models.machine_fit import WIDTH, Fitted, MachineFit, fit_part, machine_of, score_part

NOT_LEARNED = -1
"""In place of an answer, of a photo that isn't learned from."""


def fit_joined(first: MachineFit, vectors: FloatArray, yes: Codes) -> FaceMachine:
    """A machine whose numbers are standardised, and whose parts weigh, as in the first.

    Args:
        first: fitted to some of the photos.
        vectors: (N, D) of all.
        yes: (N,) 1 or 0.
    """
    x = standardised(vectors, first.machine.mean, first.machine.scale)
    found: list[Fitted] = []
    for part, unit in zip(parts(first.machine.blocks), first.units, strict=True):
        found.append(fit_part(kernel(x[:, part], x[:, part], WIDTH), yes, unit))
    return machine_of(first.machine.mean, first.machine.scale, x, found)


def score_by_folds(first: MachineFit, vectors: FloatArray, learned: Codes, asked: NDArray[np.bool_]) -> FloatArray:
    """What as many machines as there are folds say, each fitted to photos of its own choice.

    Args:
        first: whose standardisation and units they share.
        vectors: (N, D).
        learned: (F, N) the answer that each of them learns of a photo, 1 or 0, or `NOT_LEARNED`.
        asked: (F, N) which photos it is asked about.

    Returns:
        (F, N) scores; nan where it isn't asked.
    """
    x = standardised(vectors, first.machine.mean, first.machine.scale)
    scores = np.where(asked, 0.0, np.nan)
    for part, unit in zip(parts(first.machine.blocks), first.units, strict=True):
        values = kernel(x[:, part], x[:, part], WIDTH)
        for number, answers in enumerate(learned):
            ask = np.flatnonzero(asked[number])
            scores[number, ask] += score_part(values, answers, np.flatnonzero(answers != NOT_LEARNED), ask) / unit
    return scores
