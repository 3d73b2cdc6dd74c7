"""The evidence of the suspicious slices as numbers, pixel by pixel: a Parametric Map of float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tumorscan.deliver.geometry import Placed
from tumorscan.deliver.told import RESEARCH_USE, Told
from tumorscan.errors import require

_PLACE = (("ImageOrientationPatient", 6), ("ImagePositionPatient", 3), ("PixelSpacing", 2))


def parametric_map(told: Told, placed: Sequence[Placed], common: dict[str, Any]) -> Any:
    """The map.

    Args:
        told: the answer.
        placed: slices with a place in the patient, all of one series, in the order of the volume.
        common: what all objects have, as arguments of highdicom's classes.
    """
    pm = require("highdicom.pm", "dicom")
    content = require("highdicom.content", "dicom")
    codes = require("pydicom.sr.codedict", "dicom").codes
    values = np.stack([one.stored(told.evidence[one.source.index].values()) for one in placed])
    first = placed[0].source
    cells = told.model.cells
    top = 1.0 if cells else float(max(values.max(), 1e-4))
    mapping = pm.RealWorldValueMapping(
        lut_label="EVIDENCE",
        lut_explanation="Probability of tumor, by place" if cells else "Grad-CAM, in units of the logit",
        unit=codes.UCUM.NoUnits,
        value_range=(0.0, top),
        slope=1.0,
        intercept=0.0,
        quantity_definition=(
            codes.cid7180.ClassActivation if cells else codes.cid7180.GradientWeightedClassActivation
        ),
    )
    thickness = _thickness(told, first)
    made = pm.ParametricMap(
        source_images=_files(placed, thickness),
        pixel_array=values,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[content.VOILUTTransformation(window_center=top / 2, window_width=top)],
        content_label="EVIDENCE",
        content_description="Evidence for a tumor, for research",
        pixel_measures=content.PixelMeasuresSequence(
            pixel_spacing=first.numbers("PixelSpacing", 2),
            slice_thickness=thickness,
        ),
        plane_orientation=content.PlaneOrientationSequence("PATIENT", placed[0].orientation),
        plane_positions=[
            content.PlanePositionSequence("PATIENT", one.source.numbers("ImagePositionPatient", 3))
            for one in placed
        ],
        **common,
    )
    made.SeriesDescription = "tumorscan: map of the evidence, for research"
    made.ImageComments = RESEARCH_USE
    return made


def _files(placed: Sequence[Placed], thickness: float) -> list[Any]:
    """Each file once; highdicom asks a thickness of them."""
    files = {str(one.source.dataset.SOPInstanceUID): one.source.dataset for one in placed}
    for file in files.values():
        if "SliceThickness" not in file and "SharedFunctionalGroupsSequence" not in file:
            file.SliceThickness = f"{thickness:g}"
    return list(files.values())


def _thickness(told: Told, first: Any) -> float:
    try:
        thick = float(first.find("SliceThickness"))
    except (TypeError, ValueError):
        thick = float("nan")
    between = told.volume.spacing[0] if told.volume.spacing else float("nan")
    return next((one for one in (thick, between) if np.isfinite(one) and one > 0), 1.0)


def no_place(placed: Sequence[Placed]) -> str:
    """Why there can be no map of these slices; empty where there can."""
    if not placed:
        return "no slice has evidence"
    for one in placed:
        for keyword, count in _PLACE:
            if one.source.numbers(keyword, count) is None:
                return f"the source has no {keyword}"
        if not one.source.dataset.get("FrameOfReferenceUID"):
            return "the source has no FrameOfReferenceUID"
    return ""
