"""What a reader of the printed page finds on it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import drawn_series as drawn
import numpy as np
import pytest
from PIL import Image

from tumorscan.deliver.evidence import Evidence
from tumorscan.deliver.pdf import report_pdf
from tumorscan.deliver.sheet import Sheet
from tumorscan.deliver.told import RESEARCH_USE, Told
from tumorscan.detect.explain import NOTHING
from tumorscan.types import UncertainBand, Verdict

MADE = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
BAND = UncertainBand(0.3, 0.6, 0.05, 0.05, 0.05, "the calibration split")


def sheet(told: Told, verdict: Verdict = Verdict.TUMOR, *, series: bool = True, **changed: object) -> Sheet:
    refused = verdict is Verdict.NOT_BRAIN_MRI
    finding = replace(told.found.finding, verdict=verdict, **changed)
    evidence = told.evidence[2]
    if refused:
        finding = replace(finding, probability=None, confidence=None, reasons=("page: 80 % of it is white",))
        evidence = Evidence(evidence.scan, evidence.frame, NOTHING)
    found = replace(told.found, finding=finding) if series else None
    model = replace(told.model, band=BAND)
    return Sheet(finding, model, evidence, (("input", "a" * 64),), MADE, found, 2)


def page(pdf: bytes) -> str:
    """The page's own words, in order; positions as `x y Td`."""
    streams = [
        zlib.decompress(one)
        for one in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)
        if one[:1] == b"x"
    ]
    return next(one for one in streams if b" Tj" in one or b" TJ" in one).decode("latin-1")


def words(pdf: bytes) -> str:
    said = " ".join(re.findall(r"\((.*?)(?<!\\)\) Tj", page(pdf)))
    return re.sub(r"\\(.)", r"\1", said)


@pytest.mark.parametrize("series", [True, False], ids=["series", "picture"])
@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_page_says_what_was_found_by_what_and_its_limits(
    told: Told, verdict: Verdict, series: bool
) -> None:
    pdf = report_pdf(sheet(told, verdict, series=series))
    said = words(pdf)
    expected = [str(verdict), RESEARCH_USE, drawn.MODEL.title, "f" * 64, "a" * 64, "2026-11-28 12:00 UTC"]
    expected += ["screening", "sensitivity 91.2 % (95 % interval 85.0 to 95.0 %", "healthy brain"]
    expected += ["Probability by slice", "Suspicious slices"] if series else ["The picture as it was read"]
    expected += ["80 % of it is white"] if verdict is Verdict.NOT_BRAIN_MRI else ["87.0 %", "about 87 show"]
    for one in expected:
        assert one in said, one
    assert pdf.count(b"/Type /Page\n") == 1


def test_the_same_sheet_gives_the_same_bytes_within_seconds(told: Told) -> None:
    begun = time.monotonic()
    assert report_pdf(sheet(told)) == report_pdf(sheet(told))
    assert time.monotonic() - begun < 60


def test_no_colour_but_in_the_evidence(told: Told) -> None:
    assert not re.search(r"^[\d. ]+ (rg|RG)$", page(report_pdf(sheet(told))), re.MULTILINE)


# What could push words off the page or off the alphabet of its fonts.
LONG = {
    "a path": {"file": "/data/" + "very_long_folder_name/" * 20 + "slice.png"},
    "letters": {"file": "zażółć/脑\n\x07.png"},
    "notes": {"notes": ("16 bit windowed to something rather long that goes on and on",) * 40},
}


@pytest.mark.parametrize("changed", LONG.values(), ids=LONG)
def test_long_words_stay_on_the_page(told: Told, changed: dict[str, object]) -> None:
    long = sheet(told, **changed)
    point = replace(
        long.model.point, statement="what this promises, at length, to whom and on which data " * 10
    )
    text = page(report_pdf(replace(long, model=replace(long.model, point=point))))
    lowest = min(float(y) for y in re.findall(r"BT [\d.]+ (-?[\d.]+) Td", text))
    assert lowest > 14  # points from the lower edge


def test_a_hint_at_the_type_stands_there_as_a_hint(told: Told) -> None:
    assert "glioma 70.0 %, meningioma 30.0 %; for research" in words(report_pdf(sheet(told)))


def test_certainty_is_never_claimed(told: Told) -> None:
    said = words(report_pdf(sheet(told, probability=0.99999)))
    assert "over 99.9 %" in said
    assert "100.0 %" not in said


def test_rendered_in_grey_verdicts_differ_and_the_outline_is_seen(told: Told, tmp_path: Path) -> None:
    if not shutil.which("pdftoppm"):
        pytest.skip("pdftoppm is not installed (Debian: poppler-utils)")
    seen = {}
    for verdict in (Verdict.TUMOR, Verdict.NO_TUMOR):
        file = tmp_path / f"{verdict.name}.pdf"
        file.write_bytes(report_pdf(sheet(told, verdict)))
        subprocess.run(
            ["pdftoppm", "-r", "50", "-gray", "-singlefile", "-png", file, file.with_suffix("")], check=True
        )
        with Image.open(file.with_suffix(".png")) as image:
            seen[verdict] = np.asarray(image.convert("L"), int)
    difference = np.abs(seen[Verdict.TUMOR] - seen[Verdict.NO_TUMOR])
    height, width = difference.shape
    icon = difference[: height // 5, : width // 5]
    outline = difference[height // 4 : height // 2, width // 2 :]
    assert (icon > 120).sum() > 20
    assert (outline > 80).sum() > 20
