"""An answer for a volume as DICOM objects in the study that it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

import tumorscan
from tumorscan.deliver.capture import capture
from tumorscan.deliver.evidence import volume_evidence
from tumorscan.deliver.geometry import Placed
from tumorscan.deliver.parametric_map import no_place, parametric_map
from tumorscan.deliver.presentation import presentation
from tumorscan.deliver.source import check_dicom, load_sources, quiet_highdicom
from tumorscan.deliver.structured_report import structured_report
from tumorscan.deliver.told import Told, model_of
from tumorscan.deliver.uids import Names
from tumorscan.detect.detector import Detector
from tumorscan.errors import SettingsError, TumorscanError, UnreadableScan
from tumorscan.types import Slice, Verdict, Volume, VolumeFinding

KINDS: Final = ("sr", "capture", "gsps", "map")
"""Structured report, Secondary Capture, presentation state, Parametric Map."""

MAP_SLICES: Final = 64
"""Most slices of a map: with 512 x 512 pixels each takes a megabyte."""

_WORDS = {"sr": "report", "capture": "capture", "gsps": "presentation state", "map": "parametric map"}
_NUMBERS = {"sr": 9001, "capture": 9002, "gsps": 9003, "map": 9004}
"""Series Numbers, far from a scanner's."""


def tell(detector: Detector, volume: Volume, found: VolumeFinding, kinds: Sequence[str] = KINDS) -> Told:
    """The answer with the evidence that the objects show, for which the detector looks at those slices again.

    Args:
        detector: that gave the answer.
        volume: as read.
        found: of it.
        kinds: of the objects; a map needs the evidence of all suspicious slices, the others of the key slice.

    Raises:
        UnreadableScan: there is no key slice: none was asked.
        BundleError: the bundle has no head to explain with.
    """
    if found.key_slice is None:
        why = "; ".join(found.finding.reasons) or str(found.finding.verdict)
        raise UnreadableScan(volume.name, f"has no key slice that results could point at ({why})")
    wanted = {found.key_slice, *(_run(found)[:MAP_SLICES] if "map" in kinds else ())}
    asked = [one for one in sorted(wanted) if found.slices[one].finding.probability is not None]
    return Told(volume, found, model_of(detector), volume_evidence(detector, volume, asked))


def _run(found: VolumeFinding) -> list[int]:
    """The suspicious slices, nearest to the key slice first; empty where there are none."""
    if found.extent is None or found.key_slice is None:
        return []
    key = found.key_slice
    return sorted(range(found.extent[0], found.extent[1] + 1), key=lambda one: (abs(one - key), one))


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse before any work is done.

    Raises:
        SettingsError: an unknown kind, or none.
    """
    if unknown := [one for one in kinds if one not in KINDS]:
        raise SettingsError(f"there are no objects {unknown[0]!r}: choose of {', '.join(KINDS)}")
    if not kinds:
        raise SettingsError(f"no objects are asked for: choose of {', '.join(KINDS)}")


def kind_of(made: Any) -> str:
    """Which of `KINDS` an object is."""
    return next(kind for kind, number in _NUMBERS.items() if number == made.SeriesNumber)


def deliver_objects(
    told: Told,
    kinds: Sequence[str] = KINDS,
    *,
    headers: Callable[[Slice], Any] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Any]:
    """The objects, each in a new series of the original study.

    The same answer for the same slices by the same bundle gives the same bytes: UIDs follow from these
    (`uids.py`), dates and times are those of the key slice, and nothing is taken from the clock.

    Args:
        told: the answer; see `tell`.
        kinds: which, of `KINDS`.
        headers: gives a slice's pydicom Dataset where it is at hand; else the files are read again.
        say: is told what is left out, and why.

    Returns:
        pydicom Datasets, in the order of `KINDS`.

    Raises:
        SettingsError: an unknown kind, or none.
        UnreadableScan: the volume is no DICOM, has no UIDs, or its headers cannot be taken over.
        MissingExtra: the extra `dicom` is not installed.
    """
    check_kinds(kinds)
    check_dicom(told.volume)
    quiet_highdicom()
    with _taking_over(told.volume.name):
        maker = _Maker(told, headers, say)
    return maker.made(kinds)


@contextmanager
def _taking_over(name: str) -> Iterator[None]:
    """Odd headers make the libraries raise anything: a refusal by name.

    By the kind of the error alone: its message may quote what stands in the header, a name even.
    """
    try:
        yield
    except TumorscanError:
        raise
    except Exception as error:
        raise UnreadableScan(name, f"its header cannot be taken over ({type(error).__name__})") from error


class _Maker:
    """Makes the objects of one answer."""

    def __init__(
        self, told: Told, headers: Callable[[Slice], Any] | None, say: Callable[[str], None]
    ) -> None:
        self._told, self._say = told, say
        sources = load_sources(told.volume, told.evidence, headers)
        shape = (told.volume.values.shape[1], told.volume.values.shape[2])
        self._placed = {index: Placed(source, shape) for index, source in sources.items()}
        key = told.found.key_slice
        if key is None or key not in self._placed:
            raise UnreadableScan(told.volume.name, "has no key slice that results could point at")
        self._key = self._placed[key]
        self._names = Names(told)

    def made(self, kinds: Sequence[str]) -> list[Any]:
        """Each by itself: what an odd header forbids of one does not cost the others."""
        makers = {"sr": self._report, "capture": self._capture, "gsps": self._presentation, "map": self._map}
        objects, problem = [], None
        for kind in (one for one in KINDS if one in kinds):
            try:
                with _taking_over(self._told.volume.name):
                    one = makers[kind]()
                    objects += [] if one is None else [self._settled(one)]
            except UnreadableScan as error:
                problem = error
                self._left_out(_WORDS[kind], error.cause)
        if problem is not None and not objects:
            raise problem
        return objects

    def _report(self) -> Any:
        return structured_report(self._told, self._key, self._names, self._common("sr"))

    def _capture(self) -> Any:
        return capture(self._told, self._key, self._common("capture"))

    def _presentation(self) -> Any | None:
        if self._told.found.finding.verdict is Verdict.NO_TUMOR:
            self._left_out(_WORDS["gsps"], "no tumor was found, so nothing is outlined")
            return None
        if not self._told.evidence[self._key.source.index].outline():
            self._left_out(_WORDS["gsps"], "no place speaks for the answer")
            return None
        return presentation(self._told, self._key, self._common("gsps"))

    def _map(self) -> Any | None:
        placed = [self._placed[index] for index in sorted(self._placed)]
        if why := no_place(placed):
            self._left_out(_WORDS["map"], why)
            return None
        if len(run := _run(self._told.found)) > MAP_SLICES:
            name, few = self._told.volume.name, f"the {MAP_SLICES} nearest to the key slice"
            self._say(f"{name}: parametric map of {few}, not of all {len(run)} suspicious ones")
        return parametric_map(self._told, placed, self._common("map"))

    def _left_out(self, what: str, why: str) -> None:
        self._say(f"{self._told.volume.name}: no {what}: {why}")

    def _common(self, kind: str) -> dict[str, Any]:
        # A presentation state has a date of its own, see there.
        dated = dict(zip(("content_date", "content_time"), self._key.source.moment(), strict=True))
        return {
            "series_instance_uid": self._names.uid("series", kind),
            "series_number": _NUMBERS[kind],
            "sop_instance_uid": self._names.uid("instance", kind),
            "instance_number": 1,
            "manufacturer": "tumorscan",
            "manufacturer_model_name": "tumorscan",
            "software_versions": [tumorscan.__version__, self._told.model.title[:64]],
            "device_serial_number": self._told.model.fingerprint[:16],
            **(dated if kind != "gsps" else {}),
        }

    def _settled(self, made: Any) -> Any:
        """Take out what comes from the clock and from chance, and say what the series shows."""
        for keyword in ("InstanceCreationDate", "InstanceCreationTime"):
            if keyword in made:
                delattr(made, keyword)
        for equipment in made.get("ContributingEquipmentSequence") or []:
            if "ContributionDateTime" in equipment:
                del equipment.ContributionDateTime
        for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
            for item in made.get(keyword) or []:
                item.DimensionOrganizationUID = self._names.uid("dimensions")
        if made.Modality != "SR":  # a report has no body part in its series
            made.BodyPartExamined = "BRAIN"
        return made


def dicom_bytes(made: Any) -> bytes:
    """An object as a DICOM file."""
    stream = BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
