"""The report's section on pseudo-labelled genders: whether they can be believed, and who got one."""

from __future__ import annotations

from typing import Any

import pandas as pd

from datasets.labels import AGE_GROUPS
from datasets.wording import counted
from models.confidence import calibration_error, precision_by_coverage, reliability
from pipelines.gender_sheets import GenderTables, one_each
from pipelines.report.counts import UNKNOWN
from pipelines.report.curves import coverage_chart, reliability_chart
from pipelines.report.learning import gender_parts
from pipelines.report.tables import Cell, Head, Table, word
from pipelines.report.text import number, share, visible

REASONS = {
    "unsure": "not sure enough",
    "too_young": "too young",
    "no_embedding": "no face found",
    "masked_only": "seen masked only",
    "no_model": "no model",
    "given_genders_differ": "given genders differ",
}
"""Why people were not given a gender (`models.gender.PseudoLabelled.report`), in words."""


def genders(tables: GenderTables | None) -> dict[str, Any] | None:
    """What a model that has not seen people says of their given gender, and who without one was given one.

    Args:
        tables: as the pseudo-label stage wrote them.

    Returns:
        `text`, `reliability` and `coverage` (drawings, None where nothing was learned), `table` (None where nobody's
        gender was missing) and `parts` (of how it was learned); None without tables.
    """
    if tables is None or not len(tables.given) + len(tables.decided):
        return None
    people = one_each(tables.given)
    told: dict[str, Any] = {"text": _few(people), "reliability": None, "coverage": None}
    if len(people):
        told |= _believed(people)
    table = _by_age(tables.decided) if len(tables.decided) else None
    return told | {"table": table, "parts": gender_parts(tables.told)}


def _few(people: pd.DataFrame) -> str:
    return "" if len(people) else "There were too few people with a gender to learn from, so that none was filled in."


def _believed(people: pd.DataFrame) -> dict[str, Any]:
    confidence = people["confidence"].to_numpy(dtype=float)
    right, made = people["said"].eq(people["gender"]).to_numpy(), people["decided"].to_numpy(dtype=bool)
    decided = (float(made.mean()), float(right[made].mean())) if made.any() else None
    wrong = int((made & ~right).sum())
    sentences = [
        f"Learned from {counted(len(people), 'person', 'people')} whose gender is given. Asked of each of them, a "
        f"model that has not seen them says that one for {share(float(right.mean()))}; its confidence is off by "
        f"{calibration_error(confidence, right):.3f} in the mean.",
        f"At the thresholds in use, which may go by age, {share(decided[0])} are decided, and {share(decided[1])} of "
        "those rightly."
        if decided
        else "No confidence reaches the precision asked for, so that nobody is decided on.",
    ]
    if wrong:
        sentences.append(f"Given genders to look at again, since it would have decided otherwise: {number(wrong)}.")
    return {
        "text": " ".join(sentences),
        "reliability": reliability_chart(
            "gender-reliability", "How often confidences in a gender are right", reliability(confidence, right)
        ),
        "coverage": coverage_chart(
            "gender-coverage",
            "Share of genders decided, and share of those right",
            precision_by_coverage(confidence, right),
            decided,
        ),
    }


def _by_age(decided: pd.DataFrame) -> Table:
    groups = decided["age_group"].where(decided["age_group"].isin(AGE_GROUPS), UNKNOWN)
    counts = pd.crosstab(groups, decided["reason"])
    counts = counts.reindex([name for name in (*AGE_GROUPS, UNKNOWN) if name in counts.index])
    if "pseudo" not in counts:
        counts["pseudo"] = 0
    known = [name for name in REASONS if name in counts]
    others = [*known, *(str(name) for name in counts if name not in ("pseudo", *known))]

    def cells(line: pd.Series[int]) -> list[Cell]:
        total, filled = int(line.sum()), int(line["pseudo"])
        figures = [Cell(number(total)), Cell(number(filled)), Cell(share(filled / total))]
        return [*figures, *(Cell(number(int(line[name]))) for name in others)]

    heads = [Head("Age group", numeric=False), *(Head(name) for name in ("people", "labelled", "share"))]
    heads += [Head(REASONS.get(name, visible(name))) for name in others]
    return Table(
        "People without a gender, by age group",
        [heads],
        [[word(group), *cells(line)] for group, line in counts.iterrows()],
        [word("all"), *cells(counts.sum())] if len(counts) > 1 else None,
    )
