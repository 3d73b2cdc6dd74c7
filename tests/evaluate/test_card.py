from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tumorscan.config import SHIPPED, preset
from tumorscan.errors import EnvironmentProblem
from tumorscan.evaluate.card import card_text, write_card
from tumorscan.evaluate.checklists import CLAIM, TRIPOD_AI, answers
from tumorscan.jsonable import plain_interval
from tumorscan.model.bundle import Bundle, Manifest, read_bundle, write_bundle
from tumorscan.types import Interval, OperatingPoint

RATE = Interval(0.9, 0.8, 0.95, "exact binomial")
NOTHING = Interval(float("nan"), float("nan"), float("nan"), "withheld: no tumor here")
FIGURES = {"sensitivity": NOTHING, "specificity": RATE, "roc_auc": NOTHING, "ece": NOTHING}
LINEAGE = {
    "weights": {"source": "trunk.npz", "sha256": "ab12", "filled": 7, "fresh_layers": ["conv5"]},
    "data": {"sources": ["set"], "splits": {"train": "9 tumor", "test": "3 tumor"}, "split_seed": 4},
    "chosen": {"phase": "tuned", "epoch": 2, "val_auc": 0.91},
}


def _bundle(folder: Path, **more: object) -> Bundle:
    manifest = Manifest("drawn", "", "2026-01-01T00:00:00+00:00", "0.1", preset("quick"), **more)
    return write_bundle(folder, manifest, {"weights.npz": b"numbers"})


@pytest.fixture
def full(tmp_path: Path) -> Bundle:
    point = OperatingPoint("screening", 0.25, 0.97, RATE, RATE, "the calibration split")
    return _bundle(tmp_path / "full", temperature=1.5, operating_points=(point,), lineage=LINEAGE)


def test_the_same_bundle_gives_the_same_card(full: Bundle) -> None:
    again = read_bundle(full.folder)
    assert card_text(again.manifest) == card_text(full.manifest)
    assert "NaN" not in card_text(full.manifest)


def test_it_says_what_the_bundle_says(full: Bundle) -> None:
    text = card_text(full.manifest)
    for said in ("Sources: set.", "train: 9 tumor.", "trunk.npz", "conv5", "epoch 3, validation AUC 0.910"):
        assert said in text
    assert "| screening | 0.25 | a sensitivity of 97.0 % | 0.900 (0.800 to 0.950) |" in text
    assert "Not measured yet: `tumorscan evaluate RUN`." in text
    assert "None was looked at." in text


@pytest.mark.parametrize(
    ("name", "said", "unsaid"),
    [
        ("original", "Frozen trunk: at most 20 epochs", "Stages"),
        ("evidence", "the head alone 1 epoch at 0.001, with conv4 14 epochs at 0.0003", "Frozen trunk"),
        ("evidence", "a logit a cell, mean of the 8 highest cells", "one logit"),
        ("evidence", "The weights at the end: tuned phase", "Chosen by"),
        ("evidence", "t2 0.3", "class weights"),
    ],
)
def test_it_tells_the_training_that_was_done(name: str, said: str, unsaid: str) -> None:
    manifest = Manifest("x", "", "2026-01-01T00:00:00+00:00", "0.1", preset(name), lineage=LINEAGE)
    text = card_text(manifest).split("## Training")[1].split("## ")[0]
    assert said in text
    assert unsaid not in text


@pytest.mark.parametrize(
    ("name", "selection", "imbalance"),
    [
        ("original", "The epoch with the best AUC on the validation split", "Balanced class weights"),
        ("evidence", "None: the weights at the end of the last stage", "Sources balanced in each epoch"),
    ],
)
def test_its_checklists_tell_the_same_training(name: str, selection: str, imbalance: str) -> None:
    manifest = Manifest("x", "", "2026-01-01T00:00:00+00:00", "0.1", preset(name), lineage=LINEAGE)
    text = card_text(manifest)
    assert f"| Selection of the final model | {selection}" in text
    assert f"| Class imbalance | {imbalance}" in text


def test_it_tells_of_a_gate_where_there_is_one() -> None:
    manifest = Manifest("x", "", "2026-01-01T00:00:00+00:00", "0.1", preset("evidence"), lineage=LINEAGE)
    assert "## Gate" not in card_text(manifest)
    assert "other pictures get an answer that means nothing" in card_text(manifest)
    known = {"train": 90, "calibration": 30, "negatives": {"photo": 7, "x|ray": 2}, "most_refused": 0.005}
    gated = replace(manifest, files={"gate.npz": "0"}, lineage={**LINEAGE, "gate": known})
    text = card_text(gated)
    assert "Fitted on 90 training pictures and, as what to refuse: 7 photo, 2 x\\|ray." in text
    assert "at most 0.5% of 30 pictures" in text
    assert "its gate refuses most other pictures, not all" in text
    assert "as what to refuse: none." in card_text(
        replace(gated, lineage={**LINEAGE, "gate": {**known, "negatives": {}}})
    )


def test_the_shipped_card_is_what_its_bundle_says_today() -> None:
    shipped = read_bundle(SHIPPED)
    assert (shipped.folder / "card.md").read_text(encoding="utf-8") == card_text(shipped.manifest)


def test_looks_and_figures_change_the_card_and_no_hash(full: Bundle) -> None:
    first = write_card(full).read_text(encoding="utf-8")
    looked = full.count_look("test").record_metrics("test", {"sensitivity": plain_interval(RATE)})
    key = "far [x] sha256:0123456789abcdef"
    table = {"n": 8, "tumors": 0, "figures": {k: plain_interval(v) for k, v in FIGURES.items()}, "exact": {}}
    looked = looked.count_look(key).record_metrics(key, {"sources": {"si|te<b>": table}})
    text = write_card(looked).read_text(encoding="utf-8")
    assert text != first
    assert "Sensitivity (recall) | 0.900 (0.800 to 0.950)" in text
    row = "| 1 | si\\|te\\<b\\> | 8 (0 tumors) | undefined | 0.900 (0.800 to 0.950) | undefined | undefined |"
    assert row in text
    again = read_bundle(looked.folder)
    assert set(again.manifest.files) == {"weights.npz"}, "the card is made from the bundle, not part of it"
    assert card_text(again.manifest) == text
    sha = re.search(r"`bundle\.json` ([0-9a-f]{64})", text).group(1)
    assert f'"sha256": "{sha}"' in (looked.folder / "bundle.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("title", "items", "count"), [("CLAIM 2024", CLAIM, 44), ("TRIPOD+AI", TRIPOD_AI, 27)]
)
def test_checklists_are_complete(full: Bundle, title: str, items: tuple[object, ...], count: int) -> None:
    assert len(items) == count
    section = card_text(full.manifest).partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row.split("|")[1]) for row in rows] == list(range(1, count + 1))
    filled = int(re.search(rf"(\d+) of {count} items", section).group(1))
    assert filled == count - sum(row.endswith("| open |") for row in rows)


def test_what_is_not_known_stays_open(tmp_path: Path, full: Bundle) -> None:
    bare = _bundle(tmp_path / "bare")
    text = card_text(bare.manifest)
    assert "Never fitted: this bundle cannot answer." in text
    assert "Not recorded." in text
    assert set(answers(bare.manifest)) < set(answers(full.manifest))
    assert {"output", "sources", "weights", "internal", "external"}.isdisjoint(answers(bare.manifest))


def test_every_answer_is_asked_for(full: Bundle) -> None:
    asked = {key for _, key, _ in (*CLAIM, *TRIPOD_AI) if key}
    assert set(answers(full.manifest)) <= asked


def test_a_card_that_cannot_be_written(full: Bundle) -> None:
    (full.folder / "card.md").mkdir()
    (full.folder / "card.md" / "in the way").touch()
    with pytest.raises(EnvironmentProblem, match=r"card\.md: cannot be written"):
        write_card(full)
