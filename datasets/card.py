"""The data card: what a merged manifest holds, where it comes from, what may be done with it and what it lacks.

Markdown, written from the manifest and the tables beside it alone, so that it can't say anything else than they do. It
names no time: the same tables give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from datasets.atomic import atomic_write
from datasets.card_limits import limits
from datasets.disputes import DISPUTED
from datasets.labels import AXES, LABEL_FROM, N_LABELS, label_name
from datasets.licences import ASKS, find_licence
from datasets.markdown import escape, fenced, link, table
from datasets.origins import EMBEDDING, LANDMARKS, Origin, origin_of
from datasets.rules import RULES, admit
from datasets.wording import counted

CARD: Final = "DATACARD.md"


def data_card(
    manifest: pd.DataFrame,
    *,
    refusals: pd.DataFrame,
    excluded: pd.DataFrame | None = None,
    disputed: pd.DataFrame | None = None,
    rules: str | None = None,
    title: str = "Data card",
) -> str:
    """Describes a merged manifest.

    Args:
        manifest: Valid; may be empty.
        refusals: A table of refusals.
        excluded: What the rules left out: source, licence, kind, rows, why; None where that isn't known.
        disputed: From `datasets.disputes.disputes`; None where that isn't known.
        rules: Those it was merged under; None where that isn't known.
        title: The heading.

    Returns:
        Markdown.
    """
    sections = (
        f"# {escape(title)}\n\n{_lead(manifest, rules)}",
        _sources(manifest),
        _classes(manifest),
        _licences(manifest, rules),
        _disputed(disputed),
        _left_out(excluded, refusals),
        _labels(manifest),
        _variants(manifest),
        _folds(manifest),
        "## Limits\n\n" + "".join(f"- {line}\n" for line in limits(manifest)),
        _citations(manifest),
    )
    return "\n".join(section for section in sections if section)


def write_card(text: str, folder: Path) -> Path:
    """Writes a card as CARD into a folder; returns its path.

    Raises:
        OutputError: If it can't be written.
    """
    with atomic_write(folder / CARD) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return folder / CARD


def _variant(frame: pd.DataFrame) -> pd.Series[bool]:
    return frame["parent_id"].notna()


def _sizes(frame: pd.DataFrame) -> list[str]:
    """Photos, variants and persons, as cells."""
    made = int(_variant(frame).sum())
    return [f"{len(frame) - made:,}", f"{made:,}", f"{frame['person_id'].nunique():,}"]


def _lead(frame: pd.DataFrame, rules: str | None) -> str:
    made = int(_variant(frame).sum())
    persons, sources = counted(frame["person_id"].nunique(), "person"), counted(frame["source"].nunique(), "source")
    under = f" Merged under the rules `{rules}`: {RULES[rules].note}." if rules in RULES else ""
    return (
        f"{counted(len(frame) - made, 'photo')} of faces and {counted(made, 'variant')}: a variant is a photo with a "
        f"mask drawn on, or one that went through the same steps without. {persons}, {sources}. Labels say how a mask "
        f"is worn, the gender and the age group.{under}\n"
    )


def _sources(frame: pd.DataFrame) -> str:
    rows = []
    for source, part in frame.groupby("source", sort=True):
        origin = origin_of(str(source))
        versions = sorted(part["source_version"].dropna().unique().tolist())
        licences = sorted(part["licence"].unique().tolist())
        rows.append(
            [escape(source), link(origin.name, origin.home), *_sizes(part), _listed(licences), _listed(versions) or "-"]
        )
    heads = ("source", "dataset", "photos", "variants", "persons", "licence", "version")
    return f"## Sources\n\n{table(heads, rows, numbers=(2, 3, 4))}"


def _listed(values: Sequence[Any], most: int = 6) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(escape(value) for value in values[:most]) + more


def _classes(frame: pd.DataFrame) -> str:
    groups = dict(iter(frame[frame["label"].notna()].groupby("label")))
    rows = [[str(label), label_name(label), *_sizes(groups.get(label, frame.iloc[:0]))] for label in range(N_LABELS)]
    rows.append(["-", "not all three labels known", *_sizes(frame[frame["label"].isna()])])
    by_class = table(("label", "class", "photos", "variants", "persons"), rows, numbers=(0, 2, 3, 4))
    axes = []
    for axis, values in AXES.items():
        axes += [[axis, value, *_sizes(frame[frame[axis].eq(value)])] for value in values]
        axes.append([axis, "unknown", *_sizes(frame[frame[axis].isna()])])
    by_axis = table(("label", "value", "photos", "variants", "persons"), axes, numbers=(2, 3, 4))
    return f"## Counts\n\n`label = mask * 6 + gender * 3 + age group`.\n\n{by_class}\n{by_axis}"


def _licences(frame: pd.DataFrame, rules: str | None) -> str:
    rows = []
    for licence, part in frame.groupby("licence", sort=True):
        terms, count = find_licence(str(licence)), len(part)
        whose = sorted(part["source"].unique().tolist())
        named = link(terms.name, terms.url)
        row = [escape(terms.id), named, terms.kind.replace("_", " "), f"{count:,}", _listed(whose), ASKS[terms.kind]]
        rows.append([*row, *("yes" if admit(rule, terms.id)[0] else "no" for rule in RULES)])
    others = "The other rules" if rules in RULES else "The rules"
    heads = ("licence", "terms", "kind", "rows", "sources", "asks of you", *(f"for {rule}" for rule in RULES))
    lead = "A variant comes under the licence of its photo. The terms themselves decide, not this table.\n"
    notes = [f"- `{rule.name}`: {rule.note}\n" for rule in RULES.values() if rule.name != rules]
    return f"## Licences\n\n{lead}\n{table(heads, rows, numbers=(3,))}\n{others}:\n\n{''.join(notes)}"


def _disputed(disputed: pd.DataFrame | None) -> str:
    if disputed is None or disputed.empty:
        return ""
    named = ["source", "licence", "other_source", "other_licence"]
    counts = disputed.groupby(named, sort=True).size().reset_index(name="count")
    rows = [[*(escape(row[name]) for name in named), f"{row['count']:,}"] for row in counts.to_dict("records")]
    heads = ("source", "licence", "also in", "where its licence is", "rows")
    return (
        "## Licences in dispute\n\nThese rows show pictures that other records have too, under a licence that the "
        "rules exclude. Each was taken at its word; whoever copied a photo may have said of it what they liked. "
        f"`{DISPUTED}` beside the manifest has each of them.\n\n{table(heads, rows, numbers=(4,))}"
    )


def _left_out(excluded: pd.DataFrame | None, refusals: pd.DataFrame) -> str:
    parts = ["## What was left out\n"]
    if excluded is None:
        parts.append("What licences kept out isn't known here: this card was made of a manifest, not by its merge.\n")
    elif len(excluded):
        rows = [
            [escape(row["source"]), escape(row["licence"]), f"{int(row['rows']):,}", escape(row["why"])]
            for row in excluded.sort_values(["source", "licence"]).to_dict("records")
        ]
        parts.append("By the rules, for their licences:\n")
        parts.append(table(("source", "licence", "rows", "why"), rows, numbers=(2,)))
    else:
        parts.append("The rules left nothing out.\n")
    if len(refusals):
        counts = refusals.groupby(["stage", "reason"], sort=True).size().reset_index(name="count")
        rows = [[escape(row["stage"]), escape(row["reason"]), f"{row['count']:,}"] for row in counts.to_dict("records")]
        parts.append("Refused, all stages together; the `refusals.csv` beside the manifest has each of them:\n")
        parts.append(table(("stage", "reason", "refusals"), rows, numbers=(2,)))
    else:
        parts.append("Nothing was refused.\n")
    return "\n".join(parts)


def _labels(frame: pd.DataFrame) -> str:
    rows = []
    for name in ("mask", "gender", "age"):
        counts = frame[f"{name}_from"].value_counts()
        known = [int(counts.get(origin, 0)) for origin in LABEL_FROM]
        rows.append([name, *(f"{count:,}" for count in (*known, len(frame) - sum(known)))])
    parts = [
        "## Where labels come from\n",
        "`given` by the dataset; `corrected` by a list of its errors; `pseudo`, predicted, with a calibrated "
        "confidence; `synthetic`, known because the photo was made so. A variant has its photo's gender and age.\n",
        table(("label", *LABEL_FROM, "unknown"), rows, numbers=range(1, 6)),
    ]
    pseudo = frame.loc[frame["gender_from"].eq("pseudo").fillna(False), "gender_confidence"].dropna()
    if len(pseudo):
        parts.append(
            f"Predicted genders have confidences of {pseudo.min():.3f} to {pseudo.max():.3f}, {pseudo.median():.3f} in "
            f"the median; less certain ones were left unknown. They rest on {link(EMBEDDING.name, EMBEDDING.home)}: "
            f"{EMBEDDING.terms[0].lower()}{EMBEDDING.terms[1:]}\n"
        )
    return "\n".join(parts)


def _variants(frame: pd.DataFrame) -> str:
    made = frame[_variant(frame)]
    if made.empty:
        return ""
    styles = made["wear_style"].fillna("no mask").value_counts().sort_index()
    kinds = made["mask_type"].fillna("no mask").value_counts().sort_index()
    return "\n".join(
        (
            "## How variants were made\n",
            "Masks are drawn by code and laid over the photo along 68 landmarks; how much of nose, mouth and chin they "
            "cover is measured on the finished picture and decides the mask state. `recipe_id`, `seed` and `parent_id` "
            "of the manifest say how each was made, and of which photo.\n",
            table(("wear style", "variants"), [[escape(k), f"{n:,}"] for k, n in styles.items()], numbers=(1,)),
            table(("mask type", "variants"), [[escape(k), f"{n:,}"] for k, n in kinds.items()], numbers=(1,)),
            f"**Terms of the landmark model.** {link(LANDMARKS.name, LANDMARKS.home)}: {LANDMARKS.terms} This holds "
            "for every variant here, whatever its photo's licence, unless its landmarks came from elsewhere.\n",
        )
    )


def _folds(frame: pd.DataFrame) -> str:
    placed = frame[frame["fold"].notna()]
    if placed.empty:
        return ""
    split = int((placed.groupby("person_id")["fold"].nunique() > 1).sum())
    rows = [[str(fold), *_sizes(part)] for fold, part in placed.groupby("fold", sort=True)]
    told = f"**{counted(split, 'person is', 'persons are')} in more than one.**"
    sound = told if split else "No person is in two of them."
    heads = ("fold", "photos", "variants", "persons")
    return f"## Folds\n\n{sound} A variant is in its photo's fold.\n\n{table(heads, rows, numbers=range(4))}"


def _citations(frame: pd.DataFrame) -> str:
    origins: list[Origin] = [origin_of(str(source)) for source in sorted(frame["source"].unique().tolist())]
    if _variant(frame).any():
        origins.append(LANDMARKS)
    parts = ["## Citations\n"]
    for origin in origins:
        said = fenced(origin.bibtex, "bibtex") if origin.bibtex else f"{origin.reference or 'None is known.'}\n"
        terms = f" {origin.terms}" if origin.terms and origin is not LANDMARKS else ""
        parts.append(f"**{link(origin.name, origin.home)}.**{terms}\n\n{said}")
    return "\n".join(parts)


def citations(frame: pd.DataFrame) -> str:
    """Returns the BibTeX of a manifest's sources, each once; empty where no owner gives any."""
    entries = [origin_of(str(source)).bibtex.strip() for source in sorted(frame["source"].unique().tolist())]
    return "\n\n".join(dict.fromkeys(entry for entry in entries if entry))
