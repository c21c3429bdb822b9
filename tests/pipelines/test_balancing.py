"""The plan balance: counting what is there, giving photos their own variants, and running that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasets.errors import DatasetsError
from datasets.labels import encode_label
from datasets.manifest import make_manifest, read_manifest, read_refusals, write_manifest
from datasets.portraits import Portrait
from pipelines.balancing import (
    CLASSES,
    BalanceOptions,
    assign_plan,
    chosen_balance,
    count_all,
    plan_balance,
    require_variants,
)
from pipelines.errors import SettingsError
from pipelines.mask_input import MaskInput, photos_of_manifest
from pipelines.masking import MaskOptions, mask_photos, with_plan
from pipelines.settings import SynthFlowSettings
from pipelines.stages import mask_options, mask_stage
from synth.balance import BalancePlan, FaceClass
from synth.balance_file import read_balance, write_balance
from synth.errors import SynthUsageError
from tests.datasets.builders import row
from tests.pipelines.mask_builders import palette, quick, save

__all__ = ["quick"]
YOUNG_WOMEN = [FaceClass(state, "female", "under_30") for state in ("wear", "incorrect", "not_wear")]


@pytest.fixture
def dataset(tmp_path: Path, drawn: tuple[Portrait, ...]) -> Path:
    """Three photos of two young women, and one of somebody of no known age."""
    folder = tmp_path / "data"
    known = {"gender": "female", "age": 24.0, "mask": "not_wear", "source": "aaf"}
    rows = []
    for number, (person, gender_and_age) in enumerate(
        [("aaf:one", known), ("aaf:one", known), ("aaf:two", known), ("aaf:who", {"gender": "male", "source": "aaf"})]
    ):
        save(drawn[number % len(drawn)].rgb, folder / f"{number}.png")
        rows.append(row(f"{number}.png", person_id=person, sha256=f"{number}" * 64, **gender_and_age))
    write_manifest(make_manifest(rows), folder)
    return folder


def counts_file(folder: Path, text: str) -> Path:
    path = folder / "counts.csv"
    path.write_text(text)
    return path


def planned(given: MaskInput) -> dict[str, int]:
    return {task.photo_id: task.plan.per_photo for task in given.tasks if task.plan is not None}


def test_a_manifest_is_counted_class_by_class(dataset: Path) -> None:
    found = count_all([dataset, dataset / "manifest.parquet", dataset / "manifest.csv"])
    assert list(found) == list(CLASSES)
    assert {each: count for each, count in found.items() if count} == {YOUNG_WOMEN[2]: 9}


def test_classes_are_in_the_order_of_their_labels() -> None:
    assert [encode_label(each.mask, each.gender, each.age_group) for each in CLASSES] == list(range(18))


def test_a_table_of_counts(tmp_path: Path) -> None:
    found = count_all([counts_file(tmp_path, "label,count\n0,5\nnot_wear/female/60_plus,7\n17,1\n,3\n2.0,4\n")])
    assert (found[CLASSES[0]], found[CLASSES[17]], found[CLASSES[2]]) == (5, 8, 4)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("klass\n1\n", "no column label"),
        ("label\n18\n", r"row 2: expected a label 0..17"),
        ("label\n1\nwear/boy/old\n", "row 3"),
        ("label,count\n1,many\n", "row 2: count is a whole number"),
    ],
)
def test_tables_of_another_form_are_explained(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DatasetsError, match=told):
        count_all([counts_file(tmp_path, text)])


def test_who_is_not_known_gets_nothing_and_is_named(dataset: Path, tmp_path: Path) -> None:
    options = BalanceOptions((counts_file(tmp_path, "label,count\n3,4\n"),), "max", cap=4)
    given = photos_of_manifest(dataset)
    made = assign_plan(given, plan_balance(given, options))
    counts = planned(made)
    assert made.planned == sum(counts.values()) == 7
    assert sorted([counts["aaf:0.png"] + counts["aaf:1.png"], counts["aaf:2.png"]]) == [3, 4]
    assert made.refused[["photo_id", "reason", "detail"]].to_numpy().tolist() == [
        ["aaf:3.png", "unlabelled", "no age, so no class to balance"]
    ]
    assert made.not_needed == 0


def test_photos_that_are_not_needed_are_counted(dataset: Path, tmp_path: Path) -> None:
    there = "".join(f"{label},9\n" for label in range(18) if label != 3)
    options = BalanceOptions((counts_file(tmp_path, f"label,count\n{there}3,7\n"),), "max")
    given = photos_of_manifest(dataset)
    made = assign_plan(given, plan_balance(given, options))
    assert (made.planned, made.not_needed, sorted(planned(made).values())) == (2, 1, [1, 1])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("plan", [{"aaf:0.png": {}}, {"other:0.png": {"chin": 1}}])
def test_plans_that_give_these_photos_nothing(dataset: Path, tmp_path: Path, plan: dict[str, dict[str, int]]) -> None:
    given = assign_plan(photos_of_manifest(dataset), BalancePlan(plan))
    with pytest.raises(SettingsError, match="none of these photos"):
        require_variants(given)
    file = write_balance(BalancePlan(plan), tmp_path / "plan.toml")
    done = palette("mask", dataset, tmp_path / "out", "--plan", file)
    assert (done.code, len(done.err.strip().splitlines()), (tmp_path / "out").exists()) == (2, 1, False)
    # A flow goes on: another source may have filled every class.
    made = mask_stage(dataset, tmp_path / "out", MaskOptions(str(file)))
    assert (made.summary["variants"], made.summary["planned"]) == (0, 0)
    assert len(read_manifest(made.manifest)) == 0


@pytest.mark.usefixtures("quick")
def test_a_flows_second_source_fills_what_the_first_left(dataset: Path, tmp_path: Path) -> None:
    settings = SynthFlowSettings(plan="balance", target="2", cap=2, size=None, workers=1)
    options = mask_options(settings, [dataset])
    assert (options.balance.target, options.balance.counts) == ("2", (dataset,))
    first = mask_stage(dataset, tmp_path / "one", options)
    assert first.summary["planned"] == 4  # of wear and incorrect two each: three bare ones are there
    again = mask_stage(dataset, tmp_path / "one", options)
    assert again.summary["finished_before"] == again.summary["photos"] > 0
    second = mask_stage(dataset, tmp_path / "two", mask_options(settings, [dataset, first.manifest]))
    assert second.summary["planned"] == 0


@pytest.mark.parametrize("changes", [{"target": "most"}, {"target": 0}, {"cap": 0}, {"plan": "balanced"}])
def test_settings_of_the_flow_are_judged_before_it_runs(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"target|cap|unknown plan"):
        SynthFlowSettings(**{"plan": "balance", **changes})
    assert SynthFlowSettings(target=300).target == "300"


def test_a_target_of_counts_needs_counts(dataset: Path) -> None:
    given = photos_of_manifest(dataset)
    with pytest.raises(SettingsError, match="--counts"):
        plan_balance(given, BalanceOptions())
    assert plan_balance(given, BalanceOptions(target="2")).photos


def test_wear_styles_beside_a_balance_and_unknown_types_are_mistakes() -> None:
    with pytest.raises(SettingsError, match="--wear and a balance plan"):
        MaskOptions("balance", wear=("chin",)).settings()
    with pytest.raises(SynthUsageError, match="veil"):
        MaskOptions("balance", types=("veil",)).settings()


def test_what_identifies_a_run_is_every_photos_plan(dataset: Path) -> None:
    def identity(target: str, *types: str) -> str:
        options = MaskOptions("balance", types=types, balance=BalanceOptions(target=target))
        given = with_plan(photos_of_manifest(dataset), options)
        return options.settings(given.assigned).identity()

    assert identity("2") == identity("2") != identity("3")
    assert identity("2") != identity("2", "kf94")


@pytest.mark.usefixtures("quick")
def test_a_run_makes_each_photos_variants_goes_on_and_refuses_another_plan(dataset: Path, tmp_path: Path) -> None:
    options = MaskOptions("balance", types=("kf94",), balance=BalanceOptions(target="3", cap=4))
    given, out = photos_of_manifest(dataset), tmp_path / "out"
    summary = mask_photos(given, out, options)
    made = read_manifest(out)
    wanted = chosen_balance(given, "balance", options.balance)
    for photo_id, styles in wanted.photos.items():
        variants = made[made["parent_id"] == photo_id]
        assert variants["wear_style"].fillna("not_wear").value_counts().to_dict() == styles
    assert set(made["mask_type"].dropna()) == {"kf94"}
    assert (summary.planned, summary.variants, summary.photos) == (8, 8, 3)
    assert summary.short == {str(goal.of): goal.short for goal in wanted.classes if goal.short}
    assert read_refusals(out)["reason"].tolist() == ["unlabelled"]
    assert mask_photos(given, out, options).reused == 3
    with pytest.raises(SynthUsageError, match="other options"):
        mask_photos(given, out, MaskOptions("balance", balance=BalanceOptions(target="2", cap=4)))


@pytest.mark.usefixtures("quick")
def test_from_plan_to_variants_on_the_command_line(dataset: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    done = palette("plan", dataset, file, "--target", 2, "--cap", 3, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["photos"], told["people"], told["variants"], told["target"]) == (3, 2, 6, 2)
    assert told["classes"]["wear/female/under_30"] == {"present": 0, "planned": 2, "short": 0, "why": ""}
    assert told["classes"]["wear/male/60_plus"]["why"] == "no photo of such a person"
    assert told["refusals"] == {"unlabelled": 1}
    edited = read_balance(file)
    assert set(edited.photos) == {"aaf:0.png", "aaf:1.png", "aaf:2.png"}
    dry = palette("mask", dataset, tmp_path / "out", "--plan", "balance", "--target", 2, "--cap", 3, "--dry-run")
    assert (dry.code, (tmp_path / "out").exists()) == (0, False)
    assert "0 + 2 = 2" in dry.out
    file.write_text("[photos]\n'aaf:2.png' = {chin = 1, not_wear = 1}\n")
    run = palette("mask", dataset, tmp_path / "out", "--plan", file, "--json")
    assert (run.code, json.loads(run.out)["variants"], json.loads(run.out)["planned"]) == (0, 2, 2)
    assert set(read_manifest(tmp_path / "out")["parent_id"]) == {"aaf:2.png"}


def test_the_class_table_before_and_after_is_printed(dataset: Path, tmp_path: Path) -> None:
    given = (dataset, tmp_path / "plan.toml", "--target", 2, "--cap", 3)
    told = json.loads(palette("plan", *given, "--json").out)
    done = palette("plan", *given)
    assert (done.code, done.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line.strip()}
    for name, counted in told["classes"].items():
        after = counted["present"] + counted["planned"]
        wanted = [str(number or "-") for number in (counted["present"], counted["planned"], after, counted["short"])]
        assert rows[name][:4] == wanted
        assert " ".join(rows[name][4:]) == counted["why"]
    assert rows["all"][1] == str(told["variants"])
    assert "18 classes empty before" in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--target", "some"), "max or median"), (("--counts", "nowhere.csv"), "nowhere.csv"), ((), "--counts")],
)
def test_calls_that_cannot_be_planned_are_one_line(
    dataset: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    given = arguments if not arguments or arguments[0] == "--counts" else (*arguments, "--counts", dataset)
    done = palette("plan", dataset, tmp_path / "plan.toml", *given)
    assert (done.code, done.out, len(done.err.strip().splitlines())) == (2, "", 1)
    assert told in done.err
    assert not (tmp_path / "plan.toml").exists()
