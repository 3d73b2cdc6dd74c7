"""Leaks between a training and a test set: found, counted, shown, and refused."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.data.catalog import build_catalog
from tumorscan.data.phantom import draw_phantom
from tumorscan.data.split import COPY, PARTS, Split, read_split, write_split
from tumorscan.data.views import seen
from tumorscan.errors import DataError
from tumorscan.model.bundle import read_bundle
from tumorscan.study.leak_gallery import SHOWN, chosen, gallery
from tumorscan.study.leak_pairs import LeakPair
from tumorscan.study.leaks import find_leaks, refuse_leaks, split_leaks

pytest.importorskip("faiss")


def phantom(seed: int) -> np.ndarray:
    return draw_phantom(np.random.default_rng(seed), tumor=bool(seed % 2), size=128).pixels


def save(path: Path, grey: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)
    return path


def jpeg(grey: np.ndarray, quality: int = 40) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Train holds 0..4; test an exact copy of 0, a mirrored and resaved one of 1, and 5, 6."""
    for i in range(5):
        save(tmp_path / "train" / f"{i}.png", phantom(i))
    save(tmp_path / "test" / "0 again.png", phantom(0))
    save(tmp_path / "test" / "1 mirrored.png", jpeg(seen(phantom(1), 1)))
    for i in (5, 6):
        save(tmp_path / "test" / f"{i}.png", phantom(i))
    return tmp_path / "train", tmp_path / "test"


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_the_command_counts_writes_and_shows(sides, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["leaks", *map(str, sides), "--out", str(out), "--json"]) == 4
    table = json.loads(capsys.readouterr().out)
    assert table["leaking"] == {"exact": 1, "near": 1, "patient": 0, "group": 0, "any": 2}
    assert (table["tested"], table["trained"], table["pairs"], table["skipped"]) == (4, 5, 2, 0)
    pairs = rows(out / "leaks.csv")
    assert [(Path(p["test_file"]).name, Path(p["train_file"]).name, p["kind"]) for p in pairs] == [
        ("0 again.png", "0.png", "exact"),
        ("1 mirrored.png", "1.png", "near"),
    ]
    assert pairs[1]["view"] == "mirrored"
    assert 0.95 < float(pairs[1]["correlation"]) <= 1
    width, height = Image.open(out / "leaks.png").size
    assert width > 600
    assert height > 150


def test_the_command_as_text(sides, capsys):
    assert main(["leaks", *map(str, sides)]) == 4
    out = capsys.readouterr().out
    assert "4 test pictures against 5 of training" in out
    assert "an exact twin" in out
    assert "25.0%" in out
    assert "any of these            2    50.0%" in out


def test_clean_sets_end_with_0(sides, tmp_path, capsys):
    for name in ("0 again.png", "1 mirrored.png"):
        (sides[1] / name).unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "leaks.png").write_bytes(b"of an older check")
    assert main(["leaks", *map(str, sides), "--out", str(tmp_path / "out")]) == 0
    assert rows(tmp_path / "out" / "leaks.csv") == []
    assert not (tmp_path / "out" / "leaks.png").exists()
    assert "any of these            0     0.0%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("train", "test", "patients"),
    [
        ("file,patient\n{0},7\n{1},8\n", "file,patient\n{5},7\n{6},9\n", 1),  # one table cut in two
        ("file,patient,source\n{0},7,x\n", "file,patient,source\n{5},7,x\n{6},7,x\n", 2),
        ("file,patient,source\n{0},7,x\n", "file,patient,source\n{5},7,y\n", 0),  # another hospital's 7
        ("file,patient,source\n{0},7,x\n", "file,patient\n{5},7\n", 1),
        ("file,patient\n{0},\n", "file,patient\n{5},\n", 0),  # nobody is not a patient
        ("file\n{0}\n", "file\n{5}\n", 0),
    ],
)
def test_patients(sides, tmp_path, capsys, train, test, patients):
    files = {i: (sides[0] if i < 5 else sides[1]) / f"{i}.png" for i in range(7)}
    for name, text in (("a.csv", train), ("b.csv", test)):
        (tmp_path / name).write_text(text.format(*files.values()))
    code = main(["leaks", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--json"])
    table = json.loads(capsys.readouterr().out)
    assert table["leaking"]["patient"] == table["leaking"]["any"] == patients
    assert code == (4 if patients else 0)


def test_catalogs_will_do(sides, tmp_path, capsys):
    for side in sides:
        home = tmp_path / f"{side.name}_set"
        shutil.move(side, home / "yes")
        assert main(["catalog", str(home), "--out", str(tmp_path / f"{side.name}.csv"), "--json"]) == 0
    capsys.readouterr()
    assert main(["leaks", str(tmp_path / "train.csv"), str(tmp_path / "test.csv"), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["leaking"]["any"] == 2


def test_unreadable_pictures_are_named_and_the_others_compared(sides, capsys):
    (sides[1] / "text.jpg").write_text("a letter")
    assert main(["leaks", *map(str, sides), "--json"]) == 4
    out = capsys.readouterr()
    assert json.loads(out.out)["skipped"] == 1
    assert "text.jpg" in out.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no such folder or csv"),
        ("label\nyes\n", "no column file"),
        ("file\n \n", "line 2: no file"),
        ("file\n", "no picture found"),
        ("file\ngone.png\n", "the first is"),
    ],
)
def test_refuses_sides(sides, tmp_path, capsys, text, message):
    side = tmp_path / "side.csv"
    if text is not None:
        side.write_text(text)
    assert main(["leaks", str(sides[0]), str(side)]) == 4
    error = capsys.readouterr().err
    assert message in error
    assert "side.csv" in error


def test_refuses_a_picture_as_a_side(sides, capsys):
    assert main(["leaks", str(sides[0] / "0.png"), str(sides[1])]) == 4
    assert "is neither a folder nor a csv" in capsys.readouterr().err


def test_records_are_read_again_and_what_changed_is_told(sides):
    for side in sides:
        shutil.move(side, side.parent / f"{side.name}_set" / "yes")
    train, test = (build_catalog([side.parent / f"{side.name}_set"]).records for side in sides)
    leaks = find_leaks(train, test)
    assert leaks.counts()["any"] == 2
    assert leaks.sentence() == "2 of 4 pictures are known from training (1 an exact twin, 1 a near twin)"
    save(train[1].file, phantom(40))
    train[2].file.unlink()
    later = find_leaks(train, test)
    assert later.counts()["near"] == 0
    assert {s.file.name: s.cause.partition(":")[0] for s in later.unread} == {
        "1.png": "changed since it was put in the catalog",
        "2.png": "does not exist",
    }


def test_gallery_shows_doubtful_copies_first_and_survives_a_lost_file(sides):
    exact = LeakPair(sides[1] / "0 again.png", sides[0] / "0.png", "exact", 1.0)
    lost = LeakPair(sides[1] / "5.png", sides[0] / "täglich, lost.png", "patient")
    near = [replace(exact, kind="near", correlation=c, view="flipped") for c in (0.99, 0.95)]
    order = chosen([exact, *near, lost])
    assert [pair.correlation for pair in order] == [0.95, 0.99, None, 1.0]
    assert len(chosen([exact] * 100)) == SHOWN
    assert Image.open(io.BytesIO(gallery(order))).size == (3 * 320, 2 * 205)


@pytest.fixture
def leaking_run(phantom_run: Path, tmp_path: Path) -> Path:
    """The run, but its test split holds a resaved copy of a training picture, under a group of its own."""
    run = tmp_path / "run"
    shutil.copytree(phantom_run, run)
    split = read_split(phantom_run / "split.csv")
    known = split.parts["train"][0]
    grey = np.asarray(Image.open(known.file).convert("L"))
    copy = save(tmp_path / "copies" / known.file.parent.name / "copy.png", jpeg(grey, 50))
    (record,) = build_catalog([copy.parent]).records
    parts = {**split.parts, "test": (*split.parts["test"], replace(record, label=known.label))}
    write_split(Split(parts, split.seed), run / "split.csv")
    return run


def test_split_leaks(phantom_run, leaking_run):
    assert not split_leaks(read_split(phantom_run / "split.csv"))
    leaks = split_leaks(read_split(leaking_run / "split.csv"))
    assert leaks.counts() == {"exact": 0, "near": 1, "patient": 0, "group": 0, "any": 1}
    with pytest.raises(
        DataError, match=r"split\.csv: the split leaks: 1 of \d+ .*copy\.png \(a near twin: .*--allow"
    ):
        refuse_leaks(leaks, leaking_run / "split.csv")


@pytest.mark.parametrize("what", ["patient", "group"])
def test_a_shared_patient_or_group_leaks(phantom_run, what):
    split = read_split(phantom_run / "split.csv")
    parts = {
        part: tuple(replace(r, **{what: f"{part} {i}"}) for i, r in enumerate(split.parts[part]))
        for part in PARTS
    }
    parts["validation"] = (replace(parts["validation"][0], **{what: "train 0"}), *parts["validation"][1:])
    leaks = split_leaks(Split({**parts, COPY: ()}, 1))
    assert [pair.kind for pair in leaks.pairs] == [what]
    assert leaks.pairs[0].test == parts["validation"][0].file


def test_evaluate_refuses_a_test_that_training_has_seen(leaking_run, capsys):
    looks = read_bundle(leaking_run).manifest.looks
    assert main(["evaluate", str(leaking_run)]) == 4
    assert "the split leaks" in capsys.readouterr().err
    assert read_bundle(leaking_run).manifest.looks == looks, "a refusal is no look"


@pytest.mark.usefixtures("few_trees")
def test_evaluate_says_so_on_the_first_line(leaking_run):
    assert main(["evaluate", str(leaking_run), "--allow-leaks", "--json"]) == 0
    page = (leaking_run / "report" / "report.html").read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    assert body.index("LEAK: 1 of 13 pictures are known from training") < body.index("<h1")


def test_train_refuses_a_split_that_leaks_and_records_one_that_may(
    leaking_run, phantoms, short_settings, capsys
):
    from tumorscan.config import to_toml
    from tumorscan.study.run import train_run

    shutil.rmtree(leaking_run / "bundle")
    settings = leaking_run.parent / "settings.toml"
    settings.write_text(to_toml(short_settings))
    command = ["train", str(phantoms), "--settings", str(settings), "--out", str(leaking_run)]
    assert main(command) == 4
    assert "the split leaks: 1 of" in capsys.readouterr().err
    bundle = train_run([phantoms], short_settings, leaking_run, allow_leaks=True)
    assert bundle.manifest.lineage["data"]["leaks"]["leaking"]["near"] == 1


def test_a_group_in_two_parts_is_taken_when_told(leaking_run):
    split = read_split(leaking_run / "split.csv")
    group = split.parts["train"][0].group
    moved = tuple(replace(r, group=group) for r in split.parts["test"])
    write_split(Split({**split.parts, "test": moved}, split.seed), leaking_run / "split.csv")
    with pytest.raises(DataError, match="is in both train and test"):
        read_split(leaking_run / "split.csv")
    assert read_split(leaking_run / "split.csv", allow_leaks=True).parts["test"] == moved
