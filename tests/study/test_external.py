"""External testing from the command line and below it, on phantoms and a bundle with fresh weights."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscan.app.cli import main
from tumorscan.data.catalog import build_catalog
from tumorscan.errors import DataError, SettingsError
from tumorscan.evaluate.card import card_text
from tumorscan.model import bundle as bundle_module
from tumorscan.model.bundle import Manifest, read_bundle, write_bundle
from tumorscan.study import external
from tumorscan.study.controls import NoControls, control_records
from tumorscan.study.external import evaluate_external
from tumorscan.study.opened import Trial, count_looks, look_key

NONE = NoControls("left out of this test")
HEAD = "file,label,patient,source,plane,fold\n"


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUMORSCAN_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(tiny_bundle, tmp_path / "run" / "bundle"))


@pytest.fixture
def no_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take seconds, and most tests are about something else."""
    monkeypatch.setattr(external, "try_controls", lambda *_, **__: NONE)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Hospital a: patients with slices of both classes; hospital b: no tumor."""
    rng = np.random.default_rng(8)
    rows = []
    for i in range(20):
        name, a = f"{i}.png", i < 14
        Image.fromarray(rng.integers(0, 256, (48, 40), dtype=np.uint8)).save(tmp_path / name)
        label = "tumor" if a and i % 2 else "no"
        rows.append(f"{name},{label},p{i // 4},{'a' if a else 'b'},{'axial' if i % 3 else 'coronal'},{i % 2}")
    path = tmp_path / "set.csv"
    path.write_text(HEAD + "\n".join(rows) + "\n")
    return path


def fails(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    ended = main([str(argument) for argument in arguments])
    err = capsys.readouterr().err
    assert ended == code, err
    lines = [line for line in err.splitlines() if line.startswith("tumorscan: ")]
    assert len(lines) == 1, err
    return lines[0]


@pytest.mark.slow
@pytest.mark.usefixtures("few_trees")
def test_one_source_with_both_classes(bundle: Path, table: Path) -> None:
    table.write_text("\n".join(line for line in table.read_text().splitlines() if ",b," not in line) + "\n")
    result = evaluate_external(Trial(bundle.parent, [table]))
    assert result.folder == bundle.resolve().parent / "external" / "set"
    names = {path.name for path in result.folder.iterdir()}
    assert names >= {"report.html", "metrics.json", "predictions.csv", "roc.png", "precision_recall.png"}
    assert names >= {"reliability.png", "risk_coverage.png", "confusion.png"}
    assert names & {"missed.png", "false_alarms.png"}
    assert (result.whole.unit, result.whole.units) == ("patients", 4)
    assert [one.name for one in result.planes] == ["axial", "coronal"]
    assert [row.name for row in result.patients] == ["p0", "p1", "p2", "p3"]
    with (result.folder / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["patient"] for row in rows] == [record.patient for record in result.part.records]
    np.testing.assert_allclose([float(row["probability"]) for row in rows], result.probabilities)
    metrics = json.loads((result.folder / "metrics.json").read_text())
    assert metrics == json.loads(json.dumps(result.to_table()))
    assert metrics["sources"]["a"]["figures"]["roc_auc"]["method"].startswith("bootstrap over patients")
    page = (result.folder / "report.html").read_text()
    assert all(
        f">{title}<" in page for title in ("By source", "By plane", "By patient", "Controls", "Worst errors")
    )


@pytest.mark.slow
@pytest.mark.usefixtures("no_controls")
def test_sources_of_one_class_are_not_pooled_unless_forced(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = table.parent / "out"
    command = ["evaluate", "--model", str(bundle), "--external", str(table), "--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "All pictures: 20 pictures, 7 tumors" in said
    assert "AUC and calibration: undefined, source b holds no tumor: a figure over both classes" in said
    whole = json.loads((out / "metrics.json").read_text())["whole"]
    assert whole["evaluation"] is None
    assert whole["figures"]["roc_auc"]["value"] is None
    assert "FORCED" not in (out / "report.html").read_text()
    assert said.startswith("NOT CHECKED FOR LEAKS: no split.csv beside bundle")
    assert not (out / "roc.png").exists()
    assert (out / "a_roc.png").exists()
    assert main([*command, "--force-pooled"]) == 0
    assert capsys.readouterr().out.startswith("FORCED POOLING: source b holds no tumor")
    page = (out / "report.html").read_text().partition("<main>")[2]
    assert page.lstrip().startswith('<p class="warning" role="alert">FORCED POOLING: source b')
    assert json.loads((out / "metrics.json").read_text())["whole"]["figures"]["roc_auc"]["value"] is not None


@pytest.mark.usefixtures("no_controls")
def test_looks_are_counted_by_content(bundle: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "write_external", lambda _: None)
    moved = table.parent / "elsewhere"
    moved.mkdir()
    for file in table.parent.glob("*.png"):
        shutil.copy(file, moved)
    shutil.copy(table, moved / "renamed.csv")
    counts = [
        evaluate_external(Trial(bundle, [path])).looks[0].count for path in (table, moved / "renamed.csv")
    ]
    assert counts == [1, 2]
    assert evaluate_external(Trial(bundle, [table, moved / "renamed.csv"])).looks[0].count == 3
    assert evaluate_external(Trial(bundle, [table], where={"fold": "1"})).looks[0].count == 1
    manifest = read_bundle(bundle).manifest
    assert sorted(manifest.looks.values()) == [1, 3]
    assert set(manifest.metrics) == set(manifest.looks)
    assert (bundle / "card.md").read_text(encoding="utf-8") == card_text(manifest)


def test_looks_at_several_sets_are_counted_in_one_write(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write_once(path: Path, text: str) -> None:
        assert not written, "a second write may fail, and leave some sets counted and others not"
        written.append(path)
        path.write_text(text, encoding="utf-8")

    monkeypatch.setattr(bundle_module, "atomic_write_text", write_once)
    counted, keys = count_looks(
        read_bundle(bundle), [("one", "a" * 64), ("two", "b" * 64), ("again", "a" * 64)]
    )
    one, two = f"one sha256:{'a' * 16}", f"two sha256:{'b' * 16}"
    assert keys == (one, two, one)
    assert counted.manifest.looks == read_bundle(bundle).manifest.looks == {one: 2, two: 1}
    assert (bundle / "card.md").read_text(encoding="utf-8") == card_text(counted.manifest)


def test_an_older_name_is_kept_for_the_same_pictures() -> None:
    looks = {"test": 3, "old sha256:" + "a" * 16: 1}
    assert look_key(looks, "new", "a" * 64) == "old sha256:" + "a" * 16
    assert look_key(looks, "new", "b" * 64) == "new sha256:" + "b" * 16


@pytest.mark.usefixtures("no_controls")
def test_bad_rows_are_named_and_the_good_go_on(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (table.parent / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    table.write_text(table.read_text() + "gone.png,no,,b,,1\ntorn.png,no,,b,,1\n")
    code = main(["evaluate", "--model", str(bundle), "--external", str(table), "--json"])
    out = capsys.readouterr()
    found = json.loads(out.out)
    assert code == 3
    assert found["whole"]["n"] == 20
    assert [Path(one["file"]).name for one in found["skipped"]] == ["gone.png", "torn.png"]
    assert all(name in out.err for name in ("gone.png", "torn.png"))
    assert "Files left out" in Path(found["report"]).read_text()


@pytest.mark.usefixtures("no_controls")
def test_a_leak_check_has_the_first_and_the_last_word(bundle: Path, table: Path) -> None:
    def refuse(records: object) -> list[str]:
        raise DataError("3 pictures were trained on")

    with pytest.raises(DataError, match="3 pictures were trained on"):
        evaluate_external(Trial(bundle, [table], leak_check=refuse))
    assert read_bundle(bundle).manifest.looks == {}, "what was not measured was not looked at"
    result = evaluate_external(
        Trial(bundle, [table], leak_check=lambda records: [f"{len(records)} may be known"])
    )
    assert result.warnings == ("20 may be known",)
    assert "20 may be known" in (result.folder / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("no_controls")
def test_what_training_has_seen_is_refused(
    phantom_run: Path, phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_bundle(phantom_run).manifest.looks
    command = ["evaluate", "--model", phantom_run, "--external", phantoms, "--out", tmp_path / "out"]
    line = fails(capsys, 4, *command)
    assert "48 of 60 pictures are known from training" in line
    assert line.endswith("take them out, or say --allow-leaks")
    assert read_bundle(phantom_run).manifest.looks == before
    assert main([*map(str, command), "--allow-leaks"]) == 0
    assert capsys.readouterr().out.startswith("LEAK: 48 of 60 pictures are known from training")


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--where", "fald=1"], 4, "no column 'fald' to select by: there are file, label, patient"),
        (["--where", "fold=7"], 4, "no row with fold = 7: the rows left to it hold 0, 1"),
        (["--where", "fold"], 2, "--where fold: write COLUMN=VALUE"),
        (["--where", "fold=1", "--where", "fold=2"], 2, "names the column fold twice"),
        (["--engine", "abacus"], 2, "there is no engine 'abacus'"),
    ],
)
def test_refused_arguments(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int, message: str
) -> None:
    assert message in fails(capsys, code, "evaluate", "--model", bundle, "--external", table, *more)
    assert read_bundle(bundle).manifest.looks == {}
    assert not (bundle.parent / "external").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["evaluate"], 2, "name a finished RUN, or --model BUNDLE and --external"),
        (["evaluate", "--model", "b"], 2, "--model BUNDLE and --external CSV|FOLDER go together"),
        (["evaluate", "--external", "x.csv"], 2, "go together"),
        (["evaluate", "run", "--model", "b", "--external", "x.csv"], 2, "run: name either a RUN or"),
        (["evaluate", "run", "--force-pooled"], 2, "--force-pooled goes with --model and --external"),
        (["evaluate", "run", "--where", "a=b"], 2, "--where goes with"),
        (["evaluate", "--model", "none", "--external", "x.csv"], 5, "none: no bundle here"),
        (["card", "none"], 5, "none: no bundle here"),
        (["controls", "none"], 4, "none: there is no such folder or csv"),
    ],
)
def test_refused_commands(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in fails(capsys, code, *arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\n0.png,perhaps\n", "line 2: unknown label 'perhaps'"),
        ("file,label\n0.png,tumor\n./twin.png,no\n", "the same picture has two labels"),
        ("file,label\nnowhere.png,tumor\n", "1 files skipped"),
        ("file,label\n", "no picture found in"),
        ("file\n0.png\n", "no column label"),
    ],
)
def test_refused_sets(
    bundle: Path, table: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    shutil.copy(table.parent / "0.png", table.parent / "twin.png")
    table.write_text(text)
    assert message in fails(capsys, 4, "evaluate", "--model", bundle, "--external", table)
    assert read_bundle(bundle).manifest.looks == {}


def test_an_unfitted_bundle_is_refused(
    bundle: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest: Manifest = replace(read_bundle(bundle).manifest, temperature=None, operating_points=())
    files = {"weights.npz": (bundle / "weights.npz").read_bytes()}
    write_bundle(tmp_path / "raw", manifest, files)
    line = fails(capsys, 5, "evaluate", "--model", tmp_path / "raw", "--external", table)
    assert "temperature and threshold were never fitted" in line


def test_no_set_at_all(bundle: Path) -> None:
    with pytest.raises(SettingsError, match="no set is named"):
        evaluate_external(Trial(bundle, []))


@pytest.mark.usefixtures("no_controls")
def test_an_unwritable_place(bundle: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (table.parent / "file").write_text("in the way")
    out = table.parent / "file" / "out"
    line = fails(capsys, 6, "evaluate", "--model", bundle, "--external", table, "--out", out)
    assert "cannot be written" in line


def test_card_command(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", str(bundle.parent)]) == 0
    printed = capsys.readouterr().out
    assert main(["card", str(bundle), "--out", str(tmp_path / "card.md"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"] == str(tmp_path / "card.md")
    assert (tmp_path / "card.md").read_text(encoding="utf-8") == printed


@pytest.mark.slow
@pytest.mark.usefixtures("few_trees")
def test_controls_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(4)
    for i in range(24):
        folder = tmp_path / "data" / ("yes" if i % 2 else "no")
        folder.mkdir(parents=True, exist_ok=True)
        width = 40 + 8 * (i % 2)
        Image.fromarray(rng.integers(0, 256, (40, width), dtype=np.uint8)).save(folder / f"{i}.png")
    (tmp_path / "data" / "no" / "torn.png").write_bytes(b"")
    assert main(["controls", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["auc"]["File metadata alone"]["value"] == 1.0, "the width gives the class away"
    assert found["auc"]["File metadata alone"]["low"] > 0.5
    assert found["n"] == 24
    assert [Path(one["file"]).name for one in found["skipped"]] == ["torn.png"]
    assert json.loads((tmp_path / "out" / "controls.json").read_text()) == found
    assert "Controls" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("few_trees")
def test_controls_do_not_depend_on_the_order(table: Path) -> None:
    records = build_catalog([table]).records
    assert control_records(records) == control_records(records[::-1])


@pytest.mark.data
@pytest.mark.slow
def test_controls_of_kaggle253(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the data's own README has: metadata 0.83, ten statistics 0.84, both 0.87."""
    assert main(["controls", str(data_dir / "kaggle253"), "--json"]) == 0
    auc = json.loads(capsys.readouterr().out)["auc"]
    assert auc["File metadata alone"]["value"] == pytest.approx(0.83, abs=0.03)
    assert auc["Ten pixel statistics alone"]["value"] == pytest.approx(0.84, abs=0.03)
    assert auc["Metadata and pixel statistics"]["value"] == pytest.approx(0.87, abs=0.03)
    assert auc["Shuffled labels"]["low"] < 0.5 < auc["Shuffled labels"]["high"]
