"""The data report: one HTML page that stands alone, put together from counts, charts and contact sheets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from datasets.atomic import atomic_write
from pipelines.report import pairs, sections
from pipelines.report.genders import genders as genders_section
from pipelines.report.learning import ages_part
from pipelines.report.licensing import licences
from pipelines.report.text import visible

if TYPE_CHECKING:
    from pipelines.gender_sheets import GenderTables

CONTENTS = (
    ("overview", "Overview"),
    ("classes", "Classes"),
    ("sources", "Sources"),
    ("crossings", "Crossings"),
    ("ages", "Ages"),
    ("variants", "Variants"),
    ("labels", "Labels"),
    ("genders", "Genders"),
    ("folds", "Folds"),
    ("photos", "Photos"),
    ("duplicates", "Duplicates"),
    ("refusals", "Refusals"),
    ("licences", "Licences"),
)


def write_report(
    out: Path,
    *,
    merged: pd.DataFrame,
    root: Path,
    refusals: pd.DataFrame,
    excluded: pd.DataFrame | None = None,
    base_source: str = "competition",
    title: str = "Data report",
    made_at: str = "",
    places: Mapping[str, Path] | None = None,
    card: Path | None = None,
    genders: GenderTables | None = None,
) -> Path:
    """Write the report on a merged manifest: one HTML file that asks for nothing from anywhere.

    The same arguments and photos give the same bytes: the page holds no time unless `made_at` brings one.

    Args:
        out: the HTML file; its folder is made.
        merged: a manifest; may be empty.
        root: the folder its paths are relative to. Photos that can't be read are counted and left out.
        refusals: columns photo_id, stage, reason, detail; may be empty.
        excluded: what the rules left out: columns source, licence, kind, rows, why; may be empty. None where that
            isn't known.
        base_source: the source whose own photos are "before"; all rows are "after".
        title: the page's heading.
        made_at: when it was made, in words; put at the foot.
        places: where refused photos lie, by photo id, so that they can be shown: those of a manifest that was read
            before anything was refused. One that isn't named is looked for under `root`.
        card: the data card, to which the page's head links by a relative path.
        genders: what the pseudo-label stage said of genders and of age groups, where it is known.

    Returns:
        `out`.

    Raises:
        datasets.errors.OutputError: the file can't be written.
    """
    frame = merged.reset_index(drop=True)
    page = (
        _environment()
        .get_template("template.html")
        .render(
            title=visible(title),
            style=Markup(files(__package__).joinpath("style.css").read_text(encoding="utf-8")),  # noqa: S704 (our own file)
            contents=CONTENTS,
            made_at=visible(made_at),
            photos=sections.photos(frame, root, base_source),
            card=_address(card, out),
            duplicates=pairs.pairs(refusals, frame, root, places or {}),
            refusals=sections.refusals(refusals, root, places or {}),
            licences=licences(frame, excluded),
            genders=genders_section(genders),
            filled_ages=ages_part(genders.told.ages if genders else None),
            **_counted(frame, refusals, base_source),
        )
    )
    with atomic_write(out) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return out


def _address(file: Path | None, page: Path) -> str:
    """How a page links to a file beside it or elsewhere; empty where there is none."""
    if file is None or not file.is_file():
        return ""
    relative = Path(os.path.relpath(file.resolve(), page.resolve().parent))
    return quote(os.fsencode(relative.as_posix()))  # bytes: names needn't be UTF-8


def _counted(frame: pd.DataFrame, refusals: pd.DataFrame, base_source: str) -> dict[str, Any]:
    """The sections that only count."""
    return {
        "lead": sections.lead(frame, base_source),
        "figures": sections.figures(frame, refusals, base_source),
        "warnings": sections.warnings(frame, base_source),
        "classes": sections.classes(frame, base_source),
        "sources": sections.sources(frame, base_source),
        "crossings": sections.crossings(frame, base_source),
        "ages": sections.ages(frame, base_source),
        "variants": sections.variants(frame),
        "labels": sections.labels(frame),
        "folds": sections.folds(frame),
    }


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
