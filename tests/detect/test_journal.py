"""The journal: whatever a kill left of it, it goes on from what is whole."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscan.detect.journal import Journal, RunId, hash_of
from tumorscan.detect.rows import Item
from tumorscan.errors import EnvironmentProblem, SettingsError

RUN = RunId("tiny 1234", "abcd", "0" * 64, 6)
ROWS = [{"file": f"{i}é\udcff\n.png", "error": None, "probability": i / 7} for i in range(6)]


def whole(path: Path, order: list[int]) -> bytes:
    with Journal(path, RUN) as journal:
        for number in order:
            journal.append(number, ROWS[number])
    return path.read_bytes()


@given(order=st.permutations(range(6)), data=st.data())
@settings(max_examples=60, deadline=None)
def test_cut_at_any_byte_it_goes_on(tmp_path_factory, order, data):
    path = tmp_path_factory.mktemp("journal") / "r.csv.part.jsonl"
    content = whole(path, order)
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    kept = max(content[:cut].count(b"\n") - 1, 0)
    with Journal(path, RUN) as journal:
        assert journal.done == kept
        missing = list(journal.missing())
        assert missing == sorted(order[kept:])
        for number in missing:
            journal.append(number, ROWS[number])
        assert list(journal.rows()) == ROWS
    with Journal(path, RUN) as journal:
        assert journal.done == 6
        assert list(journal.missing()) == []
        assert list(journal.rows()) == ROWS


def test_every_byte_of_one_journal(tmp_path):
    path = tmp_path / "j"
    content = whole(path, list(range(6)))
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        with Journal(path, RUN) as journal:
            assert journal.done == max(content[:cut].count(b"\n") - 1, 0)
        assert content.startswith(path.read_bytes()[:cut][: path.read_bytes().rfind(b"\n") + 1])


@pytest.mark.parametrize(
    "hole",
    [b"\0" * 40, b"[1]", b'[99, {"file": "a"}]', b'[-1, {"file": "a"}]', b"[2, 3]", b"{}", b"", b"\xff\xfe"],
)
def test_a_hole_is_passed_over(tmp_path, hole):
    path = tmp_path / "j"
    lines = whole(path, list(range(6))).splitlines(keepends=True)
    lines[3] = hole + b"\n"
    path.write_bytes(b"".join(lines))
    with Journal(path, RUN) as journal:
        assert list(journal.missing()) == [2]
        journal.append(2, ROWS[2])
        assert list(journal.rows()) == ROWS


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"my own notes\n", "is none"),
        (b"my own notes", "is none"),
        (b"{}\n", "is none"),
        (b'{"tumorscan journal": 2, "model": "m"}\n', "is none"),
        (b'{"tumorscan journal": 1, "model"\n', "is none"),
        (b'{"tumorscan journal": 1, "model": "other 99"}\n', "model other 99, now tiny 1234"),
    ],
)
def test_a_file_that_is_not_this_runs_is_left_alone(tmp_path, content, cause):
    path = tmp_path / "r.csv.part.jsonl"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"r\.csv\.part\.jsonl: .*{cause}.*choose another --out"):
        Journal(path, RUN)
    assert path.read_bytes() == content


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch, code):
    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(EnvironmentProblem, match=rf"j: cannot be written \({os.strerror(code).lower()}\)"):
        Journal(tmp_path / "j", RUN)


def test_a_disk_that_fills_keeps_the_rows(tmp_path, monkeypatch):
    path = tmp_path / "j"
    with Journal(path, RUN) as journal:
        journal.append(0, ROWS[0])

        class Full:
            """Takes some bytes of a row, then no more, as a disk does."""

            def __init__(self, file):
                self.file, self.room = file, 10

            def write(self, data):
                if not self.room:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                taken, self.room = self.file.write(data[: self.room]), 0
                return taken

        real = journal._file
        monkeypatch.setattr(journal, "_file", Full(real))
        with pytest.raises(
            EnvironmentProblem, match=r"no space left on device\): 1 of 6 files are done and kept"
        ):
            journal.append(1, ROWS[1])
        monkeypatch.undo()
    with Journal(path, RUN) as journal:
        assert list(journal.missing()) == [1, 2, 3, 4, 5]


def test_two_runs_do_not_write_one_journal(tmp_path):
    pytest.importorskip("fcntl")
    with (
        Journal(tmp_path / "j", RUN),
        pytest.raises(EnvironmentProblem, match="another run is writing it: wait"),
    ):
        Journal(tmp_path / "j", RUN)
    with Journal(tmp_path / "j", RUN) as journal:
        assert journal.done == 0


def test_the_list_is_known_by_names_places_values_and_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    items = [Item("a", "a", ("1",)), Item("b\udcff", "b\udcff", ("2",))]
    base = hash_of(items, ["group"])
    assert base == hash_of([Item("a", str(tmp_path / "a"), ("1",)), items[1]], ["group"])
    others = [
        hash_of(items[::-1], ["group"]),
        hash_of(items, ["patient"]),
        hash_of(items[:1], ["group"]),
        hash_of([items[0], items[0]], ["group"]),
        hash_of([Item("a", "a", ("3",)), items[1]], ["group"]),
    ]
    assert len({base, *others}) == 6


def test_its_first_line_says_what_it_is(tmp_path):
    first = json.loads(whole(tmp_path / "j", []))
    assert first == {
        "tumorscan journal": 1, "model": "tiny 1234", "settings": "abcd", "files": "0" * 64, "count": 6
    }  # fmt: skip
