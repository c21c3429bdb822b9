"""`palette plan`: which variants each photo should get to balance the classes, as a file to read, edit and use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands.options import JsonOption

if TYPE_CHECKING:
    from pipelines.mask_input import MaskInput
    from synth.balance import ClassGoal

CountsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--counts",
        help="What is there already: a manifest, or a CSV with label (and count). Repeatable. For the plan balance.",
    ),
]
TargetOption = Annotated[
    str, typer.Option("--target", help="Photos wanted of each class: max, median or a number. For the plan balance.")
]
CapOption = Annotated[
    int, typer.Option("--cap", min=1, max=100, help="Most variants of one person. For the plan balance.")
]
LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", help="CSV of labels: file_name and any of mask, gender, age, age_group, person_id."),
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Of the source, to tell folders apart in a merge. [default: folder]")
]


def plan(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of photos with labels, or a manifest.")],
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="File to write: .toml, or .json for very many photos.")],
    counts: CountsOption = None,
    target: TargetOption = "max",
    cap: CapOption = 20,
    labels: LabelsOption = None,
    name: NameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide which variants each photo should get, most for the rarest classes; for palette mask --plan PLAN."""
    from pipelines.balancing import BalanceOptions, assign_plan, plan_balance, require_variants
    from pipelines.mask_input import photos_at
    from pipelines.summary import show_summary
    from synth.balance_file import write_balance

    given = photos_at(photos, labels, None, name)
    made = plan_balance(given, BalanceOptions(tuple(counts or ()), target, cap))
    planned = assign_plan(given, made)
    require_variants(planned)
    write_balance(made, file)
    summary = {"plan": file, **goal_summary(planned, as_json)}
    if as_json:
        show_summary("Planned", summary, as_json=True)
        return
    show_summary("Planned", {name: value for name, value in summary.items() if name != "classes"})
    show_goals(planned.goals)


def goal_summary(given: MaskInput, as_json: bool) -> dict[str, Any]:
    """Return what a balance plan does for each class: before, with the plan, and what keeps it short of the target.

    Args:
        given: Photos with their own plans.
        as_json: Classes as numbers by name, for programs; otherwise as one text each, for people.
    """
    people = {given.rows[task.photo_id]["person_id"] for task in given.tasks}
    return {
        "photos": len(given.tasks),
        "people": len(people),
        "variants": given.planned,
        "not_needed": given.not_needed,
        "target": given.goals[0].target if given.goals else None,
        "classes": {str(goal.of): _numbers(goal) if as_json else _told(goal) for goal in given.goals},
        "refusals": dict(given.refused["reason"].value_counts()),
    }


def show_goals(goals: Sequence[ClassGoal]) -> None:
    """Print the class table before and after a balance plan, with what keeps a class short of the target."""
    from rich import box
    from rich.table import Table

    from pipelines.summary import output_console

    console = output_console()
    before, after = [goal.present for goal in goals], [goal.present + goal.planned for goal in goals]
    table = Table(title="classes", title_justify="left", title_style="bold", box=box.SIMPLE, show_footer=True)
    table.add_column("class", "all", no_wrap=True)
    columns = (("before", before), ("planned", [goal.planned for goal in goals]), ("after", after))
    for name, values in (*columns, ("short", [goal.short for goal in goals])):
        table.add_column(name, f"{sum(values):,}", justify="right")
    table.add_column("why", _evenness(before, after), overflow="fold")
    for goal in goals:
        numbers = (goal.present, goal.planned, goal.present + goal.planned, goal.short)
        table.add_row(str(goal.of), *(f"{number:,}" if number else "-" for number in numbers), goal.why)
    console.print(table)


def _evenness(before: Sequence[int], after: Sequence[int]) -> str:
    """Say how far the largest class is from the smallest, before and after."""
    told = [f"{max(counts) / min(counts):,.1f} : 1" if counts and min(counts) else "" for counts in (before, after)]
    was, now = (
        each or f"{sum(not count for count in counts)} classes empty"
        for each, counts in zip(told, (before, after), strict=True)
    )
    return f"largest to smallest: {was} before, {now} after"


def _numbers(goal: ClassGoal) -> dict[str, Any]:
    return {"present": goal.present, "planned": goal.planned, "short": goal.short, "why": goal.why}


def _told(goal: ClassGoal) -> str:
    lacking = f", {goal.short:,} short: {goal.why}" if goal.short else ""
    return f"{goal.present:,} + {goal.planned:,} = {goal.present + goal.planned:,}{lacking}"
