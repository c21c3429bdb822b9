"""Age groups for photos that lack one: learned from people whose age is given, with a confidence and an abstention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datasets.labels import AGE_GROUPS
from datasets.manifest import validate_manifest, with_labels, without_mask
from models.age_fit import AgeModel, learn_ages
from models.errors import TooFewLabelsError
from models.gender_people import speaking, told

AGES_COLUMNS: Final = ["person_id", "photo_id", "said", "confidence", "reason"]


@dataclass(frozen=True)
class PseudoAged:
    """A manifest with age groups filled in, and an account of how.

    Attributes:
        manifest: valid; the rows that were filled have `age_from` = `pseudo` and an `age_confidence`, and no `age`.
        report: `status` (`labelled`, `nothing_missing` or `abstained`), `reason` (why it abstained altogether, else
            None), `labelled_people` learned from, `held_out` (see `models.age_fit.learn_ages`), `thresholds` by group
            (None where it is never said), `people_missing`, `people_filled`, `filled_by_group` (people), `rows_filled`,
            and `abstained`: people by reason (`unsure`, `no_embedding`: no bare face, `given_on_another_photo`,
            `no_model`).
        decided: people whose age group was looked for, `person_id, photo_id, said, confidence, reason`: of one photo
            each, the likeliest group, the confidence in it, and why it was filled in (`pseudo`) or not; the least sure
            first, and last those of whom nothing was said.
    """

    manifest: pd.DataFrame
    report: dict[str, Any]
    decided: pd.DataFrame


def teaching_ages(frame: pd.DataFrame) -> pd.Series[bool]:
    """Photos, no variants, without a mask and with an age group given or corrected: what a guess teaches is a guess."""
    return told(frame, "age_group", "age_from") & frame["parent_id"].isna() & without_mask(frame)


def pseudo_ages(
    manifest: pd.DataFrame,
    embeddings: Mapping[str, NDArray[np.floating[Any]]],
    *,
    precision: float = 0.97,
    seed: int = 0,
) -> PseudoAged:
    """Fills in the age group of rows without one, by one decision a person.

    Who has an age group on another photo gets none: the photos may be years apart. Nor does anybody who is seen with a
    mask only, which hides what tells an age.

    Args:
        manifest: valid; not changed.
        embeddings: (D,) by `photo_id`, of `gender_embedder`; photos may be missing from it.
        precision: share of right decisions to reach on held-out people in each group; below it the model abstains.
        seed: of the fit.

    Returns:
        The filled manifest and the report. With too few labelled people nothing is filled and the report says why.
    """
    frame = validate_manifest(manifest)
    missing, people = frame["age_group"].isna(), frame["person_id"]
    report: dict[str, Any] = {
        "status": "nothing_missing",
        "reason": None,
        "labelled_people": 0,
        "held_out": None,
        "thresholds": {},
        "people_missing": int(people[missing].nunique()),
        "people_filled": 0,
        "filled_by_group": {},
        "rows_filled": 0,
        "abstained": {},
    }
    if not missing.any():
        return PseudoAged(frame, report, pd.DataFrame(columns=AGES_COLUMNS))
    model = _learn(frame[teaching_ages(frame)], embeddings, precision, seed, report)
    decided = _decide(frame, missing, embeddings, model)
    made = decided[decided["reason"].eq("pseudo")].set_index("person_id")
    rows = missing & people.isin(made.index)
    filled = frame.copy()
    filled.loc[rows, "age_group"] = made["said"].loc[people[rows]].tolist()
    filled.loc[rows, "age_from"] = "pseudo"
    filled.loc[rows, "age_confidence"] = made["confidence"].loc[people[rows]].to_numpy(dtype=np.float64)
    abstained = Counter(decided.loc[decided["reason"].ne("pseudo"), "reason"].tolist())
    report |= {
        "status": "labelled" if len(made) else "abstained",
        "people_filled": len(made),
        "filled_by_group": {name: int(made["said"].eq(name).sum()) for name in AGE_GROUPS},
        "rows_filled": int(rows.sum()),
        "abstained": dict(sorted(abstained.items())),
    }
    return PseudoAged(validate_manifest(with_labels(filled)), report, decided)


def _learn(
    teachers: pd.DataFrame, embeddings: Mapping[str, Any], precision: float, seed: int, report: dict[str, Any]
) -> AgeModel | None:
    rows = teachers[teachers["photo_id"].isin(list(embeddings))]
    names = rows["person_id"].to_numpy(dtype=str)
    report["labelled_people"] = len(np.unique(names))
    vectors = [np.asarray(embeddings[each], dtype=np.float64) for each in rows["photo_id"]]
    faces = np.stack(vectors) if vectors else np.zeros((0, 1))
    groups, sources = rows["age_group"].to_numpy(dtype=str), rows["source"].to_numpy(dtype=str)
    try:
        model = learn_ages(faces, groups, names, seed, precision=precision, sources=sources)
    except TooFewLabelsError as error:
        report["reason"] = str(error)
        return None
    thresholds = zip(AGE_GROUPS, model.thresholds, strict=True)
    report |= {
        "held_out": model.held_out,
        "thresholds": {name: each if each <= 1 else None for name, each in thresholds},
    }
    if min(model.thresholds) > 1:
        report["reason"] = (
            f"on {model.held_out['people']} held-out people no confidence reached a precision of {precision:g} in any "
            "age group: ask for a lower precision or add people with an age"
        )
    return model


def _decide(
    frame: pd.DataFrame, missing: pd.Series[bool], embeddings: Mapping[str, Any], model: AgeModel | None
) -> pd.DataFrame:
    """`PseudoAged.decided`."""
    people = frame["person_id"]
    told: dict[str, tuple[str, str, float, str]] = {
        str(person): ("", "", np.nan, "no_embedding") for person in people[missing].unique()
    }
    bare = frame[missing & speaking(frame, embeddings).bare].sort_values("photo_id")
    for person, photos in bare.groupby("person_id"):
        if model is None:
            told[str(person)] = ("", "", np.nan, "no_model")
            continue
        faces = np.stack([np.asarray(embeddings[each], dtype=np.float64) for each in photos["photo_id"]])
        chances = model.probability_of_score(model.score(faces).mean(axis=0, keepdims=True))
        reason = "pseudo" if model.made(chances)[0] else "unsure"
        said = AGE_GROUPS[int(chances[0].argmax())]
        told[str(person)] = (str(photos["photo_id"].iloc[0]), said, float(chances.max()), reason)
    for person in people[~missing & people.isin(list(told))].unique():
        told[str(person)] = ("", "", np.nan, "given_on_another_photo")
    rows = [(person, *each) for person, each in told.items()]
    decided = pd.DataFrame(rows, columns=AGES_COLUMNS).astype({"confidence": "float64"})
    return decided.sort_values(["confidence", "person_id"], ignore_index=True)
