"""The outline of the evidence over the key slice, as a presentation state to switch on and off."""

from __future__ import annotations

from typing import Any

from tumorscan.deliver.geometry import Placed
from tumorscan.deliver.told import RESEARCH_USE, Told
from tumorscan.errors import require

_LAYER = "TUMORSCAN"


def presentation(told: Told, placed: Placed, common: dict[str, Any]) -> Any:
    """The presentation state (GSPS); arguments as at `structured_report`."""
    pr = require("highdicom.pr", "dicom")
    content = require("highdicom.content", "dicom")
    decimal = require("pydicom.valuerep", "dicom").DSfloat
    header = placed.source.dataset
    layer = pr.GraphicLayer(_LAYER, order=1, description="For research and teaching, never a diagnosis")
    inverse = str(header.get("PhotometricInterpretation")) == "MONOCHROME1"
    state = pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[header],
        content_label=_LAYER,
        content_description="Outline of the evidence, for research",
        graphic_layers=[layer],
        graphic_annotations=[_annotation(pr, told, placed, layer)],
        voi_lut_transformations=[_window(pr, told)],
        presentation_lut_transformation=content.PresentationLUTTransformation(
            presentation_lut_shape="INVERSE" if inverse else "IDENTITY"
        ),
        **common,
    )
    state.PresentationCreationDate, state.PresentationCreationTime = placed.source.moment()
    if spacing := placed.source.numbers("PixelSpacing", 2):
        area = state.DisplayedAreaSelectionSequence[0]
        area.PresentationPixelSpacing = [decimal(one, auto_format=True) for one in spacing]
        del area.PresentationPixelAspectRatio
    state.SeriesDescription = "tumorscan: outline of the evidence, for research"
    return state


def _annotation(pr: Any, told: Told, placed: Placed, layer: Any) -> Any:
    index = placed.source.index
    lines = [placed.points(one) for one in told.evidence[index].outline()]
    objects = [
        pr.GraphicObject(
            graphic_type=pr.GraphicTypeValues.POLYLINE,
            graphic_data=one.round(2),
            units=pr.AnnotationUnitsValues.PIXEL,
            is_filled=False,
        )
        for one in lines
    ]
    corner = lines[0].max(axis=0)
    words = pr.TextObject(
        text_value=f"tumorscan: evidence for {told.found.finding.verdict}. {RESEARCH_USE}",
        units=pr.AnnotationUnitsValues.PIXEL,
        anchor_point=(float(corner[0].round(2)), float(corner[1].round(2))),
    )
    return pr.GraphicAnnotation(
        referenced_images=[placed.source.dataset],
        referenced_frame_number=placed.source.frame,
        graphic_layer=layer,
        graphic_objects=objects,
        text_objects=[words],
    )


def _window(pr: Any, told: Told) -> Any:
    """The volume's window, a straight ramp, in the terms of DICOM's LINEAR function (PS3.3 C.11.2.1.2)."""
    volume = told.volume
    return pr.SoftcopyVOILUTTransformation(
        window_center=round(float(volume.centre) + 0.5, 4),
        window_width=round(max(float(volume.width), 1) + 1, 4),
    )
