"""`palette licences`: the table of licences, and what each set of rules says of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands.options import JsonOption

if TYPE_CHECKING:
    from datasets.rules import Rule


def licences(
    asked: Annotated[
        list[str] | None, typer.Argument(metavar="[LICENCE]...", help="Ids to ask about, known or not; all when none.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option("--rules", help="One set of rules, with its reasons: competition, commercial, ...")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the licences Palette knows and which rules let their photos into a merge."""
    from datasets.rules import RULES, get_rule

    chosen = [get_rule(rules)] if rules is not None else list(RULES.values())
    found = verdicts(asked or None, chosen)
    if as_json:
        from pipelines.summary import show_summary

        notes = {rule.name: rule.note for rule in chosen}
        show_summary("licences", {"rules": notes, "licences": found}, as_json=True)
    else:
        _show(found, chosen)


def verdicts(asked: Sequence[str] | None, rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Say of each licence what it is, and what each set of rules decides and why.

    Args:
        asked: Ids, in any case, of the table or not; the whole table when None.
        rules: Sets of rules.

    Returns:
        For each licence `id`, `name`, `kind`, `asks`, `url`, `note`, and `rules`: name to `admitted` and `why`.
    """
    from datasets.licences import ASKS, LICENCES, find_licence, spelt
    from datasets.rules import admit

    ids = list(LICENCES) if asked is None else [spelt(name) for name in asked]
    found = []
    for each in map(find_licence, ids):
        decided = {rule.name: admit(rule.name, each.id) for rule in rules}
        found.append(
            {
                "id": each.id,
                "name": each.name,
                "kind": each.kind,
                "asks": ASKS[each.kind],
                "url": each.url,
                "note": each.note,
                "rules": {name: {"admitted": admitted, "why": why} for name, (admitted, why) in decided.items()},
            }
        )
    return found


def _show(found: Sequence[dict[str, Any]], rules: Sequence[Rule]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from pipelines.summary import output_console

    console = output_console()
    table = Table(box=box.SIMPLE, show_edge=False)
    table.add_column("licence", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    for rule in rules:
        table.add_column(rule.name, no_wrap=True)
    table.add_column("why" if len(rules) == 1 else "what it asks of you", overflow="fold")
    for each in found:
        marks = ["[green]yes[/]" if told["admitted"] else "[red]no[/]" for told in each["rules"].values()]
        last = each["rules"][rules[0].name]["why"] if len(rules) == 1 else each["asks"]
        table.add_row(escape(each["id"]), each["kind"].replace("_", " "), *marks, escape(last))
    console.print(table)
    for rule in rules:
        console.print(f"{rule.name}: {rule.note}", markup=False, highlight=False)
    console.print("The terms themselves decide, not this table.", markup=False, highlight=False)
