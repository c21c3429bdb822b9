"""How pseudo-labels were learned, for the report: curves, a round of self-training, a network, and age groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datasets.labels import AGE_GROUPS
from datasets.wording import counted
from pipelines.pseudo_summary import Ages, AgesHeldOut, Curves, Lower, Measured, Network, SelfTraining, Summary
from pipelines.report.tables import Cell, Head, Table, word
from pipelines.report.text import NOTHING, number, share, visible

CURVES = {"platt": "Platt's sigmoid", "isotonic": "a centred isotonic curve"}
AGE_REASONS = {
    "unsure": "not sure enough",
    "no_embedding": "no bare face found",
    "no_model": "no model",
    "given_on_another_photo": "known on another photo",
}
"""Why people were not given an age group (`models.pseudo_ages.PseudoAged.report`), in words."""


@dataclass(frozen=True)
class Part:
    """A heading, what is told under it, and a table where there is one."""

    heading: str
    text: str
    table: Table | None = None


def gender_parts(told: Summary) -> list[Part]:
    """What is told of how genders were learned; nothing of what wasn't done."""
    parts = []
    if told.held_out is not None:
        parts.append(Part("Calibration", _curves(told.held_out)))
    if told.self_training is not None:
        parts.append(_self_training(told.self_training))
    if told.network is not None:
        parts.append(_network(told.network))
    return parts


def ages_part(told: Ages | None) -> Part | None:
    """What is told of age groups that were filled in; None where nobody asked, or none was missing."""
    if told is None or not told.people_missing:
        return None
    sentences = [
        f"Of {counted(told.people_missing, 'person', 'people')} without an age group, by the faces of those whose age "
        f"is given, {number(told.people_filled)} were given one."
    ]
    if told.reason:
        sentences.append(_sentence(told.reason))
    if told.abstained:
        reasons = [f"{AGE_REASONS.get(name, visible(name))} {number(count)}" for name, count in told.abstained.items()]
        sentences.append(f"The others: {', '.join(reasons)}.")
    if told.held_out is not None:
        sentences.append(_ages_held_out(told.held_out))
    return Part("Age groups filled in", " ".join(sentences), _age_table(told))


def _curves(told: Curves) -> str:
    losses = [
        f"{CURVES.get(kind, visible(kind))} {loss:.4f}" for kind, loss in sorted(told.log_loss.items(), reverse=True)
    ]
    return (
        f"Scores of faces become confidences by {CURVES.get(told.calibration, visible(told.calibration))}. Log losses "
        f"on people that curves were not fitted to: {', '.join(losses)}; the lower one is kept."
    )


def _self_training(told: SelfTraining) -> Part:
    if told.kept:
        text = (
            f"Kept: {number(told.joined)} of {counted(told.asked, 'person', 'people')} without a gender joined those "
            "whose gender is given, with the one decided on. None of them counts in a curve or a threshold."
        )
    else:
        text = f"Tried, and not kept: {_sentence(told.reason or 'for no reason told', first=False)}"
        if told.joined:
            text += f" Those who would have joined: {number(told.joined)} of {number(told.asked)}."
    rows = {"without those who joined": told.before, "with them": told.after}
    table = _measured("Self-training, on people of sources held out", rows)
    return Part("Self-training", text + _judged(told.judged_on, told.people, told.gain), table)


def _network(told: Network) -> Part:
    text = (
        "Kept: what the network and the faces' numbers say together."
        if told.kept
        else f"Asked, and not kept: {_sentence(told.reason or 'for no reason told', first=False)}"
    )
    rows = {"faces' numbers": told.embedding, "network": told.network, "both": told.blend}
    table = _measured("A network beside the faces' numbers, on people held out", rows)
    return Part("Network", text + _judged(told.judged_on, told.people, told.gain), table)


def _sentence(text: str, *, first: bool = True) -> str:
    """Ended by a full stop, and begun with a capital where it is the first of its line."""
    shown = visible(text).rstrip(".")
    return f"{shown[:1].upper() if first else shown[:1]}{shown[1:]}."


def _judged(sources: tuple[str, ...], people: int, lower: Lower | None) -> str:
    """Of whom it was judged, and how much was gained; begins with a space."""
    if lower is None:
        return ""
    whom = f"{counted(people, 'person', 'people')} held out"
    if sources:
        whom += f" with their whole source ({', '.join(visible(name) for name in sources)})"
    return (
        f" On {whom} the log loss changes by {_signed(-lower.mean)} (from {_signed(-lower.high)} to "
        f"{_signed(-lower.low)}, each end with a certainty of 80 %)."
    )


def _signed(value: float) -> str:
    return f"{round(value, 4) + 0.0:+.4f}".replace("-", "−")  # zero has no minus


def _measured(caption: str, rows: Mapping[str, Measured | None]) -> Table | None:
    known = {name: each for name, each in rows.items() if each is not None}
    if not known:
        return None
    heads = [Head("Model", numeric=False)]
    heads += [Head(name) for name in ("log loss", "right", "calibration error", "decided", "of those right")]
    return Table(
        caption,
        [heads],
        [
            [
                word(name),
                Cell(f"{each.log_loss:.4f}"),
                Cell(share(each.accuracy)),
                Cell(f"{each.calibration_error:.3f}"),
                Cell(share(each.coverage)),
                Cell(share(each.precision)),
            ]
            for name, each in known.items()
        ],
    )


def _ages_held_out(told: AgesHeldOut) -> str:
    asked = f"Asked for: {share(told.precision_wanted)} right within each group said."
    people = counted(told.people, "person", "people")
    if told.precision is None:
        return f"{asked} On {people} held out no confidence reaches that."
    decided = f"{share(told.coverage)} are decided, and {share(told.precision)} of those rightly"
    return f"{asked} Of {people} held out {decided}."


def _age_table(told: Ages) -> Table | None:
    if told.held_out is None:
        return None
    rows, groups = [], told.held_out.by_group
    for name in [*AGE_GROUPS, *(each for each in groups if each not in AGE_GROUPS)]:
        held_out = groups.get(name)
        said = (
            [number(held_out.people), number(held_out.said), share(held_out.precision)] if held_out else [NOTHING] * 3
        )
        rows.append([word(name), Cell(number(told.filled_by_group.get(name, 0))), *(Cell(each) for each in said)])
    top = [Head("", numeric=False), Head(""), Head("Held out", 3)]
    heads = [
        Head("Age group", numeric=False),
        *(Head(name) for name in ("filled in", "people", "said", "of those right")),
    ]
    return Table("Age groups filled in, and on people held out", [top, heads], rows)
