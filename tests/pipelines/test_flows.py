"""The flows on a real Prefect server, with what they leave on its pages."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from datasets.errors import DatasetsError
from datasets.manifest import read_manifest
from pipelines import masking, running
from pipelines.brief import brief
from pipelines.errors import FlowFailedError, MissingInputError
from pipelines.settings import SourceSettings, TrainFlowSettings
from tests.pipelines.builders import QUICK_TRAINING, make_settings
from tests.pipelines.mask_builders import in_this_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    # Prefect's own threads and sockets, closed when Prefect sees fit.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def artifact(key: str) -> Any:
    """The newest artifact of that key."""
    from prefect.artifacts import Artifact

    found = Artifact.get(key)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def result(sample_root: Path, tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> dict[str, Any]:
    """One run of synth-flow, training included; that masks come from processes of a flow, test_serve shows."""
    from pipelines.flows.synth import synth_flow

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masking, "stream_batches", in_this_process)
        return synth_flow(make_settings(tmp_path_factory.mktemp("out"), sample_root))


def test_the_merge_holds_the_base_as_it_is_and_the_others_as_variants(result: dict[str, Any]) -> None:
    merged = read_manifest(result["manifest"])
    base = merged["source"] == "competition"
    assert merged.loc[base, "parent_id"].isna().all()
    assert base.sum() == 42
    assert merged.loc[~base, "parent_id"].notna().all()
    assert set(merged.loc[~base, "source"]) == {"all-age-faces", "unlabelled"}
    assert set(merged.loc[~base, "mask"]) == {"wear", "incorrect", "not_wear"}
    assert merged["fold"].notna().all()
    assert all((result["manifest"].parent / path).is_file() for path in merged["path"])


def test_training_ran_here_because_nobody_serves_it(result: dict[str, Any]) -> None:
    training = result["training"]
    assert Path(training["checkpoint"]).is_file()
    assert not training["reused"]
    assert training["metrics"]["settings"]["image_size"] == QUICK_TRAINING.image_size


def test_the_report_is_there(result: dict[str, Any]) -> None:
    page = result["report"].read_text(encoding="utf-8")
    assert "<html" in page
    assert "People without a gender, by age group" in page


def test_prefects_pages_show_summary_refusals_and_progress(result: dict[str, Any]) -> None:
    rows = {row["what"]: row["value"] for row in json.loads(artifact("palette-summary").data)}
    assert rows["photos"] == 42
    assert rows["photos by source / competition"] == 42
    training = {row["what"]: row["value"] for row in json.loads(artifact("palette-training-summary").data)}
    assert 0 <= training["accuracy"] <= 1
    assert isinstance(json.loads(artifact("palette-refusals").data), list)
    for key in ("palette-ingest-competition", "palette-mask-all-age-faces", "palette-pseudo-label", "palette-training"):
        assert float(artifact(key).data) == 100.0


def test_the_short_form_has_the_main_figures(result: dict[str, Any]) -> None:
    short = brief(result)
    assert short["photos"] == 42
    assert sum(short["variants_by_wear_style"].values()) == short["variants"]
    assert short["training"]["held_out_photos"] > 0


def test_a_second_run_reuses_what_is_the_same_and_gives_the_same_bytes(
    result: dict[str, Any], sample_root: Path
) -> None:
    from pipelines.flows.synth import synth_flow

    out = result["manifest"].parent.parent
    before = result["manifest"].read_bytes()
    again = synth_flow(make_settings(out, sample_root))
    assert again["reused"] == ["competition", "all-age-faces", "unlabelled"]
    assert all(each["finished_before"] == each["photos"] for each in again["mask"].values())
    assert again["training"]["reused"]
    assert again["manifest"].read_bytes() == before


def test_whoever_is_in_an_evaluation_set_is_not_merged(sample_root: Path, tmp_path: Path) -> None:
    """A resized copy of one photo of one person keeps all of that person out, and ages are judged when asked for.

    It is of the base alone, so that nothing is masked, and training is left out.
    """
    from pipelines.flows.synth import synth_flow

    base = make_settings(tmp_path / "out", sample_root)
    known = next(source for source in base.sources if source.folder == "competition")
    person = sorted((known.root / "train" / "images").iterdir())[0]
    with Image.open(next(path for path in sorted(person.iterdir()) if path.stem.startswith("normal"))) as photo:
        (tmp_path / "eval").mkdir()
        photo.resize((photo.width * 3 // 4, photo.height * 3 // 4)).save(tmp_path / "eval" / "x.jpg", quality=80)
    evaluation = SourceSettings(source="folder", root=tmp_path / "eval", name="eval")
    changes = {"sources": base.sources[:1], "evaluation": (evaluation,), "train": False, "check_ages": True}
    made = synth_flow(base.model_copy(update=changes))
    merged = read_manifest(made["manifest"])
    assert not merged["path"].str.contains(person.name, regex=False).any()
    assert len(merged) == 42 - 7
    assert set(merged["source"]) == {"competition"}
    assert made["merge"]["refusals"] == {"in_evaluation": 7}
    assert brief(made)["duplicates"] == made["duplicates"]["pairs"] == {"near": 1}
    assert made["check_ages"]["photos_embedded"] == 6
    assert made["training"] is None
    assert made["merge"]["variants"] == 0


def test_a_user_error_fails_the_run_with_its_message_and_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from pipelines.flows.train import train_flow

    with caplog.at_level(logging.ERROR), pytest.raises(DatasetsError, match="no manifest"):
        train_flow(TrainFlowSettings(manifest=tmp_path, out=tmp_path / "train"))
    assert any("no manifest" in record.getMessage() for record in caplog.records)
    assert all(record.exc_info is None for record in caplog.records if record.name.startswith("prefect"))


def test_training_is_handed_to_whoever_serves_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the deployment there and polled for, a run of it is made and nobody waits for its end."""
    from prefect.client.orchestration import get_client

    from pipelines.flows import trigger
    from pipelines.flows.train import train_flow

    assert not trigger.is_served()
    train_flow.to_deployment("train-flow").apply()
    assert not trigger.is_served()  # it is there, but nobody polls
    monkeypatch.setattr(trigger, "is_served", lambda: True)
    settings = TrainFlowSettings(manifest=tmp_path, out=tmp_path / "train", training=QUICK_TRAINING)
    handed = trigger.trigger_training(settings)
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(handed["flow_run"])
    assert TrainFlowSettings.model_validate(run.parameters["settings"]) == settings
    assert run.state is not None
    assert run.state.is_scheduled()


def test_nothing_starts_when_an_input_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "load_flow", lambda _: pytest.fail("started"))
    with pytest.raises(MissingInputError, match="palette merge"):
        running.run_flow("train", None, [f"manifest={tmp_path / 'nowhere'}"])
    source = json.dumps([{"source": "competition", "root": str(tmp_path / "nowhere")}])
    with pytest.raises(MissingInputError, match="competition"):
        running.run_flow("synth-flow", None, [f"sources={source}"])


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Timed out while attempting to connect to ephemeral Prefect API server.", "can be written"),
        ("Failed to reach API at http://127.0.0.1:1/api/", "prefect server start"),
    ],
)
def test_no_server_is_explained(message: str, told: str) -> None:
    with pytest.raises(FlowFailedError, match=told), running.server_errors_explained():
        raise RuntimeError(message)


def test_the_flow_s_network_ages_and_self_training_reach_the_stage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from models.gender_network import NetworkOptions
    from pipelines.flows import synth
    from pipelines.pseudo_labels import PseudoLabelOptions
    from pipelines.settings import SynthFlowSettings, load_settings

    seen: list[PseudoLabelOptions] = []
    monkeypatch.setattr(synth, "pseudo_label_stage", lambda _manifests, _out, options, **_: seen.append(options))
    chosen = ["gender_network.backbone=resnet18", "gender_network.epochs=3", "pseudo_ages=true", f"out={tmp_path}"]
    chosen.append("self_train=true")
    for settings in (SynthFlowSettings(out=tmp_path), load_settings(SynthFlowSettings, None, chosen)):
        synth.pseudo_label_task.fn({}, settings)
    assert [(each.network, each.ages, each.self_train) for each in seen] == [
        (None, False, False),
        (NetworkOptions("resnet18", epochs=3), True, True),
    ]
