"""Fetching: what Kaggle's client is asked for, and what a person is told where it can't be asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from datasets.readers import get_reader, ingest
from pipelines import cli
from pipelines.errors import PipelinesError, SettingsError
from pipelines.fetching import (
    by_hand,
    client_command,
    fetch,
    find_client,
    has_credentials,
    hindrance,
    plan_downloads,
)
from tests.datasets.archive_builders import pack_folder
from tests.datasets.builders import write_medical_masks

INFO = get_reader("medical-masks")[0]
SCRIPT = """#!{python}
import shutil, sys
from pathlib import Path
here = Path(__file__).parent
with (here / "calls.txt").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
name, folder = sys.argv[3], Path(sys.argv[5])
print("Downloading", name)
if name not in (here / "known.txt").read_text().split():
    sys.exit("404 - Not Found")
shutil.copy(here / "brought", folder / (name.split("/")[1] + ".zip"))
"""


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for Kaggle's client, which knows part 4 by its short name and part 1 by its long one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "known.txt").write_text(
        "tapakah68/medical-masks-p4 tapakah68/medical-masks-part1 tapakah68/medical-masks-part3"
    )
    pack_folder(tmp_path / "brought.zip", write_medical_masks(tmp_path / "set")).rename(folder / "brought")
    (folder / "kaggle").write_text(SCRIPT.format(python=sys.executable))
    (folder / "kaggle").chmod(0o755)
    home = tmp_path / "home"
    (home / ".kaggle").mkdir(parents=True)
    (home / ".kaggle" / "kaggle.json").write_text("{}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(home))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def calls(kaggle: Path) -> list[list[str]]:
    return [line.split() for line in (kaggle / "calls.txt").read_text().splitlines()]


def test_the_client_is_asked_for_one_dataset_into_one_folder(tmp_path: Path) -> None:
    command = client_command("kaggle", "tapakah68/medical-masks-p4", tmp_path / "a b")
    assert command == ["kaggle", "datasets", "download", "tapakah68/medical-masks-p4", "--path", str(tmp_path / "a b")]


def test_a_part_is_fetched_whole_and_can_be_ingested(
    kaggle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    assert cli.run(["fetch", "medical-masks", "--part", "4", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fetched"] == [str(out / "medical-masks-p4.zip")]
    assert [path.name for path in out.iterdir()] == ["medical-masks-p4.zip"]
    assert [call[2] for call in calls(kaggle)] == ["tapakah68/medical-masks-p4"]
    arguments = ["ingest", "medical-masks", str(out), "--out", str(tmp_path / "work"), "--workers", "1", "--json"]
    assert cli.run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["photos"] == 6
    assert len(ingest("medical-masks", tmp_path / "work" / "unpacked" / "medical-masks-p4").manifest) == 6


def test_what_is_there_is_not_fetched_again(kaggle: Path, tmp_path: Path) -> None:
    arguments = ["fetch", "medical-masks", "--part", "4", "--part", "1", "--out", str(tmp_path / "data")]
    assert cli.run(arguments) == 0
    before = calls(kaggle)
    assert [call[2] for call in before] == ["tapakah68/medical-masks-part1", "tapakah68/medical-masks-p4"]
    assert cli.run(arguments) == 0
    assert calls(kaggle) == before


def test_the_other_name_is_tried_where_the_first_is_none(kaggle: Path, tmp_path: Path) -> None:
    assert cli.run(["fetch", "medical-masks", "--part", "3", "--out", str(tmp_path / "data")]) == 0
    assert [call[2] for call in calls(kaggle)] == ["tapakah68/medical-masks-p3", "tapakah68/medical-masks-part3"]
    assert (tmp_path / "data" / "medical-masks-p3.zip").is_file()


def test_a_client_that_fails_is_one_line(kaggle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["fetch", "medical-masks", "--part", "5", "--out", str(tmp_path / "data")]) == 1
    told = capfd.readouterr()
    assert told.out == ""
    assert "404 - Not Found" in told.err
    assert told.err.splitlines()[-1].startswith("error: Kaggle's client could not fetch medical-masks part 5 (")
    assert not list((tmp_path / "data").glob("*.zip"))


def test_what_is_no_archive_gets_no_name(kaggle: Path, tmp_path: Path) -> None:
    (kaggle / "brought").write_text("<html>sign in</html>")
    (download,) = plan_downloads(INFO, [4], tmp_path / "data")
    with pytest.raises(PipelinesError, match=r"brought no whole archive medical-masks-p4\.zip"):
        fetch(download, {"PATH": str(kaggle)})
    assert not download.target.exists()
    assert not list((tmp_path / "data").rglob("*.zip"))


def test_without_the_client_a_person_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.fetching.find_client", lambda _: None)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["fetch", "medical-masks", "--part", "4"]) == 1
    told = capsys.readouterr()
    for part in (
        "https://www.kaggle.com/datasets/tapakah68/medical-masks-p4",
        "data/medical-masks/medical-masks-p4.zip",
        "palette ingest medical-masks data/medical-masks --out",
        "terms: ",
    ):
        assert part in told.out
    assert "pip install kaggle" in told.err
    assert told.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_credentials_it_says_where_they_go(kaggle: Path, tmp_path: Path) -> None:
    environment = {"PATH": str(kaggle)}
    assert hindrance(environment, tmp_path / "home") == ""
    assert "~/.kaggle" in hindrance(environment, tmp_path / "nobody")
    assert hindrance({"PATH": str(tmp_path)}, tmp_path / "home").startswith("Kaggle's own client") or find_client(
        {"PATH": str(tmp_path)}
    )


@pytest.mark.parametrize(
    ("environment", "file", "found"),
    [
        ({}, None, False),
        ({"KAGGLE_USERNAME": "me"}, None, False),
        ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "k"}, None, True),
        ({"KAGGLE_API_TOKEN": "t"}, None, True),
        ({}, ".kaggle/access_token", True),
        ({}, ".config/kaggle/kaggle.json", True),
        ({"KAGGLE_CONFIG_DIR": "elsewhere"}, ".kaggle/kaggle.json", False),
    ],
)
def test_where_credentials_are_looked_for(
    tmp_path: Path, environment: dict[str, str], file: str | None, found: bool
) -> None:
    if file:
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    assert has_credentials(environment, tmp_path) is found


def test_by_hand_on_request_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["fetch", "mega-age-asian", "--by-hand"]) == 0
    told = capsys.readouterr().out
    assert "http://mmlab.ie.cuhk.edu.hk/projects/MegaAge/" in told
    assert "LicenseRef-non-commercial" in told


def test_every_source_says_how_it_is_got(tmp_path: Path) -> None:
    for name in ("all-age-faces", "competition", "folder", "mega-age"):
        info = get_reader(name)[0]
        assert plan_downloads(info, [], tmp_path) == []
        assert info.home in by_hand(info, [], tmp_path)


@pytest.mark.parametrize(
    ("source", "parts", "told"),
    [
        ("medical-masks", [], "has several parts: name some of 1, 2, 3, 4, 5, 6, 7"),
        ("medical-masks", [4, 8], "has no part 8: name some of 1"),
        ("mega-age", [1], "doesn't come in parts"),
    ],
)
def test_parts_that_cannot_be(tmp_path: Path, source: str, parts: list[int], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        plan_downloads(get_reader(source)[0], parts, tmp_path)
