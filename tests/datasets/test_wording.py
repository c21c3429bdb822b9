from __future__ import annotations

import pytest

from datasets.wording import counted, is_printable


def test_one_is_not_several():
    assert [counted(count, "photo") for count in (0, 1, 2, 1234)] == ["0 photos", "1 photo", "2 photos", "1,234 photos"]
    assert counted(2, "class", "classes") == "2 classes"
    assert counted(1, "class", "classes") == "1 class"


@pytest.mark.parametrize("text", ["Team A", "팀 A", "été\u3000", "", '<b>"', "\U0001f469\u200d\U0001f52c"])
def test_printable(text):
    assert is_printable(text)
    text.encode()


@pytest.mark.parametrize("text", ["a\udcff", "a\nb", "\x00", "\x1b[31m", "a\u2028b", "\x85"])
def test_not_printable(text):
    assert not is_printable(text)
