"""What crosses from one room to the next: frozen, with shapes, dtypes and units stated."""

from tumorscan.types.decision import Calibration, Interval, OperatingPoint, UncertainBand
from tumorscan.types.finding import Finding, Scores, Verdict
from tumorscan.types.picture import Frame, Label, Picture, Prepared, Scan, Step
from tumorscan.types.volume import Slice, SliceFinding, Study, Volume, VolumeFinding

__all__ = [
    "Calibration",
    "Finding",
    "Frame",
    "Interval",
    "Label",
    "OperatingPoint",
    "Picture",
    "Prepared",
    "Scan",
    "Scores",
    "Slice",
    "SliceFinding",
    "Step",
    "Study",
    "UncertainBand",
    "Verdict",
    "Volume",
    "VolumeFinding",
]
