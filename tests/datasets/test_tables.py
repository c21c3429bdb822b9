from __future__ import annotations

import warnings

import pandas as pd
import pytest

from datasets.errors import LabelsError
from datasets.tables import LABEL_COLUMNS, read_labels_csv, read_table


def labels(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return read_labels_csv(path)


def values(frame, column):
    return [None if pd.isna(value) else value for value in frame[column]]


@pytest.mark.parametrize("name", ["file_name", "path", "file", "FILE_NAME", " Path "])
def test_names_the_file_in_several_ways(tmp_path, name):
    frame = labels(tmp_path, f"{name},gender\na.jpg,male\n./b/c.jpg,female\nd\\e.jpg,\n")
    assert frame["file"].tolist() == ["a.jpg", "b/c.jpg", "d/e.jpg"]
    assert tuple(frame.columns) == ("file", *LABEL_COLUMNS)


@pytest.mark.parametrize(
    ("column", "words", "meaning"),
    [
        ("gender", ["male", "M", "Man", " MALE "], "male"),
        ("gender", ["female", "F", "Woman"], "female"),
        ("gender", ["", "unknown", "None", "NA"], None),
        ("mask", ["wear", "WEAR", "with_mask", "with mask"], "wear"),
        ("mask", ["not_wear", "Not Wear", "not-wear", "without_mask"], "not_wear"),
        ("mask", ["incorrect"], "incorrect"),
        ("age_group", ["under_30", "lt30", "<30"], "under_30"),
        ("age_group", ["30_to_59", "30to59", "30-59"], "30_to_59"),
        ("age_group", ["60_plus", "60+", "ge60", ">=60"], "60_plus"),
        ("person_id", ["007"], "007"),
        ("licence", ["CC-BY-4.0"], "CC-BY-4.0"),
    ],
)
def test_words(tmp_path, column, words, meaning):
    rows = "".join(f"{number}.jpg,{word}\n" for number, word in enumerate(words))
    assert values(labels(tmp_path, f"file,{column}\n{rows}"), column) == [meaning] * len(words)


@pytest.mark.parametrize(
    ("age", "years", "group"),
    [("45", 45, "30_to_59"), ("45.5", 45.5, "30_to_59"), ("30-39", None, "30_to_59"), ("0-2", None, "under_30"),
     ("70+", None, "60_plus"), ("more than 70", None, "60_plus"), ("25-35", None, None), ("50+", None, None),
     ("", None, None), ("unknown", None, None), ("2019", None, None), ("-1", None, None)],
)  # fmt: skip
def test_ages_and_ranges(tmp_path, age, years, group):
    frame = labels(tmp_path, f"file,age\na.jpg,{age}\n")
    assert values(frame, "age") == [years]
    assert values(frame, "age_group") == [group]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,gender\na.jpg,male\nb.jpg,0\n", "line 3: gender '0'.*opposite things"),
        ("file,gender\na.jpg,boyish\n", "line 2: gender 'boyish': expected one of male"),
        ("file,mask\na.jpg,yes\n", "line 2: mask 'yes': expected one of wear"),
        ("file,age\na.jpg,old\n", "line 2: age 'old': expected years"),
        ("file,age,age_group\na.jpg,20,60_plus\n", "line 2: age and age_group contradict"),
        ("file,gender\na.jpg,male\na.jpg,female\n", "line 3: 'a.jpg' again"),
        ("name,gender\na.jpg,male\n", "no column file_name or path or file; it has name, gender"),
        ("", "isn't a comma-separated table"),
        ('file,gender\n"a.jpg,male\n', "isn't a comma-separated table"),
        ("file,gender\na.jpg,male,60\n", "more cells than its header"),
        ("file,gender,Gender\na.jpg,male,female\n", "more than one column gender"),
    ],
)
def test_what_has_no_meaning_is_named_by_its_line(tmp_path, text, message):
    with pytest.raises(LabelsError, match=message):
        labels(tmp_path, text)


def test_cells_too_many_are_an_error_where_warnings_are_none(tmp_path):
    with warnings.catch_warnings(action="ignore"), pytest.raises(LabelsError, match="more cells than its header"):
        labels(tmp_path, "file,gender\na.jpg,male,60\n")


def test_same_row_twice_is_one(tmp_path):
    assert len(labels(tmp_path, "file,gender\na.jpg,male\na.jpg,M\n")) == 1


def test_extra_columns_and_byte_order_marks_do_no_harm(tmp_path):
    frame = labels(tmp_path, "\ufefffile,race,gender\n마스크.jpg,x,female\n")
    assert values(frame, "gender") == ["female"]
    assert frame["file"].tolist() == ["마스크.jpg"]


def test_other_encodings_are_refused_with_advice(tmp_path):
    with pytest.raises(LabelsError, match="save it as UTF-8"):
        labels(tmp_path, "file,gender\n마스크.jpg,male\n", encoding="cp949")


def test_missing_file(tmp_path):
    with pytest.raises(LabelsError, match="No such file"):
        read_labels_csv(tmp_path / "none.csv")


def test_table_keeps_text_as_it_is(tmp_path):
    (tmp_path / "t.csv").write_text("id,path\n003397,NA\n1e5, x \n")
    frame = read_table(tmp_path / "t.csv", required=("id",))
    assert frame.values.tolist() == [["003397", "NA"], ["1e5", "x"]]
    with pytest.raises(LabelsError, match="no column age; its columns are id, path"):
        read_table(tmp_path / "t.csv", required=("id", "age"))
