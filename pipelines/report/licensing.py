"""The licences section: what each licence brought, what was left out, and what each rule says of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from datasets.licences import find_licence
from datasets.rules import RULES, admit
from pipelines.report import tallies
from pipelines.report.text import NOTHING, number, visible

TEXT = "Which licences the photos come under, and what was left out for theirs."
KEPT_ALONE = "Which licences the photos come under; what was left out for theirs isn't known here."
DECIDE = "Rules decide by the kind of a licence; an owner's permission is given at ingest."


def licences(frame: pd.DataFrame, excluded: pd.DataFrame | None) -> dict[str, Any]:
    """A row for each licence and source, kept or left out, with the verdict of every rule there is.

    Args:
        frame: the merged manifest.
        excluded: what the rules left out; None where that isn't known.
    """
    rows = [_row(row) for row in tallies.licence_counts(frame, excluded).to_dict("records")]
    rules = [{"name": rule.name, "note": rule.note} for rule in RULES.values()]
    return {"rows": rows, "rules": rules, "text": f"{KEPT_ALONE if excluded is None else TEXT} {DECIDE}"}


def _row(row: dict[Any, Any]) -> dict[str, Any]:
    terms = find_licence(row["licence"])
    verdicts = {name: admit(name, row["licence"]) for name in RULES}
    excluding = [why for admitted, why in verdicts.values() if not admitted]
    return {
        "licence": visible(row["licence"], 60),
        "name": visible(terms.name, 60) if terms.name != terms.id else "",
        # Only our own table's addresses, and only as links that a reader follows.
        "url": terms.url if terms.url.startswith("https://") else "",
        "source": visible(row["source"]),
        "kind": terms.kind.replace("_", " "),
        "kept": number(row["kept"]),
        "excluded": number(row["excluded"]),
        "left_out": row["excluded"] > 0,
        "verdicts": [(name, admitted) for name, (admitted, _) in verdicts.items()],
        "why": visible(row["why"] or next(iter(excluding), terms.note)) or NOTHING,
    }
