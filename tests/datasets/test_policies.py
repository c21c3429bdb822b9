from __future__ import annotations

import json

import pytest

from datasets.errors import LabelsError, UsageError
from datasets.manifest import make_manifest, read_manifest, read_provenance, write_manifest
from datasets.policies import LabelPolicy, parse_types
from datasets.readers import ingest, save_ingest
from tests.datasets.builders import (
    MEDICAL,
    PERSON,
    row,
    save_photo,
    write_all_age_faces,
    write_competition,
    write_medical_masks,
)

AGES = tuple(f"{index:05d}A{age}" for index, age in enumerate((29, 57, 58, 59, 60, 80), start=10))


@pytest.mark.parametrize("cutoff", [58, 59, 60])
def test_the_cutoff_moves_age_groups_and_never_ages(tmp_path, cutoff):
    write_all_age_faces(tmp_path, AGES)
    manifest = ingest("all-age-faces", tmp_path, policy=LabelPolicy(age_cutoff=cutoff)).manifest
    assert manifest["age"].tolist() == [29, 57, 58, 59, 60, 80]
    over = [age >= cutoff for age in manifest["age"]]
    assert (manifest["age_group"] == "60_plus").tolist() == over
    assert (manifest["label"] % 3 == 2).tolist() == over
    assert manifest["age_group"].iloc[0] == "under_30"


def test_only_people_over_60(tmp_path):
    write_all_age_faces(tmp_path, AGES)
    result = ingest("all-age-faces", tmp_path, policy=LabelPolicy(only="60_plus", age_cutoff=59))
    assert result.manifest["age"].tolist() == [59, 60, 80]
    assert result.refusals["reason"].tolist() == ["left_out"] * 3
    assert result.refusals["detail"].iloc[0] == "under_30; only 60_plus is taken"
    whole = ingest("all-age-faces", tmp_path)
    assert len(whole.manifest) == len(result.manifest) + len(result.refusals)


def test_nobody_of_the_group_asked_for_is_an_empty_manifest(tmp_path):
    write_all_age_faces(tmp_path, AGES[:2])
    result = ingest("all-age-faces", tmp_path, policy=LabelPolicy(only="60_plus"))
    assert result.manifest.empty
    assert len(read_manifest(save_ingest(result, tmp_path / "out"))) == 0


def test_unknown_ages_are_left_out_where_one_group_is_asked_for(tmp_path):
    write_medical_masks(tmp_path)
    result = ingest("medical-masks", tmp_path, policy=LabelPolicy(only="60_plus"))
    assert result.manifest["age"].tolist() == [61]
    assert "no known age; only 60_plus is taken" in set(result.refusals["detail"])


def test_types_mean_what_the_policy_says(tmp_path):
    write_medical_masks(tmp_path)
    vendor = LabelPolicy(type_map="4=wear, 3=incorrect, 2=incorrect, 1=not_wear")
    manifest = ingest("medical-masks", tmp_path, policy=vendor).manifest
    assert manifest["mask"].tolist() == ["not_wear", "incorrect", "incorrect", "wear", "not_wear", "wear"]
    one = ingest("medical-masks", tmp_path, policy=LabelPolicy(type_map="3=not_wear")).manifest
    assert one["mask"].tolist() == ["wear", "incorrect", "not_wear", "not_wear", "wear", "not_wear"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"min_age": -1}, "min_age must be 0 to 120, not -1"),
        ({"max_age": 200}, "max_age must be 0 to 120, not 200"),
        ({"age_cutoff": 57}, "age_cutoff must be 58 to 60, not 57"),
        ({"type_map": "1=masked"}, "wear, incorrect, not_wear after it; not '1=masked'"),
        ({"type_map": "1=wear,1=incorrect"}, "each code once"),
        ({"type_map": "wear"}, "not 'wear'"),
    ],
)
def test_policies_that_cannot_be(change, told):
    with pytest.raises(UsageError, match=told):
        LabelPolicy(**change)


def test_policies_that_do_not_fit_the_source(tmp_path):
    write_all_age_faces(tmp_path, AGES)
    with pytest.raises(UsageError, match="all-age-faces has no TYPE 1 to map: it has none"):
        ingest("all-age-faces", tmp_path, policy=LabelPolicy(type_map="1=wear"))
    write_medical_masks(tmp_path / "p4")
    with pytest.raises(UsageError, match="no TYPE 5 to map: its TYPEs are 1, 2, 3, 4"):
        ingest("medical-masks", tmp_path, policy=LabelPolicy(type_map="5=wear"))
    with pytest.raises(UsageError, match="no age is from 101 to 100"):
        ingest("medical-masks", tmp_path, policy=LabelPolicy(min_age=101))


def test_a_type_map_may_be_empty():
    assert parse_types("") == {}
    assert parse_types(" 1 = wear ,") == {"1": "wear"}


def corrections(tmp_path, *rows):
    file = tmp_path / "fixes.csv"
    file.write_text("\n".join(("person,field,value", *rows)) + "\n")
    return LabelPolicy(corrections=file)


def test_corrections_of_a_person_and_of_a_photo(tmp_path):
    write_medical_masks(tmp_path / "p4")
    fixes = (f"p4/images/{MEDICAL[1]}.jpg,mask,wear", "000001,age,61", "000003,age,105", "000001,gender,male")
    result = ingest("medical-masks", tmp_path / "p4", policy=corrections(tmp_path, *fixes))
    assert "unknown_person" in set(result.refusals["reason"])  # p4/ isn't part of the path when p4 is the root
    fixes = (f"images/{MEDICAL[1]}.jpg,mask,wear", *fixes[1:])
    result = ingest("medical-masks", tmp_path / "p4", policy=corrections(tmp_path, *fixes))
    assert result.refusals.empty
    rows = {item["path"].split("/")[-1][:6]: item for item in result.manifest.to_dict("records")}
    assert (rows["000002"]["mask"], rows["000002"]["mask_from"]) == ("wear", "corrected")
    assert (rows["000001"]["mask"], rows["000001"]["mask_from"]) == ("wear", "given")
    assert [rows[f"00000{n}"]["age"] for n in range(1, 5)] == [61] * 4
    assert {rows[f"00000{n}"]["age_group"] for n in range(1, 5)} == {"60_plus"}
    assert (rows["000001"]["age_from"], rows["000001"]["gender_from"]) == ("corrected", "given")
    assert rows["000006"]["age"] == 105


def test_corrections_without_a_meaning(tmp_path):
    write_medical_masks(tmp_path)
    with pytest.raises(LabelsError, match="the fields are gender, age, mask"):
        ingest("medical-masks", tmp_path, policy=corrections(tmp_path, "000001,swap,normal incorrect_mask"))
    with pytest.raises(LabelsError, match="line 2: mask 'on': expected one of wear, incorrect, not_wear"):
        ingest("medical-masks", tmp_path, policy=corrections(tmp_path, "000001,mask,on"))


def test_the_competitions_own_corrections_are_the_policys(tmp_path):
    write_competition(tmp_path)
    policy = corrections(tmp_path, f"{PERSON},swap,normal incorrect_mask")
    by_policy = ingest("competition", tmp_path, policy=policy)
    by_option = ingest("competition", tmp_path, options={"corrections": policy.corrections})
    assert by_policy.manifest.equals(by_option.manifest)
    assert by_policy.provenance == by_option.provenance
    assert (by_policy.manifest["mask_from"] == "corrected").sum() == 2


def test_provenance_is_in_the_manifest_and_names_no_place(tmp_path):
    write_medical_masks(tmp_path / "data")
    (tmp_path / "fixes.csv").write_text("person,field,value\n000001,age,61\n")
    policy = LabelPolicy(age_cutoff=59, corrections=tmp_path / "fixes.csv", type_map="3=wear", min_age=20)
    result = ingest("medical-masks", tmp_path / "data", policy=policy)
    file = save_ingest(result, tmp_path / "out")
    said = read_provenance(tmp_path / "out")
    assert said == json.loads(json.dumps(dict(result.provenance)))
    assert said["labels"]["ages"] == [20, 100]
    assert said["labels"]["age_cutoff"] == 59
    assert said["labels"]["types"] == {"1": "wear", "2": "incorrect", "3": "wear", "4": "not_wear"}
    assert said["labels"]["corrections"].startswith("fixes.csv ")
    (version,) = set(read_manifest(file)["source_version"])
    for part in ("df_part_4.csv ", "ages 20 to 100", "60_plus from 59", "3=wear", "corrections fixes.csv "):
        assert part in version
    assert str(tmp_path) not in json.dumps(said) + version
    again = save_ingest(ingest("medical-masks", tmp_path / "data", policy=policy), tmp_path / "again")
    assert again.read_bytes() == file.read_bytes()


def test_what_is_as_everywhere_is_not_said(tmp_path):
    write_all_age_faces(tmp_path, AGES)
    assert ingest("all-age-faces", tmp_path).manifest["source_version"].isna().all()


def test_a_manifest_that_was_not_ingested_says_nothing(tmp_path):
    write_manifest(make_manifest([row()]), tmp_path)
    assert read_provenance(tmp_path) == {}


def test_an_age_that_is_not_believed_takes_its_group_with_it(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        save_photo(tmp_path / "in" / name)
    (tmp_path / "in" / "metadata.csv").write_text("file_name,age,age_group\na.jpg,8,under_30\nb.jpg,,under_30\n")
    manifest = ingest("folder", tmp_path / "in", policy=LabelPolicy(min_age=10)).manifest.set_index("path")
    assert manifest.loc["a.jpg", ["age", "age_group"]].isna().all()
    assert manifest.loc["b.jpg", "age_group"] == "under_30"
