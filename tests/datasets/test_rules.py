from __future__ import annotations

from typing import get_args

import pytest

from datasets.errors import UsageError
from datasets.licences import ASKS, LICENCES, Kind, check_licence, find_licence
from datasets.readers import list_readers
from datasets.rules import RULES, admit


@pytest.mark.parametrize(
    ("licence", "competition", "research", "commercial", "publishing"),
    [
        ("CC0-1.0", True, True, True, True),
        ("CC-BY-4.0", True, True, True, True),
        ("CC-BY-SA-4.0", True, True, True, False),
        ("CC-BY-NC-4.0", False, True, False, False),
        ("CC-BY-ND-4.0", False, False, False, False),
        ("CC-BY-NC-ND-4.0", False, False, False, False),
        ("LicenseRef-research", False, True, False, False),
        ("LicenseRef-unstated", False, True, False, False),
        ("LicenseRef-competition", True, True, False, False),
        ("LicenseRef-permission", True, True, True, False),
        ("Some-Terms-9", False, False, False, False),
    ],
)
def test_verdicts(licence, competition, research, commercial, publishing):
    wanted = {"competition": competition, "research": research, "commercial": commercial, "publishing": publishing}
    assert {rule: admit(rule, licence)[0] for rule in RULES} == wanted


def test_every_kind_is_in_the_table_and_says_what_it_asks():
    assert {licence.kind for licence in LICENCES.values()} | {"unknown"} == set(get_args(Kind)) == set(ASKS)


def test_what_may_be_handed_on_may_be_used_and_sold():
    for licence in LICENCES:
        if admit("publishing", licence)[0]:
            assert admit("commercial", licence)[0], licence
        if admit("commercial", licence)[0]:
            assert admit("research", licence)[0], licence


def test_every_verdict_says_why():
    for rule in RULES:
        for licence in (*LICENCES, "Some-Terms-9"):
            admitted, why = admit(rule, licence)
            assert f"the {rule} rules" in why
            assert ("exclude" in why) is not admitted
            assert find_licence(licence).name in why


def test_unknown_rules():
    with pytest.raises(UsageError, match="unknown rules 'none'; known: competition, research"):
        admit("none", "MIT")


def test_licences_by_any_case():
    assert check_licence(" cc-by-4.0 ") == "CC-BY-4.0"
    with pytest.raises(UsageError, match="unknown licence 'CC'"):
        check_licence("CC")
    assert find_licence("CC").kind == "unknown"


def test_readers_name_licences_of_the_table():
    assert {info.licence for info in list_readers()} <= set(LICENCES)
