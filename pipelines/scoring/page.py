"""The page of a score: one HTML file that stands alone, in the style of the data report."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from datasets.atomic import atomic_write
from pipelines.report.tables import Cell, Head, Table, word
from pipelines.report.text import NOTHING, number, share, visible
from pipelines.scoring.figures import DIMENSIONS, Figures
from pipelines.scoring.inputs import Scored

if TYPE_CHECKING:
    from models.breakdowns import Figure, Part
    from models.scoring import ClassScores

PAGE = "index.html"
_HEADS = {"mask": "Mask state", "gender": "Gender", "age_group": "Age group"}


@dataclass(frozen=True)
class Section:
    """One section of the page."""

    id: str
    name: str
    texts: Sequence[str] = ()
    figures: Sequence[Mapping[str, str]] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[tuple[str, str]] = field(default=())


def write_page(out: Path, scored: Scored, figures: Figures, pictures: Mapping[str, Path], *, title: str) -> Path:
    """Write the page; the same figures and pictures give the same bytes.

    Args:
        out: The HTML file.
        scored: What was scored.
        figures: What it came to.
        pictures: `confusion`, `confusion_heads`, `worst` and `confidence_HEAD`, those there are.
        title: The heading.

    Raises:
        OutputError: It can't be written.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(__package__, "."), PackageLoader("pipelines.report", ".")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    style = files("pipelines.report").joinpath("style.css").read_text(encoding="utf-8")
    page = environment.get_template("template.html").render(
        title=visible(title),
        style=Markup(style),  # noqa: S704 (our own file)
        lead=visible(scored.said),
        sections=list(_sections(scored, figures, {name: _uri(path) for name, path in pictures.items()})),
    )
    with atomic_write(out) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")
    return out


def _sections(scored: Scored, figures: Figures, pictures: Mapping[str, str]) -> list[Section]:
    heads = {name: each for name, each in figures.scores.heads.items() if each.rows}
    sections = [
        Section("overview", "Overview", _texts(scored, figures), _overview(figures)),
        Section(
            "classes",
            "Classes",
            tables=[_class_table("By class", figures.scores.label)] if figures.scores.label.rows else [],
            pictures=_shown(pictures, confusion="Truth down, answers across"),
        ),
        Section(
            "heads",
            "Mask state, gender, age group",
            tables=[_class_table(_HEADS[name], each) for name, each in heads.items()],
            pictures=_shown(pictures, confusion_heads="Truth down, answers across"),
        ),
    ]
    if figures.calibration:
        sections.append(
            Section(
                "calibration",
                "Calibration",
                [_CALIBRATION],
                tables=[_calibration_table(figures.calibration)],
                pictures=_shown(pictures, **{f"confidence_{name}": _HEADS[name] for name in _HEADS}),
            )
        )
    tables = [_part_table(DIMENSIONS[name], parts) for name, parts in figures.parts.items()]
    sections.append(Section("parts", "Where it errs", [_PARTS], tables=tables))
    if "worst" in pictures:
        sections.append(
            Section("worst", "Surest and wrong", [_WORST], pictures=_shown(pictures, worst="The surest wrong answers"))
        )
    return sections


_PARTS = (
    "Macro F1 is over the classes that the truth of a part holds, so that parts with few classes can be compared. In "
    "brackets: 95 % intervals from drawing the people again with replacement, 1,000 times."
)
_CALIBRATION = (
    "How far confidences are from the share that is right, over bins of confidence. A confidence is the chance of the "
    "likeliest word before cut-offs, and it is right where that word is."
)
_WHY_VARIANTS = "they show more of the mask states, genders and age groups than the real photos do"
_WORST = (
    "Each photo with what it is, what was said in its stead, and the chance given to the answer, before cut-offs; "
    "coloured where it speaks for that answer (Grad-CAM), if the models that answered it were at hand."
)


def _texts(scored: Scored, figures: Figures) -> list[str]:
    kind = "real photos" if figures.headline == "real" else f"variants: {_WHY_VARIANTS}"
    texts = [f"Where nothing else is said, figures are of {kind}."]
    if scored.rows is None:
        texts.append("No manifest was given: each photo counts as a person of its own.")
    absent = figures.scores.label.absent
    if figures.scores.label.rows and absent:
        texts.append(f"The truth holds none of {', '.join(absent)}: of the 18 classes these count 0.")
    return [visible(text) for text in (*texts, *scored.notes)]


def _overview(figures: Figures) -> list[dict[str, str]]:
    whole, label = figures.whole, figures.scores.label
    told = []
    if whole.macro_f1 is not None and whole.accuracy is not None:
        told += [
            {"name": "Macro F1, 18 classes", "value": f"{label.macro_f1:.4f}", "note": "absent classes count 0"},
            {"name": "of the classes present", "value": f"{whole.macro_f1.value:.4f}", "note": _range(whole.macro_f1)},
            {"name": "Accuracy", "value": f"{whole.accuracy.value:.4f}", "note": _range(whole.accuracy)},
        ]
    told += [
        {"name": f"Macro F1, {_HEADS[name].lower()}", "value": f"{each.value:.4f}", "note": _range(each)}
        for name, each in whole.heads.items()
    ]
    return [*told, {"name": "Photos", "value": number(whole.rows), "note": f"{number(whole.people)} people"}]


def _class_table(caption: str, scores: ClassScores) -> Table:
    right = np.diag(scores.confusion)
    true, given = scores.confusion.sum(axis=1), scores.confusion.sum(axis=0)
    worst = min((f1 for f1, count in zip(scores.f1, true, strict=True) if count), default=0.0)
    rows = [
        [
            Cell(name, numeric=False, strong=bool(true[at]) and scores.f1[at] == worst),
            Cell(number(int(true[at]))),
            Cell(_f1(float(scores.f1[at]) if true[at] else None), heat=float(scores.f1[at])),
            Cell(share(right[at] / given[at] if given[at] else None)),
            Cell(share(right[at] / true[at] if true[at] else None)),
        ]
        for at, name in enumerate(scores.names)
    ]
    total = [word("all"), Cell(number(scores.rows)), Cell(_f1(scores.macro_f1)), Cell(""), Cell(share(scores.accuracy))]
    names = [Head("", numeric=False), *(Head(name) for name in ("photos", "F1", "precision", "recall"))]
    return Table(caption, [names], rows, total)


def _calibration_table(calibration: Mapping[str, Mapping[str, float]]) -> Table:
    rows = [
        [
            word(_HEADS[name]),
            Cell(number(each["rows"])),
            Cell(f"{each['error']:.4f}"),
            Cell(share(each["confidence"])),
            Cell(share(each["accuracy"])),
        ]
        for name, each in calibration.items()
    ]
    names = [Head("", numeric=False), *(Head(name) for name in ("photos", "error", "mean confidence", "share right"))]
    return Table("Expected calibration error", [names], rows)


def _part_table(caption: str, parts: Sequence[Part]) -> Table:
    rows = [
        [
            word(part.name),
            Cell(number(part.rows)),
            Cell(number(part.people)),
            Cell(_with_range(part.macro_f1), heat=None if part.macro_f1 is None else part.macro_f1.value),
            Cell(_with_range(part.accuracy)),
            *(Cell(_with_range(part.heads.get(name))) for name in _HEADS),
        ]
        for part in parts
    ]
    top = [Head("", 3, numeric=False), Head("18 classes", 2), Head("Macro F1 of each head", len(_HEADS))]
    second = ["photos", "people", "macro F1", "accuracy", *(name.lower() for name in _HEADS.values())]
    return Table(caption, [top, [Head("", numeric=False), *(Head(name) for name in second)]], rows)


def _f1(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _range(figure: Figure) -> str:
    return "one person: no interval" if figure.low is None else f"{figure.low:.4f} to {figure.high:.4f}"


def _with_range(figure: Figure | None) -> str:
    if figure is None:
        return NOTHING
    return f"{figure.value:.3f}" + ("" if figure.low is None else f" [{figure.low:.3f}, {figure.high:.3f}]")


def _shown(pictures: Mapping[str, str], **captions: str) -> list[tuple[str, str]]:
    return [(caption, pictures[name]) for name, caption in captions.items() if name in pictures]


def _uri(path: Path) -> str:
    kind = "jpeg" if path.suffix == ".jpg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def to_json(scored: Scored, figures: Figures) -> dict[str, Any]:
    """What `score.json` holds."""
    return {"said": scored.said, "notes": list(scored.notes), **figures.to_dict()}
