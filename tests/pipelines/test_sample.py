"""Sample people: drawn once, drawn again when they are others, and no gender where none is to be."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from datasets.readers import ingest
from pipelines.sample import EVAL_TRUTH, GENDER_TRUTH, draw_sample, sample_sources, with_sample_people
from pipelines.settings import SAMPLE_TRAINING, SampleSettings, SourceSettings, SynthFlowSettings
from tests.pipelines.builders import SMALL_SAMPLE


def test_the_same_sample_is_not_drawn_twice(sample_root: Path) -> None:
    assert not draw_sample(sample_root, SMALL_SAMPLE)


def test_a_harmed_or_another_sample_is_drawn_anew(tmp_path: Path) -> None:
    small = SampleSettings(people=1, photos=2, unlabelled=2, eval_photos=1)
    root = tmp_path / "sample"
    assert draw_sample(root, small)
    photo = root / "unlabelled" / "person 001.jpg"
    drawn = photo.read_bytes()
    photo.write_bytes(b"harmed")
    assert draw_sample(root, small)
    assert photo.read_bytes() == drawn
    assert draw_sample(root, small.model_copy(update={"seed": 1}))
    assert photo.read_bytes() != drawn
    assert len(list((root / "unlabelled").glob("*.jpg"))) == 2


def test_every_source_can_be_ingested_and_only_the_folder_lacks_genders(sample_root: Path) -> None:
    counts = {}
    for source in sample_sources(sample_root):
        read = ingest(source.source, source.root, options=source.reader_options)
        assert read.refusals.empty
        counts[source.folder] = (len(read.manifest), int(read.manifest["gender"].isna().sum()))
    assert counts == {"competition": (42, 0), "all-age-faces": (4, 0), "unlabelled": (2, 2)}


def test_the_truth_is_kept_for_scoring(sample_root: Path) -> None:
    assert len(pd.read_csv(sample_root / EVAL_TRUTH)) == SMALL_SAMPLE.eval_photos
    genders = pd.read_csv(sample_root / GENDER_TRUTH)
    assert set(genders["gender"]) <= {"female", "male"}
    assert set(genders["file_name"]) == {path.name for path in (sample_root / "unlabelled").glob("*.jpg")}
    assert "gender" not in pd.read_csv(sample_root / "unlabelled" / "metadata.csv").columns


def test_sources_that_are_given_are_left_as_they_are(tmp_path: Path) -> None:
    settings = SynthFlowSettings(
        out=tmp_path, sources=(SourceSettings(source="competition", root=tmp_path),), sample=SMALL_SAMPLE
    )
    assert with_sample_people(settings) is settings
    assert list(tmp_path.iterdir()) == []


def test_no_sources_become_sample_people_with_quick_training(tmp_path: Path, sample_root: Path) -> None:
    (tmp_path / "sample").symlink_to(sample_root)
    filled = with_sample_people(SynthFlowSettings(out=tmp_path, sample=SMALL_SAMPLE))
    assert [source.folder for source in filled.sources] == ["competition", "all-age-faces", "unlabelled"]
    assert filled.training_settings == SAMPLE_TRAINING
