"""The answer as a Comprehensive SR on template TID 1500, for programs and worklists to read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import tumorscan
from tumorscan.deliver.geometry import Placed
from tumorscan.deliver.told import RESEARCH_USE, Told, meaning, rates_in_full, type_hint, type_shares
from tumorscan.deliver.uids import Names, device_uid
from tumorscan.detect.decide import wording
from tumorscan.errors import require
from tumorscan.types import Verdict

SCHEME = "99TUMORSCAN"
"""Of the codes for which no standard has any; private, as PS3.16 8.2 has it. Never changed, only added to."""

_VERDICTS = {
    Verdict.TUMOR: ("V1", "Tumor detected by software, for research"),
    Verdict.NO_TUMOR: ("V2", "No tumor detected by software, for research"),
    Verdict.CANNOT_SAY: ("V3", "Software cannot say whether there is a tumor"),
    Verdict.NOT_BRAIN_MRI: ("V4", "Not a brain MRI that the software knows"),
}
_TYPES = {"glioma": "H1", "meningioma": "H2", "pituitary": "H3", "not sure": "H0"}


def structured_report(told: Told, placed: Placed, names: Names, common: dict[str, Any]) -> Any:
    """The report.

    Args:
        told: the answer.
        placed: the key slice.
        names: of the answer's objects.
        common: what all objects have, as arguments of highdicom's classes.
    """
    sr = require("highdicom.sr", "dicom")
    codes = require("pydicom.sr.codedict", "dicom").codes
    groups = [_answer(sr, codes, told, placed, names), *_peak(sr, codes, told, placed, names)]
    content = sr.MeasurementReport(
        observation_context=_observer(sr, told),
        procedure_reported=codes.LN.BrainMRI,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = sr.ComprehensiveSR(
        evidence=[placed.source.dataset],
        content=content[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[_scheme()],
        **common,
    )
    report.SeriesDescription = "tumorscan: finding, for research"
    return report


def _scheme() -> Any:
    """Whose codes 99TUMORSCAN are."""
    schemes = require("highdicom.coding_schemes", "dicom")
    return schemes.CodingSchemeIdentificationItem(
        SCHEME, name="Codes of the software tumorscan", responsible_organization="tumorscan"
    )


def _code(value: str, meaning_of: str) -> Any:
    return require("highdicom.sr", "dicom").CodedConcept(value, SCHEME, meaning_of)


def _observer(sr: Any, told: Told) -> Any:
    codes = require("pydicom.sr.codedict", "dicom").codes
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=device_uid(told),
        name="tumorscan",
        manufacturer_name="tumorscan",
        model_name=told.model.title[:64],
        serial_number=told.model.fingerprint[:16],
    )
    context = sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return sr.ObservationContext(observer_device_context=context)


def _algorithm(sr: Any, codes: Any, told: Told) -> Any:
    point = told.model.point
    return sr.AlgorithmIdentification(
        name=f"tumorscan {told.model.name}"[:64],
        version=told.model.version or "0",
        parameters=[
            f"operating point {point.name}, set for {point.aim}",
            f"threshold {point.threshold:.6f}",
            f"tumorscan {tumorscan.__version__}",
            f"bundle SHA-256 {told.model.fingerprint}",
        ],
        family=codes.cid7162.ArtificialIntelligence,
        manufacturer="tumorscan",
    )


def _answer(sr: Any, codes: Any, told: Told, placed: Placed, names: Names) -> Any:
    """The group (TID 1501) with the finding of the volume and what it rests on."""
    header, finding = placed.source.dataset, told.found.finding
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=names.uid("finding"), identifier="tumorscan finding"),
        finding_type=_code(*_VERDICTS[finding.verdict]),
        algorithm_id=_algorithm(sr, codes, told),
        measurements=_measurements(sr, codes, told),
        source_images=[
            sr.SourceImageForMeasurementGroup(
                str(header.SOPClassUID), str(header.SOPInstanceUID), placed.source.frames
            )
        ],
    )
    group[0].ContentSequence.extend(_text(sr, codes, line) for line in _lines(told))
    return group


def _measurements(sr: Any, codes: Any, told: Told) -> list[Any]:
    found, point = told.found, told.model.point
    shares = [
        ("M1", "Calibrated probability of a brain tumor", found.finding.probability),
        ("M2", "Operating point: probability from which a tumor is reported", point.threshold),
        ("M3", "Operating point: sensitivity on the data of its fit", point.sensitivity.value),
        ("M4", "Operating point: specificity on the data of its fit", point.specificity.value),
        *(
            (f"T{_TYPES.get(name, '9')}", f"Research hint: probability of {name}", share)
            for name, share in type_shares(found.finding, found).items()
        ),
    ]
    measured = [
        sr.Measurement(_code(code, name), round(value, 6), codes.UCUM.NoUnits)
        for code, name, value in shares
        if value is not None and math.isfinite(value)
    ]
    count = len(told.volume)
    return [*measured, sr.Measurement(_code("M5", "Slices in the series"), count, codes.UCUM.NoUnits)]


def _lines(told: Told) -> list[str]:
    found, model = told.found, told.model
    finding, point = found.finding, model.point
    lines = [
        RESEARCH_USE,
        f"{wording(finding.verdict)}. {meaning(finding.probability, of_series=True)}",
        f"Operating point {point.name}: {rates_in_full(point)} {point.statement}",
        *(f"Reason: {reason}" for reason in finding.reasons),
    ]
    if found.extent is not None:
        first, last = found.extent
        lines.append(f"Suspicious run of slices: {first + 1} to {last + 1} of {len(told.volume)}.")
    if hint := type_hint(finding, found):
        lines.append(f"Type of the tumor, a research hint and nothing else: {hint}.")
    return lines


def _text(sr: Any, codes: Any, line: str) -> Any:
    return sr.TextContentItem(
        name=codes.DCM.Comment, value=line.strip(), relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def _peak(sr: Any, codes: Any, told: Told, placed: Placed, names: Names) -> list[Any]:
    """The group (TID 1410) with the place of the strongest evidence, a point on the key slice."""
    peak = told.found.slices[placed.source.index].peak
    if peak is None or told.found.finding.verdict is Verdict.NO_TUMOR:
        return []
    header = placed.source.dataset
    image = sr.SourceImageForRegion(str(header.SOPClassUID), str(header.SOPInstanceUID), placed.source.frames)
    region = sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POINT,
        graphic_data=placed.points(np.asarray([peak], np.float64)).round(2),
        source_image=image,
    )
    return [
        sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(uid=names.uid("peak"), identifier="tumorscan peak"),
            referenced_region=region,
            finding_type=_code("P1", "Place of the strongest evidence for a tumor"),
            algorithm_id=_algorithm(sr, codes, told),
        )
    ]
