from __future__ import annotations

import pytest

from datasets.errors import UsageError
from datasets.licences import LICENCES, check_licence, find_licence
from datasets.readers import list_readers
from datasets.rules import RULES, admit


@pytest.mark.parametrize(
    ("licence", "competition", "research"),
    [
        ("CC0-1.0", True, True),
        ("CC-BY-4.0", True, True),
        ("CC-BY-SA-4.0", True, True),
        ("CC-BY-NC-4.0", False, True),
        ("CC-BY-ND-4.0", False, False),
        ("CC-BY-NC-ND-4.0", False, False),
        ("LicenseRef-research", False, True),
        ("LicenseRef-unstated", False, True),
        ("LicenseRef-competition", True, True),
        ("LicenseRef-permission", True, True),
        ("Some-Terms-9", False, False),
    ],
)
def test_verdicts(licence, competition, research):
    assert admit("competition", licence)[0] is competition
    assert admit("research", licence)[0] is research


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
