"""What a label counts in training, by where it comes from and how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.heads import HEADS, MISSING, SIZES

if TYPE_CHECKING:
    from models.settings import TrainSettings

FROM: Final = {"mask": "mask_from", "gender": "gender_from", "age_group": "age_from"}
CONFIDENCE: Final = {"mask": "mask_confidence", "gender": "gender_confidence", "age_group": "age_confidence"}


def label_weights(frame: pd.DataFrame, settings: TrainSettings) -> NDArray[np.float32]:
    """What each label of each row counts in the loss.

    That is `synthetic_weight` for a variant's, times `pseudo_weight` for a pseudo-label; and with trust `confidence`,
    times how sure a label is that wasn't given: its confidence, rescaled so that chance, one by the number of classes,
    is 0 and certainty 1. A pseudo-label without a confidence is at chance then, others without one have not been
    doubted. A given label counts in full whatever its confidence: that of an age, by `palette check-ages`, says what
    faces can tell, and `age_confidence` keeps the doubtful ones out.

    Args:
        frame: N rows of a manifest.
        settings: `trust`, `pseudo_weight`, `synthetic_weight`.

    Returns:
        (N, 3) float32, >= 0.
    """
    variant = frame["parent_id"].notna().to_numpy(dtype=bool)
    of_row = np.where(variant, settings.synthetic_weight, 1.0)
    columns = []
    for name, size in zip(HEADS, SIZES, strict=True):
        pseudo = frame[FROM[name]].eq("pseudo").to_numpy(dtype=bool)
        weights = of_row * np.where(pseudo, settings.pseudo_weight, 1.0)
        if settings.trust == "confidence":
            given = frame[FROM[name]].eq("given").to_numpy(dtype=bool)
            weights = weights * np.where(given, 1.0, _sureness(frame[CONFIDENCE[name]], pseudo, size))
        columns.append(weights)
    return np.stack(columns, axis=1).astype(np.float32)


def origins(frame: pd.DataFrame, codes: NDArray[np.int64], weights: NDArray[np.float32]) -> dict[str, Any]:
    """Where the labels that teach come from: by head and origin how many there are, and what they count together.

    Args:
        frame: N rows of a manifest.
        codes: (N, 3) of `models.heads`, -1 for a label that isn't used.
        weights: (N, 3) of `label_weights`.
    """
    found: dict[str, Any] = {}
    for at, name in enumerate(HEADS):
        used = codes[:, at] != MISSING
        table = pd.DataFrame({"of": frame[FROM[name]].to_numpy()[used], "weight": weights[used, at].astype(np.float64)})
        found[name] = {
            str(origin): {"labels": len(group), "weight": round(float(group["weight"].sum()), 3)}
            for origin, group in table.groupby("of", sort=True)
        }
    return found


def _sureness(confidence: pd.Series[Any], pseudo: NDArray[np.bool_], size: int) -> NDArray[np.float64]:
    """(N,) 0 for a confidence at chance's or below, 1 for certainty."""
    chance = 1 / size
    sure = confidence.to_numpy(dtype=np.float64, na_value=np.nan)
    sure = np.where(np.isnan(sure), np.where(pseudo, chance, 1.0), sure)
    return np.clip((sure - chance) / (1 - chance), 0.0, 1.0)
