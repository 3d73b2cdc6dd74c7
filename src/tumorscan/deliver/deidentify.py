"""DICOM files without the patient: the Basic Profile of PS3.15 Annex E, as dicom-anonymizer implements it.

What it lacks is done here: keyed UIDs instead of random ones, the items of sequences, which it leaves alone,
the attributes that say what was done, and a last look for the patient's name and number in what is left.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tumorscan import __version__
from tumorscan.config import StudyLimits
from tumorscan.deliver.burnt_in import burnt_in
from tumorscan.deliver.pseudonyms import Pseudonyms
from tumorscan.errors import MissingExtra, UnreadableScan, require
from tumorscan.read.dicom_file import check_scan, damaged, is_dicom, open_dicom
from tumorscan.read.sources import Source

Rule = Callable[[Any, Any], None]

_CHARACTERISTICS = ("PatientSex", "PatientAge", "PatientSize", "PatientWeight")
_NAMES = ("PatientName", "PatientBirthName", "PatientMotherBirthName", "OtherPatientNames")
_NUMBERS = ("PatientID", "OtherPatientIDs")
_TEXT = ("LO", "SH", "PN", "ST", "LT", "UT", "UC", "AE", "UR")
_LOCK = threading.Lock()  # the library keeps its new UIDs in one place for all


@dataclass(frozen=True)
class Cleaned:
    """A file without the patient.

    Attributes:
        data: the whole file.
        series, instance: its new UIDs.
        warnings: what a person must look at, a line each.
    """

    data: bytes
    series: str
    instance: str
    warnings: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it goes: names of files may hold names of patients, so they are made anew."""
        return Path(self.series or "no-series") / f"{self.instance}.dcm"


def deidentify(
    source: Source, pseudonyms: Pseudonyms, limits: StudyLimits, *, keep_characteristics: bool = False
) -> Cleaned:
    """Take the patient out of a DICOM file.

    Args:
        source: the file, which is only read.
        pseudonyms: for UIDs and the patient's number.
        limits: as at `read_study`.
        keep_characteristics: sex, age (over 89: 90), size and weight stay (Retain Patient Characteristics
            Option).

    Raises:
        UnreadableScan: it is no DICOM, no picture (texts of reports are not cleaned here) or damaged.
        MissingExtra: the extra `dicom` is not installed.
    """
    if not is_dicom(source.head()):
        raise UnreadableScan(
            source.name, "is no DICOM file, and nothing else is de-identified here: left out"
        )
    require("dicomanonymizer.simpledicomanonymizer", "dicom")
    dataset = open_dicom(source, limits, pixels=True)
    try:
        check_scan(dataset, source.name)
        warnings = burnt_in(dataset)
        left = _clean(dataset, pseudonyms, keep_characteristics=keep_characteristics)
        stream = BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
    except (UnreadableScan, MissingExtra):
        raise
    except Exception as error:  # damaged elements raise anything when they are looked at
        raise UnreadableScan(source.name, damaged(type(error).__name__)) from error
    warnings += [f"the patient's name or number stood in {keyword} too: emptied" for keyword in left]
    series, instance = (str(dataset.get(f"{kind}InstanceUID", "")) for kind in ("Series", "SOP"))
    return Cleaned(stream.getvalue(), series, instance, tuple(warnings))


def _clean(dataset: Any, pseudonyms: Pseudonyms, *, keep_characteristics: bool) -> list[str]:
    """Clean in place; the keywords in which the patient was found after the profile had been applied."""
    identity, number = _identity(dataset), str(dataset.get("PatientID", ""))
    kept = _characteristics(dataset) if keep_characteristics else {}
    with _LOCK:
        _apply_profile(dataset, pseudonyms)
    dataset.PatientName = dataset.PatientID = pseudonyms.patient(number) if number else ""
    for keyword, value in kept.items():
        setattr(dataset, keyword, value)
    _check_texts(dataset)
    _cut_to_size(dataset)
    left = sorted({_emptied(item, element) for item, element in _texts(dataset) if _tells(element, identity)})
    _say_so(dataset, keep_characteristics=keep_characteristics)
    _new_meta(dataset)
    return left


def _apply_profile(dataset: Any, pseudonyms: Pseudonyms) -> None:
    library = require("dicomanonymizer.simpledicomanonymizer", "dicom")
    known = require("pydicom.uid", "dicom").UID_dictionary
    rules = {tag: _rule(action, library) for tag, action in library.initialize_actions_2024b().items()}
    # The library draws UIDs at random, and looks into this mapping before.
    library.dictionary.clear()
    library.dictionary.update({old: old if old in known else pseudonyms.uid(old) for old in _uids(dataset)})
    try:
        for item in _items(dataset):
            # Rules of ranges (60xx) walk into sequences by themselves, so the deepest items come first.
            library.anonymize_dataset(item, rules, delete_private_tags=True, base_rules_gen=dict)
            _without_strangers(item)
    finally:
        library.dictionary.clear()


def _without_strangers(item: Any) -> None:
    """Attributes that the standard does not have may hold anything, so may what pads the end of a file."""
    known = require("pydicom.datadict", "dicom").dictionary_has_tag
    for tag in [one for one in item.keys() if one.group == 0xFFFC or not known(one)]:  # noqa: SIM118 - a Dataset
        del item[tag]


def _rule(action: Rule, library: Any) -> Rule:
    """The library's action, and what it does not do: sequences, and values of kinds that it does not know."""

    def act(dataset: Any, tag: Any) -> None:
        element = dataset.get(tag)
        if element is None:
            return
        if element.VR == "SQ":
            _sequence(dataset, tag, action, library)
            return
        try:
            action(dataset, tag)
        except NotImplementedError:
            del dataset[tag]

    return act


def _sequence(dataset: Any, tag: Any, action: Rule, library: Any) -> None:
    """References keep their items, whose UIDs are new by now; other sequences of the profile lose theirs."""
    if action is library.delete:
        del dataset[tag]
    elif action is not library.delete_or_empty_or_replace_UID:
        dataset[tag].value = []


def _items(dataset: Any) -> Iterator[Any]:
    """All datasets in a dataset, the deepest first, itself last."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _items(item)
    yield dataset


def _uids(dataset: Any) -> Iterator[str]:
    for item in _items(dataset):
        for element in item:
            if element.VR == "UI" and element.value:
                many = element.value
                yield from [str(many)] if isinstance(many, str) else [str(one) for one in many]


def _texts(dataset: Any) -> Iterator[tuple[Any, Any]]:
    for item in _items(dataset):
        for element in list(item):
            if element.VR in _TEXT and element.value and element.keyword not in ("PatientName", "PatientID"):
                yield item, element


def _check_texts(dataset: Any) -> None:
    """Refuse a text in which bytes stand that are no text: it has swallowed others, a name perhaps."""
    strings = require("pydicom.valuerep", "dicom").STR_VR
    for item in _items(dataset):
        for element in item:
            if element.VR in strings:
                many = element.value if element.VM > 1 else [element.value]
                if any(_is_no_text(str(one or "")) for one in many):
                    raise ValueError("no text")


def _is_no_text(value: str) -> bool:
    return any(sign < " " and sign not in "\t\n\f\r\x1b" for sign in value.strip("\0 "))


def _cut_to_size(dataset: Any) -> None:
    """What stands behind the last pixel is no picture."""
    if not dataset.file_meta.TransferSyntaxUID.is_compressed and "PixelData" in dataset:
        wanted = require("pydicom.pixels.utils", "dicom").get_expected_length(dataset)
        dataset.PixelData = dataset.PixelData[: wanted + wanted % 2]


def _identity(dataset: Any) -> frozenset[str]:
    """Words that tell the patient: parts of names from three letters on, numbers from four signs on."""
    words = set()
    for item in _items(dataset):
        for keyword in _NAMES:
            for name in str(item.get(keyword, "") or "").replace("\\", "^").replace("=", "^").split("^"):
                words |= {
                    part.casefold() for part in name.split() if len(part) >= (3 if part.isascii() else 2)
                }
        words |= {
            str(item.get(keyword, "")).casefold()
            for keyword in _NUMBERS
            if len(str(item.get(keyword, ""))) >= 4
        }
    return frozenset(words)


def _tells(element: Any, identity: frozenset[str]) -> bool:
    text = str(element.value).casefold()
    if text in identity:
        return True
    words = "".join(sign if sign.isalnum() else " " for sign in text).split()
    return any(one in words or ((" " in one or not one.isalnum()) and one in text) for one in identity)


def _emptied(item: Any, element: Any) -> str:
    item[element.tag].value = ""
    return str(element.keyword or element.tag)


def _characteristics(dataset: Any) -> dict[str, Any]:
    found = {keyword: dataset.get(keyword) for keyword in _CHARACTERISTICS if keyword in dataset}
    age = str(found.get("PatientAge", ""))
    if age[:3].isdigit() and age.endswith("Y") and int(age[:3]) > 89:
        found["PatientAge"] = "090Y"  # so old that the age alone may tell who it is
    return found


def _say_so(dataset: Any, *, keep_characteristics: bool) -> None:
    pydicom = require("pydicom", "dicom")
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    dataset.DeidentificationMethod = f"tumorscan {__version__}: PS3.15 Basic Profile"
    codes = [("113100", "Basic Application Confidentiality Profile")]
    if keep_characteristics:
        codes.append(("113108", "Retain Patient Characteristics Option"))
    items = []
    for value, meaning in codes:
        item = pydicom.Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    dataset.DeidentificationMethodCodeSequence = items


def _new_meta(dataset: Any) -> None:
    """What stands before the data is made anew: a preamble may hold anything, file meta names of stations."""
    pydicom = require("pydicom", "dicom")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID")
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID")
    dataset.file_meta, dataset.preamble = meta, bytes(128)
