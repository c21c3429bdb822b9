"""Summaries: everything shown, nothing but JSON with --json, hostile names harmless."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.summary import plain, show_summary

SUMMARY = {
    "manifest": Path("out/merge/manifest.parquet"),
    "photos": np.int64(1234),
    "macro_f1": np.float32(0.25),
    "missing": float("nan"),
    "resumed": True,
    "refusals": {"no_face": 3, "[red]evil[/red]": 1},
    "nothing": {},
}


def test_json_is_one_document_with_plain_values(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary("Merged", SUMMARY, as_json=True)
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "manifest": "out/merge/manifest.parquet",
        "photos": 1234,
        "macro_f1": 0.25,
        "missing": None,
        "resumed": True,
        "refusals": {"no_face": 3, "[red]evil[/red]": 1},
        "nothing": {},
    }
    assert captured.err == ""


def test_tables_show_every_value_and_take_no_orders(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary("Merged", SUMMARY)
    told = capsys.readouterr().out
    for text in ("Merged", "out/merge/manifest.parquet", "1,234", "0.25", "yes", "no_face", "[red]evil[/red]"):
        assert text in told
    assert "nothing" not in told


def test_a_long_path_is_not_folded_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    path = "folder/" * 30
    show_summary("Report", {"report": path})
    assert path in capsys.readouterr().out


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), values))
def test_whatever_a_summary_holds_is_strict_json(summary: dict[str, object]) -> None:
    text = json.dumps(plain(summary), allow_nan=False)
    assert plain(json.loads(text)) == plain(summary)
