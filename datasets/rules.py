"""Named rules: which licences a merge admits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from datasets.errors import UsageError
from datasets.licences import COMPETITION, PERMISSION, Kind, Licence, find_licence

_WHY: Final = {
    "share_alike": "what is made of it must be shared alike, under its terms and no others",
    "no_derivatives": "its terms allow no changed copies, and a masked variant is one",
    "non_commercial": "its terms exclude commercial use",
    "research_only": "its terms allow research only",
    "unstated": "no licence is stated, so all rights are reserved",
    "unknown": "its terms aren't in the table of licences",
}
_WHY_NAMED: Final = {PERMISSION: "agreement to a use of one's own isn't agreement to hand the photos on"}


@dataclass(frozen=True)
class Rule:
    """What a merge admits.

    Attributes:
        name: As `merge` is told it.
        kinds: Kinds of licence that are admitted.
        licences: Ids admitted besides, whatever their kind.
        note: What the rule is for.
        barred: Ids excluded, whatever their kind.
    """

    name: str
    kinds: frozenset[Kind]
    licences: frozenset[str]
    note: str
    barred: frozenset[str] = frozenset()


RULES: Final = {
    "competition": Rule(
        "competition",
        frozenset({"free", "attribution", "share_alike"}),
        frozenset({COMPETITION}),
        # Share-alike is free to use: it binds those who publish what they made of it, and a competition entry isn't
        # published data. Whoever publishes the merged set must pass the terms on.
        "freely usable data, and the competition's own",
    ),
    "research": Rule(
        "research",
        frozenset({"free", "attribution", "share_alike", "non_commercial", "research_only", "unstated"}),
        frozenset(),
        "anything that may be studied, for results that aren't sold; never changed copies where the terms forbid them",
    ),
    "commercial": Rule(
        "commercial",
        # Share-alike doesn't exclude commerce: CC BY-SA and ODbL bind those who pass the data on, not those who use it.
        frozenset({"free", "attribution", "share_alike"}),
        frozenset(),
        "a product that learns from the photos, which themselves stay in the house",
    ),
    "publishing": Rule(
        "publishing",
        # Share-alike terms would bind the whole collection, and not every two of them can be met together.
        frozenset({"free", "attribution"}),
        frozenset(),
        "a dataset to hand on to anybody, for any use",
        barred=frozenset({PERMISSION}),
    ),
}


def get_rule(name: str) -> Rule:
    """Returns a rule by name.

    Raises:
        UsageError: If there is none of that name; the message lists the names.
    """
    if name not in RULES:
        raise UsageError(f"unknown rules {name!r}; known: {', '.join(RULES)}")
    return RULES[name]


def admit(rule: str, licence: str) -> tuple[bool, str]:
    """Decides whether photos under a licence may enter a merge.

    Args:
        rule: A name in RULES.
        licence: A licence's id.

    Returns:
        Whether it is admitted, and why in one line.

    Raises:
        UsageError: If there is no such rule.
    """
    rules, terms = get_rule(rule), find_licence(licence)
    if licence in rules.barred:
        return False, f"{_name(terms)}: {_WHY_NAMED[licence]}; the {rule} rules exclude that"
    if licence in rules.licences:
        return True, f"{terms.name}: named by the {rule} rules"
    if terms.kind in rules.kinds:
        return True, f"{terms.name}: {terms.kind.replace('_', ' ')}, which the {rule} rules admit"
    return False, f"{_name(terms)}: {_WHY.get(terms.kind, terms.kind)}; the {rule} rules exclude that"


def _name(terms: Licence) -> str:
    return terms.name if terms.name == terms.id else f"{terms.name} ({terms.id})"
