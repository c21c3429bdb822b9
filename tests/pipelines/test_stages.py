"""The stages without Prefect: reused by content only, and never stale."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.errors import LabelsError
from datasets.manifest import read_manifest, read_refusals
from pipelines.errors import MissingInputError
from pipelines.masking import MaskOptions
from pipelines.settings import SourceSettings, SynthFlowSettings, TrainFlowSettings
from pipelines.stages import (
    ingest_stage,
    mask_options,
    mask_stage,
    merge_stage,
    predict_stage,
    report_stage,
    train_stage,
)
from tests.datasets.builders import row, save_manifest
from tests.pipelines.builders import QUICK_TRAINING


@pytest.fixture
def faces(sample_root: Path, tmp_path: Path) -> SourceSettings:
    """Two portraits in a folder of the test's own."""
    root = tmp_path / "faces"
    shutil.copytree(sample_root / "unlabelled", root)
    return SourceSettings(source="folder", root=root, licence="CC0-1.0", options={"mask": "not_wear"})


def test_ingest_is_reused_only_while_every_byte_is_the_same(faces: SourceSettings, tmp_path: Path) -> None:
    out = tmp_path / "ingest"
    first = ingest_stage(faces, out)
    assert not first.reused
    assert first.summary["photos"] == 2
    assert ingest_stage(faces, out).reused
    (faces.root / "metadata.csv").write_text("file_name,age\nperson 001.jpg,77\nperson 002.jpg,12\n")
    changed = ingest_stage(faces, out)
    assert not changed.reused
    assert read_manifest(changed.manifest)["age"].tolist() == [77, 12]
    assert not ingest_stage(faces.model_copy(update={"licence": "CC-BY-4.0"}), out).reused


def test_ingest_runs_again_when_its_photos_were_removed(faces: SourceSettings, tmp_path: Path) -> None:
    out = tmp_path / "ingest"
    manifest = ingest_stage(faces, out).manifest
    photo = out / str(read_manifest(manifest)["path"].iloc[0])
    photo.unlink()
    assert not ingest_stage(faces, out).reused
    assert photo.is_file()


def test_a_photo_replaced_under_its_name_is_read_anew(faces: SourceSettings, tmp_path: Path) -> None:
    out = tmp_path / "ingest"
    before = read_manifest(ingest_stage(faces, out).manifest)
    first, second = sorted(faces.root.glob("*.jpg"))
    shutil.copy(second, first)
    after = read_manifest(ingest_stage(faces, out).manifest)
    assert before["sha256"].iloc[0] != after["sha256"].iloc[0] == after["sha256"].iloc[1]


def test_no_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="competition"):
        ingest_stage(SourceSettings(source="competition", root=tmp_path / "nowhere"), tmp_path / "out")


def test_masks_of_other_options_replace_the_earlier_ones(faces: SourceSettings, tmp_path: Path) -> None:
    manifest = ingest_stage(faces, tmp_path / "ingest").manifest
    out, options = tmp_path / "mask", MaskOptions(wear=("correct",), size=(96, 128), workers=1)
    first = mask_stage(manifest, out, options)
    assert mask_stage(manifest, out, options).summary["finished_before"] == first.summary["photos"] == 2
    before = set(read_manifest(first.manifest)["sha256"])
    other = mask_stage(manifest, out, replace(options, seed=5))
    assert other.summary["finished_before"] == 0
    assert before.isdisjoint(read_manifest(other.manifest)["sha256"])
    assert mask_stage(manifest, out, replace(options, seed=5)).summary["finished_before"] == 2


def test_merge_says_what_the_rules_exclude_and_the_report_is_written(faces: SourceSettings, tmp_path: Path) -> None:
    free = ingest_stage(faces, tmp_path / "free").manifest
    unfree = faces.model_copy(update={"licence": "CC-BY-NC-4.0", "name": "unfree"})
    shutil.copytree(faces.root, tmp_path / "other")
    for path in (tmp_path / "other").glob("*.jpg"):
        path.write_bytes(path.read_bytes() + b"\0")
    unfree = unfree.model_copy(update={"root": tmp_path / "other"})
    shut = ingest_stage(unfree, tmp_path / "unfree").manifest
    merged = merge_stage([free, shut], tmp_path / "merge", rules="competition", folds=2)
    assert merged.summary["excluded"] == {"unfree (CC-BY-NC-4.0)": 2}
    assert "exclude commercial use" in merged.summary["why_excluded"]["unfree (CC-BY-NC-4.0)"]
    assert merged.summary["refusals"] == {"licence": 2}
    card = (tmp_path / "merge" / "DATACARD.md").read_text(encoding="utf-8")
    assert "| unfree | CC-BY-NC-4.0 | 2 |" in card
    merge_stage([shut, free], tmp_path / "merge", rules="competition", folds=2)
    assert (tmp_path / "merge" / "DATACARD.md").read_text(encoding="utf-8") == card
    assert merged.summary["photos"] == 2
    page = report_stage(tmp_path / "merge", tmp_path / "report" / "index.html", base_source="folder", title="Ours")
    text = page.read_text(encoding="utf-8")
    assert "Ours" in text
    assert 'href="../merge/DATACARD.md"' in text
    assert "CC-BY-NC-4.0" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "isn't a comma-separated table"),
        ("source,licence\na,MIT\n", "no column rows, why"),
        ("source,licence,kind,rows,why\na,MIT,x,many,y\n", "something else than whole numbers in its column rows"),
    ],
)
def test_a_broken_table_of_exclusions_is_said(tmp_path: Path, text: str, told: str) -> None:
    save_manifest(tmp_path, [row("a.jpg")])
    (tmp_path / "excluded.csv").write_text(text)
    with pytest.raises(LabelsError, match=told):
        report_stage(tmp_path, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_training_is_reused_only_for_the_same_manifest_and_settings(sample_root: Path, tmp_path: Path) -> None:
    source = SourceSettings(source="competition", root=sample_root / "competition")
    manifest = ingest_stage(source, tmp_path / "ingest").manifest
    merge_stage([manifest], tmp_path / "merge", rules="competition", folds=3)
    settings = TrainFlowSettings(manifest=tmp_path / "merge", out=tmp_path / "train", training=QUICK_TRAINING)
    steps: list[tuple[int, int]] = []
    first = train_stage(settings, progress=lambda done, total: steps.append((done, total)))
    assert not first["reused"]
    assert steps
    assert steps[-1][0] == steps[-1][1]
    again = train_stage(settings)
    assert again["reused"]
    assert again["metrics"]["macro_f1"] == pytest.approx(first["metrics"]["macro_f1"])
    other = settings.model_copy(update={"training": replace(QUICK_TRAINING, seed=1)})
    assert not train_stage(other)["reused"]
    answered = predict_stage(tmp_path / "train", sample_root / "competition" / "eval", tmp_path / "submission.csv")
    assert answered["photos"] == 3
    assert sum(answered["answers"].values()) == 3
    assert read_refusals(tmp_path / "submission.refusals.csv").empty


def test_what_the_flow_says_of_variants_is_what_masking_does() -> None:
    settings = SynthFlowSettings(plan="wear", size=(96, 128), tilt=12, turn=9, seed=3, workers=2)
    options = mask_options(settings)
    assert (options.plan, options.size, options.seed, options.workers) == ("wear", (96, 128), 3, 2)
    assert (options.tilt, options.turn) == (12, 9)
    synthesis = options.settings()
    assert (synthesis.tilt, synthesis.turn) == (12, 9)
