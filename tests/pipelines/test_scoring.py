"""Scores of runs, checkpoints and submissions: known answers, a page that stands alone, the surest wrong photos."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from datasets.labels import N_LABELS
from models.chances import of_labels
from models.errors import OutOfFoldError, TrainingDataError
from models.heads import to_codes, to_labels
from models.oof import OutOfFold, write_oof
from pipelines.errors import MissingInputError, SettingsError
from pipelines.scoring import score_stage
from pipelines.scoring.figures import work_out
from pipelines.scoring.inputs import Scored, open_scored
from pipelines.scoring.page import write_page
from pipelines.scoring.worst import surest_wrong, told_apart
from tests.models.builders import colour_rows, save_rows
from tests.models.test_splits import variant_of


@dataclass(frozen=True)
class Run:
    manifest: Path
    folder: Path
    table: OutOfFold
    wrong: int


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run's table over drawn people: everything right but the last age group of fold 1, answered one too young."""
    root = tmp_path_factory.mktemp("scoring")
    rows = colour_rows(root, people_per_cell=4, folds=2)
    bare = [each for each in rows if each["mask"] == "not_wear"]
    rows += [
        variant_of(each, "v", mask="incorrect", path=each["path"], mask_type="kf94", wear_style="chin",
                   mask_confidence=1.0)
        for each in bare
    ]  # fmt: skip
    manifest = save_rows(root, rows)
    frame = pd.read_parquet(manifest)
    truth = frame["label"].to_numpy(dtype=np.int64)
    folds = frame["fold"].to_numpy(dtype=np.int64)
    young = (folds == 1) & (truth % 3 == 2) & frame["parent_id"].isna().to_numpy()
    said = np.where(young, truth - 1, truth)
    chances = np.full((len(truth), N_LABELS), 0.01)
    chances[np.arange(len(truth)), said] = 1 - 0.17
    synthetic = frame["parent_id"].notna().to_numpy(dtype=bool)
    table = OutOfFold(tuple(frame["photo_id"]), folds, synthetic, to_codes(truth), of_labels(chances))
    write_oof(table, root / "run")
    return Run(manifest, root / "run", table, int(young.sum()))


def test_a_run_is_scored_by_everything_that_is_known(run: Run, tmp_path: Path) -> None:
    result = score_stage(run.folder, run.manifest, tmp_path, title="<b>Run</b>")
    told = json.loads(result.json.read_text())
    real = int((~run.table.synthetic).sum())
    assert told["headline"] == "real"
    assert told["whole"]["rows"] == real == 72
    assert told["whole"]["people"] == 24
    assert told["whole"]["accuracy"]["value"] == pytest.approx(1 - run.wrong / real)
    assert told["whole"]["accuracy"]["low"] < told["whole"]["accuracy"]["value"] < told["whole"]["accuracy"]["high"]
    assert told["whole"]["heads"]["mask"]["value"] == told["whole"]["heads"]["gender"]["value"] == 1.0
    parts = {name: {each["name"]: each for each in several} for name, several in told["parts"].items()}
    assert set(parts) == {"kind", "fold", "source", "decade", "mask_type", "wear_style"}
    assert parts["fold"]["fold 0"]["accuracy"]["value"] == 1.0
    assert parts["fold"]["fold 1"]["accuracy"]["value"] < 0.7
    assert parts["decade"]["20 to 29"]["macro_f1"]["value"] == 1.0
    assert parts["decade"]["70 to 79"]["accuracy"]["value"] == 0.5
    assert parts["kind"]["variants"]["accuracy"]["value"] == 1.0
    assert parts["mask_type"]["kf94"]["rows"] == parts["wear_style"]["chin"]["rows"] == 24
    assert told["calibration_of"] == "chances before cut-offs"
    assert "before cut-offs" in result.page.read_text().partition("share that is right")[2]
    for head in ("mask", "gender", "age_group"):
        each = told["calibration"][head]
        assert each["error"] == pytest.approx(abs(each["confidence"] - each["accuracy"]), abs=1e-9)


def test_the_page_stands_alone_and_shows_foreign_text_as_text(run: Run, tmp_path: Path) -> None:
    result = score_stage(run.folder, run.manifest, tmp_path, title="<b>Run</b> & more")
    page = result.page.read_text()
    assert "<b>Run</b>" not in page
    assert "&lt;b&gt;Run&lt;/b&gt; &amp; more" in page
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert page.count("data:image/png;base64,") == 5
    assert page.count("data:image/jpeg;base64,") == 1
    again = score_stage(run.folder, run.manifest, tmp_path / "again", title="<b>Run</b> & more")
    assert again.page.read_bytes() == result.page.read_bytes()
    assert again.json.read_bytes() == result.json.read_bytes()


def test_variants_are_the_headline_where_they_show_more(run: Run, tmp_path: Path) -> None:
    """As training has it: bare faces alone can't tell who sees masks."""
    bare = run.table.take((run.table.truth[:, 0] == 2) | run.table.synthetic)
    bare.truth[bare.synthetic, 0] = np.arange(24) % 3
    write_oof(bare, tmp_path / "run")
    scored = open_scored(tmp_path / "run", None)
    figures = work_out(scored)
    assert figures.headline == bare.headline == "synthetic"
    assert figures.whole.rows == 24
    page = write_page(tmp_path / "index.html", scored, figures, {}, title="Bare")
    assert "they show more of the mask states" in page.read_text()


def test_the_worst_are_the_surest_of_the_wrong(run: Run, tmp_path: Path) -> None:
    scored = open_scored(run.folder, run.manifest)
    chosen = work_out(scored).chosen
    rows = surest_wrong(scored, chosen)
    assert len(rows) == run.wrong == 12
    assert (scored.truth[rows] != scored.answers[rows]).any(axis=1).all()
    assert told_apart(scored.truth[rows[0]], scored.answers[rows[0]]) == ("60_plus", "30_to_59")
    assert len(surest_wrong(scored, chosen, 5)) == 5
    sure = np.asarray(run.table.chances.label).copy()
    sure[rows[7]] = np.eye(N_LABELS)[to_labels(scored.answers)[rows[7]]]
    surer = Scored(**{**vars(scored), "chances": of_labels(sure)})
    assert surest_wrong(surer, chosen)[0] == rows[7]
    result = score_stage(run.folder, run.manifest, tmp_path)
    assert result.worst is not None
    with Image.open(result.worst) as sheet:
        assert sheet.format == "JPEG"
        assert sheet.width > sheet.height


def test_without_a_manifest_a_photo_is_a_person_and_nothing_is_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "worst.jpg").write_bytes(b"of an earlier run")
    result = score_stage(run.folder, None, tmp_path)
    assert result.worst is None
    assert not (tmp_path / "worst.jpg").exists()
    assert result.figures.whole.people == 72
    assert set(result.figures.parts) == {"kind", "fold", "source"}
    assert "No manifest was given" in result.page.read_text()


def submission(path: Path, rows: dict[str, Any]) -> Path:
    pd.DataFrame({"ImageID": list(rows), "ans": list(rows.values())}).to_csv(path, index=False)
    return path


def test_a_submission_is_scored_by_name_not_by_order(tmp_path: Path) -> None:
    truth = submission(tmp_path / "truth.csv", {"a.jpg": 0, "b.jpg": 4, "c.jpg": 17, "d.jpg": 17})
    said = submission(tmp_path / "sub.csv", {"d.jpg": 16, "x.jpg": 3, "c.jpg": 17, "b.jpg": 4, "a.jpg": 0})
    result = score_stage(said, truth, tmp_path / "out")
    assert result.figures.whole.accuracy is not None
    assert result.figures.whole.accuracy.value == 0.75
    assert result.figures.scores.label.f1[17] == pytest.approx(2 / 3)
    assert result.figures.calibration == {}
    assert "1 answers are to photos" in result.page.read_text()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"a.jpg": 0}, "no answer for 1 of the 2 photos of .*, such as b.jpg"),
        ({"a.jpg": 0, "b.jpg": 18}, "answers b.jpg with '18': expected 0 to 17"),
        ({"a.jpg": 0, "b.jpg": "1.0"}, "answers b.jpg with '1.0': expected 0 to 17"),
    ],
)
def test_a_submission_that_answers_wrongly_says_where(tmp_path: Path, rows: dict[str, Any], told: str) -> None:
    truth = submission(tmp_path / "truth.csv", {"a.jpg": 0, "b.jpg": 1})
    with pytest.raises(SettingsError, match=told):
        open_scored(submission(tmp_path / "sub.csv", rows), truth)


def test_what_cannot_be_scored_says_why(run: Run, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="nothing at"):
        open_scored(tmp_path / "nowhere", None)
    truth = submission(tmp_path / "truth.csv", {"a.jpg": 0})
    with pytest.raises(MissingInputError, match="needs the truth"):
        open_scored(truth, None)
    (tmp_path / "twice.csv").write_text("ImageID,ans\na.jpg,0\na.jpg,1\n")
    with pytest.raises(SettingsError, match=r"names a\.jpg more than once"):
        open_scored(tmp_path / "twice.csv", truth)
    (tmp_path / "other.csv").write_text("name,class\na.jpg,0\n")
    with pytest.raises(SettingsError, match="has the columns name, class"):
        open_scored(tmp_path / "other.csv", truth)
    other = save_rows(tmp_path / "small", colour_rows(tmp_path / "small", people_per_cell=1))
    with pytest.raises(SettingsError, match="lacks 78 of the 96 photos"):
        open_scored(run.folder, other)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(OutOfFoldError, match="cannot read"):
        open_scored(tmp_path / "broken.parquet", None)
    blind = Scored("x", ("a",), np.full((1, 3), -1), np.zeros((1, 3), dtype=np.int64), np.zeros(1, dtype=bool))
    with pytest.raises(TrainingDataError, match="nothing to score"):
        work_out(blind)
