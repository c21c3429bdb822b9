"""The report's section on pseudo-labelled genders, and the tables it is made of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datasets.errors import LabelsError
from datasets.manifest import make_manifest, make_refusals, write_manifest
from models.confidence import precision_by_coverage, reliability
from models.gender import PseudoLabelled, pseudo_label
from pipelines import cli
from pipelines.errors import MissingInputError, PipelinesError
from pipelines.gender_sheets import DECIDED, GIVEN, GenderTables, read_gender_tables, write_gender_sheets
from pipelines.pseudo_summary import SUMMARY, Summary, read_summary, write_summary
from pipelines.report import write_report
from pipelines.report.curves import coverage_chart, reliability_chart
from pipelines.report.genders import genders
from pipelines.report.learning import ages_part, gender_parts
from pipelines.rewriting import Inputs
from tests.models.builders import embeddings_of
from tests.models.builders import row as labelled_row
from tests.pipelines.report_builders import NO_EXCLUSIONS, Page, draw, population

CAPTION = "People without a gender, by age group"


def given_table(count: int = 200, wrong: int = 20, sure: float = 0.8) -> pd.DataFrame:
    """People of whom the least sure are told wrongly, and the surer are decided on."""
    confidence = np.linspace(0.5, 1, count)
    said = np.where(np.arange(count) < wrong, "male", "female")
    people = [f"folder:{each}" for each in range(count)]
    return pd.DataFrame(
        {"photo_id": [f"{each}.jpg" for each in people], "person_id": people, "gender": "female", "said": said,
         "confidence": confidence, "decided": confidence >= sure}
    )  # fmt: skip


def decided_table(rows: list[tuple[str, str]]) -> pd.DataFrame:
    """People by reason and age group."""
    reasons, groups = zip(*rows, strict=True)
    ids = [f"folder:{each}" for each in range(len(rows))]
    sure = [0.9 if reason in ("pseudo", "unsure") else None for reason in reasons]
    return pd.DataFrame(
        {"person_id": ids, "photo_id": ids, "said": "male", "confidence": sure, "reason": reasons, "age_group": groups}
    ).astype({"confidence": float})


def page_of(folder: Path, tables: GenderTables | None) -> Page:
    frame = population(people=4)
    draw(folder, frame)
    refusals = make_refusals([])
    settings: dict[str, Any] = {"refusals": refusals, "excluded": NO_EXCLUSIONS, "root": folder}
    file = write_report(folder / "report.html", merged=frame, genders=tables, **settings)
    return Page(file.read_text(encoding="utf-8"))


def test_the_section_tells_what_the_tables_hold(tmp_path: Path) -> None:
    rows = [("pseudo", "under_30")] * 3 + [("unsure", "under_30"), ("too_young", "under_30")]
    rows += [("pseudo", "60_plus"), ("unsure", "60_plus"), ("no_embedding", ""), ("new <reason>", "")]
    page = page_of(tmp_path, GenderTables(given_table(), decided_table(rows)))
    assert page.faults == []
    words = " ".join(" ".join(page.words).split())
    assert "Learned from 200 people" in words
    assert "says that one for 90.0 %" in words
    assert "40.0 % are decided, and 100.0 % of those rightly" in words
    assert "look at again" not in words
    heads = page.tables[CAPTION][0]
    assert heads == [
        "Age group", "people", "labelled", "share", "not sure enough", "too young", "no face found", "new <reason>",
    ]  # fmt: skip
    assert page.row(CAPTION, "under_30") == ["5", "3", "60.0 %", "1", "1", "0", "0"]
    assert page.row(CAPTION, "60_plus") == ["2", "1", "50.0 %", "1", "0", "0", "0"]
    assert page.row(CAPTION, "unknown") == ["2", "0", "0.0 %", "0", "0", "1", "1"]
    assert page.row(CAPTION, "all") == ["9", "4", "44.4 %", "2", "1", "1", "1"]
    assert [cells[0] for cells in page.tables[CAPTION][1:]] == ["under_30", "60_plus", "unknown", "all"]
    labels = [attrs.get("aria-label") for attrs in page.of("svg")]
    assert "How often confidences in a gender are right" in labels
    assert "Share of genders decided, and share of those right" in labels


def test_given_genders_that_would_be_decided_otherwise_are_counted_one_photo_a_person() -> None:
    given = given_table(sure=0.54)
    doubled = pd.concat([given, given.assign(photo_id="z" + given["photo_id"], said="male", decided=True)])
    told = genders(GenderTables(doubled, decided_table([("pseudo", "")])))
    assert told is not None
    wrong = int((given["decided"] & given["said"].ne("female")).sum())
    assert wrong == 4
    assert f"would have decided otherwise: {wrong}." in told["text"]
    assert "Learned from 200 people" in told["text"]


def test_without_thresholds_tables_or_anything_learned_it_says_so(tmp_path: Path) -> None:
    undecided = genders(GenderTables(given_table(sure=2.0), decided_table([("unsure", "")])))
    assert undecided is not None
    assert "nobody is decided on" in undecided["text"]
    assert undecided["table"].total is None
    nothing = genders(GenderTables(given_table(0), decided_table([("no_model", "60_plus")])))
    assert nothing is not None
    assert "too few people" in nothing["text"]
    assert (nothing["reliability"], nothing["coverage"]) == (None, None)
    none_missing = genders(GenderTables(given_table(), decided_table([("pseudo", "")]).head(0)))
    assert none_missing is not None
    assert none_missing["table"] is None
    assert genders(None) is None
    page = page_of(tmp_path, None)
    assert page.faults == []
    assert "No tables of pseudo-labelled genders were given to this report." in page.words


def test_curves_lead_through_what_was_measured_and_mark_what_is_decided() -> None:
    given = given_table(5000, wrong=900)
    right, confidence = given["said"].eq("female").to_numpy(), given["confidence"].to_numpy()
    curve = precision_by_coverage(confidence, right)
    with_point = coverage_chart("c", "Curve", curve, (0.5, 0.99))
    without = coverage_chart("c", "Curve", curve, None)
    assert "50.0 % decided, 99.0 % right" in with_point
    assert "decided, " not in without
    assert len(without) < 40_000
    bins = reliability(confidence, right)
    drawing = reliability_chart("r", "Bins", bins)
    said = re.findall(r">([\d,]+)</text>", drawing)
    assert sorted(said) == sorted(f"{each.count:,}" for each in bins)
    assert reliability_chart("r", "Bins", bins) == drawing


@pytest.mark.parametrize(("wrong", "made"), [(0, (0.4, 1.0)), (1, None)])
def test_a_single_person_can_be_drawn(wrong: int, made: tuple[float, float] | None) -> None:
    confidence, right = np.array([0.9]), np.array([not wrong])
    assert "<svg" in reliability_chart("r", "t", reliability(confidence, right))
    assert "<svg" in coverage_chart("c", "t", precision_by_coverage(confidence, right), made)


@pytest.fixture
def labelled() -> PseudoLabelled:
    """People of whom some lack a gender, and what was made of them."""
    truth = np.resize(["male", "female"], 90)
    vectors = embeddings_of(truth, np.random.default_rng(0), 4.0)
    rows = [
        labelled_row(f"{at}.jpg", str(at), age=40.0 if at % 3 else None, gender=gender if at < 80 else None)
        for at, gender in enumerate(truth)
    ]
    frame = make_manifest(rows)
    return pseudo_label(frame, dict(zip(frame["photo_id"].iloc[:89], vectors, strict=False)), precision=0.9)


def test_what_was_written_is_read_again(labelled: PseudoLabelled, tmp_path: Path) -> None:
    nobody = Inputs({}, labelled.manifest)
    write_gender_sheets(nobody, PseudoLabelled(labelled.manifest, labelled.report, labelled.given), tmp_path)
    alone = read_gender_tables(tmp_path)
    assert alone is not None
    assert len(alone.decided) == 0
    pd.testing.assert_frame_equal(alone.given, labelled.given, check_dtype=False, atol=1e-6)
    labelled.decided.to_csv(tmp_path / DECIDED, index=False)
    both = read_gender_tables(tmp_path)
    assert both is not None
    pd.testing.assert_frame_equal(both.decided, labelled.decided, check_dtype=False, atol=1e-6)
    assert both.decided["confidence"].isna().sum() == 1
    section = genders(both)
    assert section is not None
    assert section["table"].rows


@pytest.mark.parametrize(
    ("file", "change", "error", "message"),
    [
        (GIVEN, {"confidence": "much"}, PipelinesError, "not from 0.5 to 1"),
        (GIVEN, {"confidence": "0.3"}, PipelinesError, "not from 0.5 to 1"),
        (GIVEN, {"confidence": ""}, PipelinesError, "run that again"),
        (GIVEN, {"decided": "perhaps"}, PipelinesError, "run that again"),
        (DECIDED, {"confidence": "1.5"}, PipelinesError, "not from 0.5 to 1"),
    ],
)
def test_tables_of_another_making_are_named(
    tmp_path: Path, file: str, change: dict[str, str], error: type[Exception], message: str
) -> None:
    table = given_table(3) if file == GIVEN else decided_table([("pseudo", "")])
    table.astype(str).assign(**change).to_csv(tmp_path / file, index=False)
    with pytest.raises(error, match=message):
        read_gender_tables(tmp_path)


def test_a_table_without_a_column_and_a_folder_without_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"neither given_genders\.csv nor pseudo_genders\.csv"):
        read_gender_tables(tmp_path)
    given_table(3).drop(columns="decided").to_csv(tmp_path / GIVEN, index=False)
    with pytest.raises(LabelsError, match="no column decided"):
        read_gender_tables(tmp_path)


def test_where_no_gender_was_missing_there_is_nothing_to_tell(tmp_path: Path) -> None:
    write_manifest(population(people=3), tmp_path / "competition")
    assert read_gender_tables(tmp_path) is None


def test_the_command_takes_the_stages_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = population(people=3)
    draw(tmp_path / "merge", frame)
    write_manifest(frame, tmp_path / "merge")
    stage = tmp_path / "pseudo-label"
    stage.mkdir()
    arguments = ["report", str(tmp_path / "merge"), "--genders", str(stage), "--out", str(tmp_path / "r.html")]
    assert cli.run(arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {stage} holds neither given_genders.csv nor")
    assert not (tmp_path / "r.html").exists()
    given_table().to_csv(stage / GIVEN, index=False)
    assert cli.run(arguments) == 0
    assert "Learned from 200 people" in (tmp_path / "r.html").read_text(encoding="utf-8")


def measured(loss: float, precision: float | None = 0.98) -> dict[str, Any]:
    return {
        "log_loss": loss, "accuracy": 0.9, "calibration_error": 0.02, "brier": 0.1, "coverage": 0.4, "people": 300,
        "precision": precision,
    }  # fmt: skip


GAIN = {"mean": 0.02, "low": 0.005, "high": 0.035}
REPORT: dict[str, Any] = {
    "status": "labelled",
    "held_out": {**measured(0.3), "calibration": "isotonic", "log_loss": {"platt": 0.2804, "isotonic": 0.2796}},
    "self_training": {
        "kept": True, "reason": None, "asked": 1200, "joined": 700, "judged_on": ["<b>two</b>"], "people": 300,
        "joined_without": {"<b>two</b>": 650}, "before": measured(0.30), "after": measured(0.28, None), "gain": GAIN,
    },
    "network": {
        "kept": False, "reason": "the log loss of both together is not surely better", "judged_on": [], "people": 900,
        "embedding": measured(0.28), "network": measured(0.5), "blend": measured(0.2805), "weights": {},
        "gain": {"mean": -0.0005, "low": -0.001, "high": 0.0},
    },
    "ages": {
        "status": "labelled", "reason": None, "people_missing": 20, "people_filled": 7, "rows_filled": 9,
        "filled_by_group": {"under_30": 4, "30_to_59": 3, "60_plus": 0}, "abstained": {"no_embedding": 2, "unsure": 11},
        "thresholds": {}, "labelled_people": 500,
        "held_out": {
            "people": 500, "coverage": 0.25, "precision": 0.955, "precision_wanted": 0.97, "accuracy": 0.8,
            "by_group": {
                "under_30": {"people": 200, "said": 80, "precision": 0.975},
                "30_to_59": {"people": 250, "said": 45, "precision": 0.9},
                "60_plus": {"people": 50, "said": 0, "precision": None},
            },
        },
    },
}  # fmt: skip
"""As the stage tells it, with a source whose name is markup."""


def test_the_page_tells_how_pseudo_labels_were_learned(tmp_path: Path) -> None:
    write_summary(REPORT, tmp_path)
    told = read_summary(tmp_path)
    page = page_of(tmp_path, GenderTables(given_table(), decided_table([("pseudo", "")]), told))
    assert page.faults == []
    assert "<b>" not in page.text.split('<section id="genders">')[1].split("</section>")[0]
    words = " ".join(" ".join(page.words).split())
    assert "by a centred isotonic curve" in words
    assert "Platt's sigmoid 0.2804, a centred isotonic curve 0.2796" in words
    assert "Kept: 700 of 1,200 people without a gender joined" in words
    assert "300 people held out with their whole source (<b>two</b>) the log loss changes by −0.0200" in words
    assert "from −0.0350 to −0.0050, each end" in words
    assert "not kept: the log loss of both together is not surely better." in words
    assert "changes by +0.0005 (from +0.0000 to +0.0010, each" in words
    rows = {row[0]: row[1:] for row in page.tables["Self-training, on people of sources held out"][1:]}
    assert rows["with them"] == ["0.2800", "90.0 %", "0.020", "40.0 %", "–"]
    assert rows["without those who joined"] == ["0.3000", "90.0 %", "0.020", "40.0 %", "98.0 %"]
    network = page.tables["A network beside the faces' numbers, on people held out"]
    assert [row[0] for row in network[1:]] == ["faces' numbers", "network", "both"]
    assert "Of 20 people without an age group" in words
    assert "7 were given one. The others: no bare face found 2, not sure enough 11." in words
    assert (
        "Asked for: 97.0 % right within each group said. Of 500 people held out 25.0 % are decided, and 95.5 %" in words
    )
    caption = "Age groups filled in, and on people held out"
    assert page.row(caption, "under_30") == ["4", "200", "80", "97.5 %"]
    assert page.row(caption, "60_plus") == ["0", "50", "0", "–"]


def test_nothing_is_told_of_what_was_not_done(tmp_path: Path) -> None:
    page = page_of(tmp_path, GenderTables(given_table(), decided_table([("pseudo", "")])))
    assert page.faults == []
    words = " ".join(page.words)
    for heading in ("Calibration", "Self-training", "Network", "Age groups filled in"):
        assert heading not in words
    assert gender_parts(Summary()) == []
    nothing = Summary.model_validate({"ages": REPORT["ages"] | {"people_missing": 0, "held_out": None}})
    assert ages_part(nothing.ages) is None
    assert ages_part(None) is None


def test_why_something_could_not_be_done_is_told() -> None:
    told = Summary.model_validate(
        {
            "self_training": {"kept": False, "reason": "none can be held out", "asked": 5, "joined": 3},
            "network": {"kept": False, "reason": "too few people", "people": 4},
            "ages": {"status": "abstained", "reason": "too few aged", "people_missing": 2, "people_filled": 0,
                     "abstained": {"new <reason>": 2}},
        }
    )  # fmt: skip
    training, network = gender_parts(told)
    assert training.text == ("Tried, and not kept: none can be held out. Those who would have joined: 3 of 5.")
    assert network.text == "Asked, and not kept: too few people."
    assert (training.table, network.table) == (None, None)
    ages = ages_part(told.ages)
    assert ages is not None
    assert ages.text.endswith("0 were given one. Too few aged. The others: new <reason> 2.")
    assert ages.table is None


def test_ages_alone_are_told_where_no_gender_was_missing(tmp_path: Path) -> None:
    write_manifest(population(people=3), tmp_path / "competition")
    write_summary({"status": "nothing_missing", "held_out": None, "ages": REPORT["ages"]}, tmp_path)
    tables = read_gender_tables(tmp_path)
    assert tables is not None
    page = page_of(tmp_path, tables)
    assert "No tables of pseudo-labelled genders were given to this report." in page.words
    assert "Age groups filled in" in page.words


def test_the_summary_has_the_same_bytes_and_what_is_no_summary_is_named(tmp_path: Path) -> None:
    kept = write_summary(REPORT, tmp_path).read_bytes()
    shuffled = dict(reversed(REPORT.items())) | {"people_filled": np.int64(3)}
    assert write_summary(shuffled | {"held_out": {**REPORT["held_out"], "brier": 0.1 + 1e-9}}, tmp_path)
    again = (tmp_path / SUMMARY).read_bytes().replace(b'  "people_filled": 3,\n  "self', b'  "self')
    assert again == kept
    assert read_summary(tmp_path / "nowhere") == Summary()
    for text in ("[]", "{", '{"network": {"kept": "perhaps"}}', '{"ages": 3}', "[" * 100_000, "\udcff"):
        (tmp_path / SUMMARY).write_bytes(text.encode("utf-8", "surrogatepass"))
        with pytest.raises(PipelinesError, match="run that again"):
            read_gender_tables(tmp_path)
