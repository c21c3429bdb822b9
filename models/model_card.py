"""The card of a trained classifier: what it is for, what it learned from, how good it is, and what it may not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets.atomic import atomic_write
from datasets.licences import ASKS, LICENCES
from datasets.markdown import escape, fenced, table
from models.checkpoint import CheckpointConfig
from models.heads import HEADS

CARD = "MODEL_CARD.md"


def model_card(config: CheckpointConfig, metrics: dict[str, Any], path: Path) -> Path:
    """Writes the card of a run.

    Args:
        config: what the checkpoint says of itself.
        metrics: of `models.train.TrainResult`.
        path: of the Markdown file.

    Returns:
        The path.
    """
    sections = (
        _lead(config, metrics),
        _data(metrics["data"]),
        _scores(metrics),
        _limits(config),
        _recipe(metrics),
    )
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(sections), encoding="utf-8", newline="\n")
    return path


def _lead(config: CheckpointConfig, metrics: dict[str, Any]) -> str:
    answers = "one of 18 classes" if config.head == "single" else ", ".join(config.parts)
    cut = "about the face" if config.crop == "face" else "from its middle"
    origin = escape(config.origin) + (f", published under {escape(config.licence)}" if config.licence else "")
    return (
        f"# {escape(config.model)}: mask, gender and age group of a face\n\n"
        f"A classifier that looks at a photo of one face, {config.image_size} x {config.image_size} pixels {cut}, "
        f"and answers {answers}: whether a mask is worn, worn wrongly or not worn, one of two genders as the "
        "data's makers wrote them down, and an age below 30, from 30 to 59, or of 60 and more.\n\n"
        f"Its weights started from: {origin}. Epoch {metrics['best_epoch']} of {metrics['epochs']} was kept"
        + (", the best by macro F1 on the people held out.\n" if _is_chosen(metrics) else ".\n")
    )


def _data(data: dict[str, Any]) -> str:
    rows = [
        [escape(each["source"]), escape(each["licence"]), f"{each['photos']:,}", f"{each['variants']:,}"]
        for each in data["sources"]
    ]
    counts = data["rows"]
    asked = sorted({each["licence"] for each in data["sources"]} & LICENCES.keys())
    asks = "".join(f"- {escape(name)}: {ASKS[LICENCES[name].kind]}\n" for name in asked)
    return (
        "## What it learned from\n\n"
        f"{counts['train']:,} rows of {data['people']['train']:,} people. Scored on {counts['real']:,} photos and "
        f"{counts['synthetic']:,} variants of {data['people']['held_out']:,} other people.\n\n"
        + table(["source", "licence", "photos", "variants"], rows, numbers=(2, 3))
        + (f"\n{asks}" if asks else "")
    )


def _scores(metrics: dict[str, Any]) -> str:
    rows = []
    for name, scores in metrics["scores"].items():
        if scores is None:
            continue
        if scores["rows"]:
            rows.append([name, "18 classes", f"{scores['rows']:,}", *_figures(scores)])
        rows += [
            [name, head, f"{scores['heads'][head]['rows']:,}", *_figures(scores["heads"][head])]
            for head in HEADS
            if scores["heads"][head]["rows"]
        ]
    return (
        "## How good it is, on people it hasn't seen\n\n"
        + table(["photos", "answer", "rows", "macro F1", "accuracy"], rows, numbers=(2, 3, 4))
        + ("\nThe epoch was chosen on these people, so that the figures are a little too good.\n" * _is_chosen(metrics))
    )


def _is_chosen(metrics: dict[str, Any]) -> bool:
    """Whether the epoch kept is the one that did best on the people held out."""
    return bool(metrics["settings"]["keep"] == "best")


def _figures(scores: dict[str, Any]) -> list[str]:
    return [f"{scores['macro_f1']:.3f}", f"{scores['accuracy']:.3f}"]


def _limits(config: CheckpointConfig) -> str:
    return (
        "## What it is not for\n\n"
        "It tells what a photo looks like to people who labelled such photos, not who somebody is: a gender that a "
        "face is read as is no person's gender, and an age group is a guess. Do not decide about single people by it. "
        "Faces unlike those above, in age, origin, light or pose, are answered worse, and it says nothing of photos "
        f"without a face. It expects RGB of values 0 to 1, less the mean {list(config.mean)}, divided by "
        f"{list(config.std)}.\n"
    )


def _recipe(metrics: dict[str, Any]) -> str:
    settings = "\n".join(f"{name} = {value!r}" for name, value in sorted(metrics["settings"].items()))
    versions = ", ".join(f"{name} {value}" for name, value in sorted(metrics["versions"].items()))
    return f"## How it was trained\n\n{fenced(settings)}\nWith {escape(versions)}.\n"
