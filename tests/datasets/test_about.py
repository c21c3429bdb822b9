from __future__ import annotations

import json

import pytest

from datasets.errors import UsageError
from datasets.exporting import About, export
from datasets.exporting.about import missing_properties
from tests.datasets.builders import row, save_manifest


@pytest.mark.parametrize(
    "wrong",
    [
        *({"name": text} for text in ("", " ", "a\udcff", "a\nb", "\x1b[1m", "a\u2028b")),
        *({"creator": text} for text in ("", "a\udcff", "a\tb")),
        *({"url": text} for text in ("javascript:x", "https://", "https://a b", "https://a/b c", "http:///x", "")),
        *({"url": text} for text in (" https://a", "https://a\n", "https://a/\udcff", "https://[", 'https://a/"><b>')),
        *({"version": text} for text in ("1", "1.0", "1.0.0-rc1", "1.0.\u0663", "v1.0.0", "1.0.0\n")),
        *({"published": text} for text in ("soon", "", "20260203", "2026-W06-2", "2026-02-30", "26-02-03")),
        *({"published": text} for text in ("2026-2-3", "2026-02-03T00:00", " 2026-02-03", "2026-02-0\u0663")),
    ],
    ids=repr,
)
def test_what_cannot_be_published_is_a_wrong_call(wrong):
    name = next(iter(wrong))
    with pytest.raises(UsageError, match=f"^{name} must be ") as told:
        About(**wrong)
    assert str(told.value).isprintable()


@pytest.mark.parametrize("form", ["imagefolder", "croissant"])
def test_what_can_be_is_written_as_it_is(tmp_path, form):
    about = About('팀 A: "masks" & <b>', "https://예.한국/a?b=c#d", "D'Été\u3000山", "2024-02-29", "10.20.30")
    export(save_manifest(tmp_path / "in", [row()]), tmp_path / "out", form=form, about=about)
    if form == "imagefolder":
        assert json.dumps(about.name, ensure_ascii=False) in (tmp_path / "out" / "README.md").read_text("utf-8")
        return
    told = json.loads((tmp_path / "out" / "croissant.json").read_text("utf-8"))
    assert told["name"] == about.name
    assert told["creator"]["name"] == about.creator
    assert (told["url"], told["datePublished"], told["version"]) == (about.url, about.published, about.version)


def test_only_what_was_not_given_is_missing():
    assert missing_properties(About()) == ("url", "creator", "datePublished")
    assert missing_properties(About(url="https://a.org", published="2026-01-01")) == ("creator",)
