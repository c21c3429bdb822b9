from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.cli import run
from tests.datasets.builders import row, save_manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return save_manifest(tmp_path / "in", [row("a.jpg", fold=0), row("b.jpg", fold=1)])


def test_both_forms_on_the_command_line(manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(manifest), str(tmp_path / "i"), "--validation-fold", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["form"], told["splits"]) == ("imagefolder", {"train": 1, "validation": 1})
    assert (tmp_path / "i" / "validation" / "metadata.csv").is_file()
    assert run(["export", str(manifest), str(tmp_path / "c"), "--form", "croissant", "--creator", "We"]) == 0
    assert "Croissant requires url, datePublished as well: --url, --published" in capsys.readouterr().out
    assert json.loads((tmp_path / "c" / "croissant.json").read_text())["creator"]["name"] == "We"


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (["--form", "zip"], "known: imagefolder, croissant"),
        (["--validation-fold", "7"], "folds there are 0, 1"),
        (["--form", "croissant", "--published", "soon"], "YYYY-MM-DD"),
        (["--form", "croissant", "--published", "20260203"], "YYYY-MM-DD"),
        (["--name", "a\udcff"], "name must be text"),
        (["--form", "croissant", "--creator", "a\nb"], "creator must be text"),
        (["--url", "https://a.org"], "no place for --url: leave it out, or give --form croissant"),
        (["--version", "1.0.0", "--creator", "We"], "no place for --creator, --version"),
    ],
)
def test_wrong_calls_are_one_line(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], told: str
) -> None:
    assert run(["export", str(manifest), str(tmp_path / "out"), *extra]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
