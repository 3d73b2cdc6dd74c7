"""Whole volumes with what is known of them: a csv of volumes and masks, or a csv of slices by patient."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscan.config import StudyLimits
from tumorscan.data.labels import LABELS
from tumorscan.data.sources import file_of
from tumorscan.data.table import read_table
from tumorscan.errors import DataError, UnreadableScan
from tumorscan.read import read_scan
from tumorscan.read.nifti import read_nifti
from tumorscan.read.sources import file_source
from tumorscan.read.study import read_study
from tumorscan.types import Slice, Volume

Truth = NDArray[np.bool_]
"""bool, N: which slices of a volume show tumor."""


@dataclass(frozen=True)
class Case:
    """A volume and what is known of it; nothing is decoded before `load`.

    Attributes:
        name: for people.
        patient: volumes of one patient are drawn together in intervals.
        tumor: whether there is one.
        load: reads the volume, and which of its slices show tumor; None where that is not known.
    """

    name: str
    patient: str
    tumor: bool
    load: Callable[[], tuple[Volume, Truth | None]]


def volume_cases(path: Path) -> tuple[list[Case], str]:
    """The volumes that a csv names, and a SHA-256 over their files' content.

    Column `volume` names a study that holds one volume, relative to the csv. `mask` (NIfTI, not 0 on the
    tumor, of the volume's grid) or `label` (tumor, no_tumor) says what is known; `patient` joins volumes.

    Raises:
        DataError: a line says nothing of its volume, an unknown label, or names a file that is not there.
    """
    cases, hashes = [], []
    for line, row in _rows(path, ("volume",)):
        where = f"{path}: line {line}"
        file = _file(row["volume"], path.parent, where)
        mask = _file(row["mask"], path.parent, where) if row.get("mask") else None
        label = row.get("label", "")
        if (mask is None and not label) or label not in ("", *LABELS):
            raise DataError(f"{where}: gives neither a mask nor a label of {', '.join(LABELS)}")
        tumor = label == "tumor" if label else bool(_mask_values(_checked_mask(mask, where), where).any())
        load = partial(_load_volume, file, mask, tumor=tumor, where=where)
        cases.append(Case(row["volume"], row.get("patient") or row["volume"], tumor, load))
        hashes.append(_content(file, where))
    return cases, hashlib.sha256("\n".join(sorted(set(hashes))).encode()).hexdigest()


def slice_cases(path: Path, spacing: float) -> list[Case]:
    """The stacks that a csv of slices means: rows of one `patient` and `time`, in the order of `slice`.

    Args:
        path: a csv with the columns file, label, patient, slice, and time where a patient has several.
        spacing: between slices, in mm.

    Raises:
        DataError: a column or value is missing, or two rows are one slice.
    """
    stacks: dict[tuple[str, str], dict[int, tuple[Path, str]]] = {}
    for line, row in _rows(path, ("file", "label", "patient", "slice")):
        where = f"{path}: line {line}"
        if not row["patient"] or row["label"] not in LABELS or not row["slice"].isdecimal():
            raise DataError(f"{where}: needs a patient, a whole number as slice and a label of {LABELS}")
        stack = stacks.setdefault((row["patient"], row.get("time", "")), {})
        if int(row["slice"]) in stack:
            raise DataError(f"{where}: slice {row['slice']} of this stack stands in an earlier line too")
        stack[int(row["slice"])] = _file(row["file"], path.parent, where), row["label"]
    return [
        Case(
            " ".join(part for part in key if part),
            key[0],
            any(label == "tumor" for _, label in stack.values()),
            partial(_load_stack, " ".join(key).strip(), stack, spacing),
        )
        for key, stack in stacks.items()
    ]


def _rows(path: Path, required: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    rows = read_table(path, required)
    if not rows:
        raise DataError(f"{path}: lists nothing: give a line a volume or slice")
    return rows


def _file(name: str, folder: Path, where: str) -> Path:
    file = file_of(name, folder)
    if not file.exists():
        raise DataError(f"{where}: {name} does not exist: name it relative to {folder}")
    return file


def _content(path: Path, where: str) -> str:
    try:
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        parts = b"".join(hashlib.sha256(one.read_bytes()).digest() for one in files)
    except OSError as error:
        raise DataError(f"{where}: {path} cannot be read ({error.strerror})") from error
    return hashlib.sha256(parts).hexdigest()


def _load_volume(file: Path, mask: Path | None, *, tumor: bool, where: str) -> tuple[Volume, Truth | None]:
    try:
        volumes = read_study(file).volumes
    except UnreadableScan as error:
        raise DataError(f"{where}: {error}") from error
    if len(volumes) != 1:
        raise DataError(f"{where}: {file} holds {len(volumes)} volumes: name the one that is meant")
    volume = volumes[0]
    if not tumor:
        return volume, np.zeros(len(volume), np.bool_)
    if mask is None:
        return volume, None
    region = _mask_values(mask, where)
    if region.shape != volume.values.shape:
        raise DataError(f"{where}: the mask is {region.shape}, its volume {volume.values.shape}")
    return volume, np.asarray(region.any(axis=(1, 2)), np.bool_)


def _checked_mask(mask: Path | None, where: str) -> Path:
    if mask is None:
        raise DataError(f"{where}: gives neither a mask nor a label")
    return mask


def _mask_values(mask: Path, where: str) -> NDArray[np.bool_]:
    """bool, N x H x W, in the order and turn of the volume's slices."""
    limits = StudyLimits()
    try:
        return np.asarray(read_nifti(file_source(mask, limits), limits, mask=True).values > 0)
    except UnreadableScan as error:
        raise DataError(f"{where}: mask {error}") from error


def _load_stack(
    name: str, stack: Mapping[int, tuple[Path, str]], spacing: float
) -> tuple[Volume, Truth | None]:
    """Pictures as a volume whose window leaves them as they are."""
    order = sorted(stack)
    try:
        scans = [read_scan(stack[number][0]) for number in order]
    except UnreadableScan as error:
        raise DataError(f"{name}: {error}") from error
    sizes = {scan.pixels.shape for scan in scans}
    if len(sizes) > 1 or not all(scan.is_grey for scan in scans):
        raise DataError(f"{name}: its slices are not grey pictures of one size")
    volume = Volume(
        values=np.stack([scan.pixels[..., 0] for scan in scans]).astype(np.float32),
        centre=127.5,
        width=255.0,
        slices=tuple(Slice(stack[number][0].name, position=number * spacing) for number in order),
        plane="",
        name=name,
        format="NIFTI",
        notes=(f"slices taken as {spacing:g} mm apart",),
    )
    return volume, np.array([stack[number][1] == "tumor" for number in order], np.bool_)
