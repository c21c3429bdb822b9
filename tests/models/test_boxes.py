from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.boxes import COLUMNS, FACES, read_boxes
from models.errors import TrainingDataError


def table(folder: Path, *rows: str) -> None:
    (folder / FACES).write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")


def test_boxes_come_in_the_order_of_the_photos(tmp_path: Path) -> None:
    table(tmp_path, "s:a,aa,0.1,0.2,0.3,0.4,found,,", "s:b,bb,0.5,0.6,0.7,0.8,parent,,")
    boxes = read_boxes(tmp_path, ["s:b", "s:a"])
    np.testing.assert_allclose(boxes, [[0.5, 0.6, 0.7, 0.8], [0.1, 0.2, 0.3, 0.4]], rtol=1e-6)
    assert boxes.dtype == np.float32


def test_without_a_face_there_is_no_box(tmp_path: Path) -> None:
    table(tmp_path, "s:a,aa,,,,,,,", "s:b,bb,0.5,0.6,0.0,0.8,found,,", "s:c,cc,0.5,0.6,inf,0.8,found,,")
    assert np.isnan(read_boxes(tmp_path, ["s:a", "s:b", "s:c", "s:unknown"])).all()


def test_the_box_of_other_bytes_does_not_count(tmp_path: Path) -> None:
    table(tmp_path, "s:a,aa,0.1,0.2,0.3,0.4,found,,", "s:b,bb,0.1,0.2,0.3,0.4,found,,")
    boxes = read_boxes(tmp_path, ["s:a", "s:b"], ["aa", "other"])
    assert np.isfinite(boxes[0]).all()
    assert np.isnan(boxes[1]).all()


def test_no_table_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"no faces\.csv"):
        read_boxes(tmp_path, ["s:a"])


@pytest.mark.parametrize(
    "text", ["", "photo_id,x\na,1\n", "\x00\xff", ",".join(COLUMNS) + "\ns:a,aa,left,0,1,1,found\n"]
)
def test_a_broken_table_is_a_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / FACES).write_text(text, encoding="latin-1")
    with pytest.raises(TrainingDataError, match="is no table of"):
        read_boxes(tmp_path, ["s:a"])
