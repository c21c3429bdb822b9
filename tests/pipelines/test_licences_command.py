from __future__ import annotations

import json

import pytest

from datasets.licences import LICENCES
from datasets.rules import RULES, admit
from pipelines.cli import run


def test_the_table_says_what_every_rule_decides(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["licences"]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = lines[0].split()
    for licence in LICENCES:
        cells = next(line for line in lines if line.split()[:1] == [licence])
        marks = [word for word in cells.split() if word in ("yes", "no")][: len(RULES)]
        assert marks == ["yes" if admit(rule, licence)[0] else "no" for rule in RULES], licence
    assert [name for name in head if name in RULES] == list(RULES)


def test_one_set_of_rules_gives_its_reasons_also_for_unknown_terms(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["licences", "cc-by-sa-4.0", "Odd-Terms", "--rules", "publishing"]) == 0
    said = capsys.readouterr().out
    assert "shared alike" in said
    assert "Odd-Terms: its terms aren't in the table of licences" in said
    assert "CC0-1.0" not in said


def test_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["licences", "MIT", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["licences"][0]["id"] == "MIT"
    assert {name: each["admitted"] for name, each in told["licences"][0]["rules"].items()} == dict.fromkeys(RULES, True)


def test_unknown_rules_are_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["licences", "--rules", "any"]) == 2
    assert "known: competition, research, commercial, publishing" in capsys.readouterr().err
