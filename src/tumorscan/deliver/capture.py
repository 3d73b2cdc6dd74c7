"""The key slice as a Secondary Capture that every viewer shows: plain, with the evidence, and with words."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tumorscan.deliver.geometry import Placed
from tumorscan.deliver.told import RESEARCH_USE, Told, rates
from tumorscan.detect.decide import percent, wording
from tumorscan.errors import require
from tumorscan.types import Picture

_SIDE: Final = 512
"""Pixels of the longer side of each picture, at least: smaller slices are enlarged, so that words fit."""

_WHITE, _GREY, _WARN = (255, 255, 255), (190, 190, 190), (255, 214, 102)


def capture(told: Told, placed: Placed, common: dict[str, Any]) -> Any:
    """The Secondary Capture: colour, 8 bits; arguments as at `structured_report`."""
    sc = require("highdicom.sc", "dicom")
    header = placed.source.dataset
    sides = placed.sides()
    image = sc.SCImage.from_ref_dataset(
        ref_dataset=header,
        pixel_array=captured(told, placed.source.index),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=sides or ("L", "P"),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        **common,
    )
    if sides is None:
        image.PatientOrientation = None
    image.copy_patient_and_study_information(header)
    image.DateOfSecondaryCapture, image.TimeOfSecondaryCapture = placed.source.moment()
    image.SeriesDescription = "tumorscan: key slice with evidence, for research"
    # Of what would tell who the patient is; the words in it are the software's.
    image.BurnedInAnnotation = "NO"
    image.ImageComments = RESEARCH_USE
    image.DerivationDescription = "Key slice beside the same with the evidence of a detector over it"
    image.SourceImageSequence = [_reference(placed)]
    return image


def _reference(placed: Placed) -> Any:
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = placed.source.dataset.SOPClassUID
    item.ReferencedSOPInstanceUID = placed.source.dataset.SOPInstanceUID
    if placed.source.frames:
        item.ReferencedFrameNumber = placed.source.frames[0]
    return item


def captured(told: Told, index: int) -> Picture:
    """The picture: left the slice alone, right with its evidence, words above and below; uint8 RGB."""
    evidence = told.evidence[index]
    pair = np.hstack([_enlarged(evidence.scan.pixels), _enlarged(evidence.drawn())])
    above = _words(_headline(told, index), pair.shape[1], _WHITE)
    below = _words([RESEARCH_USE], pair.shape[1], _WARN, colour_rest=_WARN)
    return np.ascontiguousarray(np.vstack([above, pair, below]))


def _headline(told: Told, index: int) -> list[str]:
    finding, point = told.found.finding, told.model.point
    said = wording(finding.verdict)
    if finding.probability is not None:
        said += f"   probability of a tumor {percent(finding.probability)}"
    return [
        said,
        f"slice {index + 1} of {len(told.volume)}   operating point {point.name}: {rates(point)}",
        f"tumorscan {told.model.title}   left: the slice   right: what spoke for the answer",
    ]


def _enlarged(picture: Picture) -> Picture:
    scale = max(1.0, _SIDE / max(picture.shape[:2]))
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _words(
    lines: list[str],
    width: int,
    colour: tuple[int, int, int],
    colour_rest: tuple[int, int, int] = _GREY,
) -> Picture:
    """Lines on black, as large as the width allows, the first one larger."""
    strips = []
    for number, line in enumerate(lines):
        size = max(12, width // (32 if number == 0 and len(lines) > 1 else 46))
        font = ImageFont.load_default(size)
        while size > 8 and font.getlength(line) > width - size:
            size -= 1
            font = ImageFont.load_default(size)
        strip = Image.new("RGB", (width, round(1.5 * size)))
        at = (8, round(0.15 * size))
        ImageDraw.Draw(strip).text(at, line, fill=colour if number == 0 else colour_rest, font=font)
        strips.append(np.asarray(strip))
    return np.asarray(np.vstack(strips), np.uint8)
