"""Small manifests and drawn photos for the report's tests, and a reader of the page it makes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from datasets.manifest import make_manifest

VOID = {"meta", "link", "img", "br", "hr", "input"}
NO_EXCLUSIONS = pd.DataFrame(columns=["source", "licence", "kind", "rows", "why"])


def row(source: str, name: str, **values: Any) -> dict[str, Any]:
    """One row of a manifest; `values` override."""
    photo_id = f"{source}:{name}"
    return {
        "photo_id": photo_id,
        "path": f"photos/{source}/{name}",
        "sha256": hashlib.sha256(photo_id.encode()).hexdigest(),
        "width": 60,
        "height": 80,
        "source": source,
        "licence": "CC-BY-4.0",
        "person_id": photo_id,
    } | values


def variant(source: str, name: str, key: str, **values: Any) -> dict[str, Any]:
    """One row of a variant of `row(source, name)`."""
    photo_id = f"{source}:{name}#{key}"
    return (
        row(source, name)
        | {
            "photo_id": photo_id,
            "path": f"photos/{source}/{key}_{name}",
            "sha256": hashlib.sha256(photo_id.encode()).hexdigest(),
            "parent_id": f"{source}:{name}",
            "recipe_id": "r1",
            "seed": 1,
            "mask_from": "synthetic",
        }
        | values
    )


def population(seed: int = 5, people: int = 40) -> pd.DataFrame:
    """Base photos of some people, and variants of others, some without a gender or an age; deterministic."""
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(people):
        gender, age = str(rng.choice(["male", "female"])), float(rng.integers(18, 61))
        for mask in ("wear", "wear", "incorrect", "not_wear"):
            labels = {"mask": mask, "gender": gender, "age": age, "fold": index % 3}
            person = {"person_id": f"competition:{index}", "licence": "LicenseRef-competition"}
            rows.append(row("competition", f"{index}/{len(rows)}.jpg", **labels, **person))
        rows.extend(_made(rng, index))
    return make_manifest(rows)


def _made(rng: np.random.Generator, index: int) -> list[dict[str, Any]]:
    name = f"{index:05d}.jpg"
    known = rng.random() < 0.8
    labels: dict[str, Any] = {"fold": index % 3}
    if known:
        labels |= {"gender": str(rng.choice(["male", "female"])), "gender_from": "pseudo"}
        labels["gender_confidence"] = float(rng.uniform(0.9, 1.0))
    if rng.random() < 0.9:
        labels["age"] = float(rng.integers(2, 90))
    kinds = [("wear", "correct", "kf94"), ("incorrect", "nose_out", "cloth"), ("not_wear", None, None)]
    return [
        variant("folder", name, f"v{number}", mask=mask, wear_style=style, mask_type=kind, nose_covered=0.25, **labels)
        for number, (mask, style, kind) in enumerate(kinds)
    ]


def draw(root: Path, frame: pd.DataFrame, size: tuple[int, int] = (60, 80)) -> None:
    """Write a plain photo for each row, its colour from its id."""
    for photo_id, path in zip(frame["photo_id"], frame["path"], strict=True):
        colour = tuple(hashlib.sha256(photo_id.encode()).digest()[:3])
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(file)


@dataclass
class Page(HTMLParser):
    """A page taken apart; complains of tags that don't nest."""

    text: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(self.text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs)

    def _begin(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.faults.append(f"<{tag}> repeats an attribute")
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes another tag")
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.words.append(data)
        if "caption" in self._open:
            self._caption += data
        elif "td" in self._open or "th" in self._open:
            self._rows[-1][-1] += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every `tag`."""
        return [attrs for name, attrs in self.tags if name == tag]

    def row(self, caption: str, first: str) -> Sequence[str]:
        """The cells after `first` in the table of that caption."""
        return next(cells[1:] for cells in self.tables[caption] if cells and cells[0] == first)
