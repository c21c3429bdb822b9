"""Ingesting as a stage and as a command: archives, label policies, sheets of TYPEs, and what is read how often."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from datasets.manifest import read_manifest, read_provenance
from datasets.policies import LabelPolicy
from datasets.readers import list_readers
from pipelines import cli, reuse
from pipelines.reuse import folder_digest
from pipelines.settings import SourceSettings, SynthFlowSettings, load_settings
from pipelines.stages import ingest_stage
from tests.datasets.archive_builders import pack_folder
from tests.datasets.builders import MEDICAL, save_photo, write_medical_masks


def run(*arguments: str | Path) -> int:
    return cli.run(["ingest", *map(str, arguments), "--workers", "1"])


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".tar.xz"])
def test_an_archive_in_place_of_the_folder(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    archive = pack_folder(tmp_path / f"p4{kind}", write_medical_masks(tmp_path / "p4"))
    out = tmp_path / "out"
    assert run("medical-masks", archive, "--out", out, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["photos"], summary["refusals"], summary["reused"]) == (6, {}, False)
    manifest = read_manifest(out)
    assert manifest["path"].str.startswith("unpacked/p4/images/").all()
    assert all((out / path).is_file() for path in manifest["path"])
    assert run("medical-masks", archive, "--out", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["reused"]


def test_archives_are_unpacked_where_asked(tmp_path: Path) -> None:
    archive = pack_folder(tmp_path / "p4.zip", write_medical_masks(tmp_path / "p4"))
    assert run("medical-masks", archive, "--out", tmp_path / "out", "--unpack-to", tmp_path / "big") == 0
    assert (tmp_path / "big" / "p4" / "df_part_4.csv").is_file()
    assert set(read_manifest(tmp_path / "out")["path"].str.split("/").str[0]) == {"photos"}


def test_a_hostile_archive_is_one_line_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK, or so it says")
    assert run("medical-masks", tmp_path / "bad.zip", "--out", tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert told.startswith("error: bad.zip is damaged")
    assert told.count("\n") == 1
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_label_policies_are_options_and_go_into_the_manifest(tmp_path: Path) -> None:
    write_medical_masks(tmp_path / "p4")
    given = ("--type-map", "3=not_wear", "--age-cutoff", "58", "--max-age", "60", "--only", "under_30")
    assert run("medical-masks", tmp_path / "p4", "--out", tmp_path / "out", *given) == 0
    manifest = read_manifest(tmp_path / "out")
    assert manifest["mask"].tolist() == ["wear", "incorrect", "not_wear", "not_wear"]
    said = read_provenance(tmp_path / "out")["labels"]
    assert (said["ages"], said["age_cutoff"], said["only"]) == ([10, 60], 58, "under_30")


def test_another_policy_is_not_reused(tmp_path: Path) -> None:
    source = SourceSettings(source="medical-masks", root=write_medical_masks(tmp_path / "p4"))
    assert not ingest_stage(source, tmp_path / "out").reused
    assert ingest_stage(source, tmp_path / "out").reused
    other = source.model_copy(update={"labels": LabelPolicy(min_age=30)})
    assert not ingest_stage(other, tmp_path / "out").reused
    fixes = tmp_path / "fixes.csv"
    fixes.write_text("person,field,value\n000001,age,40\n")
    fixed = source.model_copy(update={"labels": LabelPolicy(corrections=fixes)})
    assert not ingest_stage(fixed, tmp_path / "out").reused
    assert ingest_stage(fixed, tmp_path / "out").reused
    fixes.write_text("person,field,value\n000001,age,50\n")
    assert not ingest_stage(fixed, tmp_path / "out").reused
    assert read_manifest(tmp_path / "out")["age"].tolist()[:4] == [50] * 4


@pytest.mark.parametrize("option", [f"--{each.name.replace('_', '-')}" for each in fields(LabelPolicy)])
def test_every_policy_is_an_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["ingest", "--help"]) == 0
    assert option in capsys.readouterr().out


def test_a_policy_that_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("folder", tmp_path, "--out", tmp_path / "out", "--age-cutoff", "50") == 2
    assert capsys.readouterr().err == "error: age_cutoff must be 58 to 60, not 50\n"


def test_policies_are_settings_of_the_flows_sources(tmp_path: Path) -> None:
    file = tmp_path / "flow.toml"
    file.write_text(
        'base = "competition"\n[[sources]]\nsource = "competition"\nroot = "a"\n'
        '[[sources]]\nsource = "medical-masks"\nroot = "b.zip"\nlabels = { only = "60_plus", age_cutoff = 58 }\n'
    )
    settings = load_settings(SynthFlowSettings, file)
    assert settings.sources[0].labels == LabelPolicy()
    assert settings.sources[1].labels == LabelPolicy(only="60_plus", age_cutoff=58)


def test_a_sheet_for_each_type_says_what_it_is_taken_for(tmp_path: Path) -> None:
    source = SourceSettings(source="medical-masks", root=write_medical_masks(tmp_path / "p4"))
    summary = ingest_stage(source, tmp_path / "out").summary
    names = ["type_1_wear.jpg", "type_2_incorrect.jpg", "type_3_incorrect.jpg", "type_4_not_wear.jpg"]
    assert [path.name for path in summary["sheets"]] == names
    with (
        Image.open(tmp_path / "out" / "types" / names[0]) as two,
        Image.open(tmp_path / "out" / "types" / names[1]) as one,
    ):
        assert two.width > one.width  # two photos of TYPE 1, one of TYPE 2
    before = [path.read_bytes() for path in summary["sheets"]]
    vendor = source.model_copy(update={"labels": LabelPolicy(type_map="1=not_wear,4=wear")})
    names = ["type_1_not_wear.jpg", "type_2_incorrect.jpg", "type_3_incorrect.jpg", "type_4_wear.jpg"]
    assert [path.name for path in ingest_stage(vendor, tmp_path / "out").summary["sheets"]] == names
    assert [path.read_bytes() for path in ingest_stage(source, tmp_path / "out").summary["sheets"]] == before


def test_other_sources_get_no_sheets(tmp_path: Path) -> None:
    save_photo(tmp_path / "in" / "a.jpg")
    assert "sheets" not in ingest_stage(SourceSettings(source="folder", root=tmp_path / "in"), tmp_path / "out").summary


def test_a_first_run_reads_no_photo_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceSettings(source="medical-masks", root=write_medical_masks(tmp_path / "p4"))
    hashed: list[str] = []
    whole = reuse.file_digest

    def file_digest(path: Path) -> str:
        hashed.append(path.name)
        return whole(path)

    monkeypatch.setattr(reuse, "file_digest", file_digest)
    ingest_stage(source, tmp_path / "out")
    assert not [name for name in hashed if name.removesuffix(".jpg") in MEDICAL]
    assert "df_part_4.csv" in hashed
    assert ingest_stage(source, tmp_path / "out").reused
    assert {name.removesuffix(".jpg") for name in hashed} >= set(MEDICAL)


def test_a_folder_s_digest_is_the_same_however_it_is_worked_out(tmp_path: Path) -> None:
    for name in ("a.jpg", "b/c.jpg"):
        save_photo(tmp_path / name)
    plain = folder_digest(tmp_path)
    assert folder_digest(tmp_path, threads=3) == plain
    known = {"b/c.jpg": reuse.file_digest(tmp_path / "b" / "c.jpg")}
    assert folder_digest(tmp_path, known=known) == plain
    assert folder_digest(tmp_path, known={"b/c.jpg": "0" * 64}) != plain
    save_photo(tmp_path / "out" / "d.jpg")
    assert folder_digest(tmp_path, without=tmp_path / "out") == plain
    assert folder_digest(tmp_path) != plain


def test_the_list_says_of_each_source_what_a_user_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["ingest", "--list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == [info.name for info in list_readers()]
    for source in told.values():
        assert {"published at", "expects on disk", "licence", "lacks", "holds"} <= set(source)
    assert "df_part_N.csv" in told["medical-masks"]["expects on disk"]
    assert told["medical-masks"]["TYPEs"] == "1=wear, 2=incorrect, 3=incorrect, 4=not_wear"
    assert cli.run(["ingest", "--list"]) == 0
    assert "tapakah68" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["folder"], ["folder", "."]])
def test_what_is_missing_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["ingest", *arguments]) == 2
    told = capsys.readouterr().err
    assert "Usage: palette ingest" in told
    assert ("SOURCE", "DIR", "--out")[len(arguments)] in told


def test_a_photo_that_changed_while_it_was_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.readers as readers

    save_photo(tmp_path / "in" / "a.jpg")
    source, whole = SourceSettings(source="folder", root=tmp_path / "in"), readers.ingest

    def meanwhile(*given: Any, **options: Any) -> Any:
        ingested = whole(*given, **options)
        save_photo(tmp_path / "in" / "a.jpg", seed=1, size=(64, 48))
        return ingested

    monkeypatch.setattr(readers, "ingest", meanwhile)
    ingest_stage(source, tmp_path / "out")
    monkeypatch.setattr(readers, "ingest", whole)
    assert not ingest_stage(source, tmp_path / "out").reused
    assert read_manifest(tmp_path / "out")[["width", "height"]].values.tolist() == [[64, 48]]
    assert ingest_stage(source, tmp_path / "out").reused


def test_sheets_leave_what_a_user_keeps_beside_them(tmp_path: Path) -> None:
    source = SourceSettings(source="medical-masks", root=write_medical_masks(tmp_path / "p4"))
    mine = [save_photo(tmp_path / "out" / "types" / name) for name in ("mine.jpg", "type_a.jpg")]
    kept = [path.read_bytes() for path in mine]
    for labels in (LabelPolicy(), LabelPolicy(type_map="1=not_wear")):
        ingest_stage(source.model_copy(update={"labels": labels}), tmp_path / "out")
        assert [path.read_bytes() for path in mine] == kept
    assert len(list((tmp_path / "out" / "types").iterdir())) == 2 + 4


def test_the_manifest_goes_elsewhere_than_the_archives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack_folder(tmp_path / "data" / "p4.zip", write_medical_masks(tmp_path / "p4"))
    assert run("medical-masks", tmp_path / "data", "--out", tmp_path / "data") == 2
    assert "is the folder of the archives: name another for the manifest" in capsys.readouterr().err


def test_an_option_that_is_longer_than_a_path_may_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_photo(tmp_path / "in" / "a.jpg")
    assert run("folder", tmp_path / "in", "--out", tmp_path / "out", "--licence", "x" * 5000) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: unknown licence")
    assert told.count("\n") == 1
