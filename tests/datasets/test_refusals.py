from __future__ import annotations

import pytest

from datasets.refusals import Refusal, printable


@pytest.mark.parametrize("text", ["a b.jpg", "마스크 'x'.jpg", "\u202fe\u0301\u200d.jpg"])
def test_printable_text_stays(text):
    assert printable(text) == text


def test_the_rest_is_escaped_on_one_line():
    assert printable("a\nb\x07\udcff") == "a\\nb\\x07\\udcff"


def test_of_source():
    assert Refusal("a.jpg", "read", "truncated").of_source("folder") == Refusal("folder:a.jpg", "read", "truncated")
