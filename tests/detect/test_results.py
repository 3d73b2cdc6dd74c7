"""Result files: every format holds the same rows, and an old file survives a failure."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tumorscan.detect.results import FORMATS, check_format, write_results
from tumorscan.detect.rows import COLUMNS, LISTS, NUMBERS, Item, to_row, to_table
from tumorscan.errors import MissingExtra, UnreadableScan
from tumorscan.types import Finding, Verdict

FINDING = Finding(
    'x, "y"\n.png', Verdict.TUMOR, 0.61234567, 61.2345, 0.3, "screening", "m 1", ("alpha dropped", "turned"),
    {"read": 1.5, "prepare": 2.0, "infer": 3.25}, tumor_type={"glioma": 0.9, "pituitary": 0.1},
    tumor_type_told="glioma", sha256="ab" * 32,
)  # fmt: skip
ROWS = [
    to_row(FINDING, Item(FINDING.file, "f", ("café", "")), ("patient", "note")),
    to_row(UnreadableScan("b\udcff.png", "is empty"), Item("b\udcff.png", "g"), ("patient", "note")),
]
ALL = (*COLUMNS, "patient", "note")


def read_back(path: Path) -> list[dict]:
    if path.suffix == ".parquet":
        return pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= {name: float(row[name]) if row[name] else None for name in NUMBERS}
        row |= {name: row[name].split("; ") if row[name] else [] for name in LISTS}
        row |= {
            name: row[name] or None for name in ("verdict", "operating_point", "model", "type_hint", "error")
        }
    return rows


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_rows_come_back(tmp_path, suffix):
    out = tmp_path / f"new/folder/r{suffix}"
    write_results(out, ALL, ROWS)
    rows = read_back(out)
    if suffix == ".parquet":
        rows[1]["file"] = rows[1]["file"].replace("\\udcff", "\udcff")
    assert rows == ROWS
    assert tuple(rows[0]) == ALL


def test_json_tells_the_files_hash_where_there_is_one_file():
    assert to_table(FINDING)["sha256"] == "ab" * 32
    assert "sha256" not in to_table(replace(FINDING, sha256=""))


def test_a_list_with_a_hash_of_its_own_keeps_it():
    assert to_row(FINDING, Item("a", "f", ("theirs",)), ("sha256",))["sha256"] == "theirs"


def test_a_row_has_every_column():
    assert [set(row) for row in ROWS] == [set(ALL)] * 2
    assert ROWS[0]["probability"] == 0.612346
    assert ROWS[0]["milliseconds_infer"] == 3.25
    assert (ROWS[0]["type_hint"], ROWS[0]["type_hint_probability"]) == ("glioma", 0.9)
    assert (ROWS[1]["type_hint"], ROWS[1]["type_hint_probability"]) == (None, None)
    assert (ROWS[1]["error"], ROWS[1]["verdict"], ROWS[1]["patient"]) == ("is empty", None, "")


@pytest.mark.parametrize("suffix", list(FORMATS))
@pytest.mark.parametrize("count", [0, 10_001])
def test_none_and_many(tmp_path, suffix, count):
    out = tmp_path / f"r{suffix}"
    write_results(out, ALL, (ROWS[0] | {"file": str(i)} for i in range(count)))
    assert [row["file"] for row in read_back(out)] == [str(i) for i in range(count)]


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_the_old_file_survives_a_failure_in_the_middle(tmp_path, suffix):
    out = tmp_path / f"r{suffix}"
    out.write_text("old")

    def rows():
        yield ROWS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_results(out, ALL, rows())
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_parquet_names_its_extra(tmp_path, monkeypatch):
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"pyarrow is not installed: pip install 'tumorscan\[parquet\]'"):
        check_format(tmp_path / "r.parquet")
    check_format(tmp_path / "r.csv")
    check_format(tmp_path / "r.JSONL")
