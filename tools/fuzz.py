"""Read and de-identify damaged files: each must give an answer or a `TumorscanError`, soon and in bounds.

Drawn slices are stored in many forms, and each mutant changes one of them: bytes, words, elements of the
header, lengths, ends, codestreams. A mutant follows from the seed and its number alone. Mutants are read in
processes of 2 GB; one that ends, takes more than 10 s, needs more memory, or lets another exception out is a
failure, and its file is kept.

    python tools/fuzz.py --count 5000
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

SECONDS = 10
BYTES = 2 * 1024**3
_WORDS = (0, 1, 2, 7, 255, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1)
_FILLS = (b"9", b"-", b"\\", b"\x00", b"\xff", b"A", b"0", b"1e308 ", b"nan ", b"7\\")


@dataclass(frozen=True)
class Seed:
    """A good file.

    Attributes:
        name: what it is.
        data: its bytes.
        spots: where elements of the header begin, and where their values and ends are.
    """

    name: str
    data: bytes
    spots: tuple[tuple[int, int, int], ...] = ()


def main() -> int:
    """Read the mutants; returns 1 where one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    options = parser.parse_args()
    begun = time.monotonic()
    seeds = good_files()
    numbers = range(options.count)
    counts: Counter[str] = Counter()
    failures: list[str] = []
    slowest, largest = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        for outcome in _read_all(seeds, options, numbers, Path(folder)):
            counts[outcome["kind"]] += 1
            slowest, largest = max(slowest, outcome["seconds"]), max(largest, outcome["bytes"])
            if outcome["kind"] not in ("answer", "refusal"):
                failures.append(
                    f"{outcome['number']} ({outcome['seed']}): {outcome['kind']} {outcome['said']}"
                )
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / str(outcome["number"])).write_bytes(
                        mutant(seeds, options.seed, outcome["number"])[1]
                    )
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    print(f"{options.count} mutants of {len(seeds)} files in {time.monotonic() - begun:.0f} s: {told}")
    print(f"slowest {slowest:.2f} s, largest process {largest / 2**20:.0f} MiB resident")
    for line in failures:
        print(line)
    return min(len(failures), 1)


def _read_all(seeds: list[Seed], options: argparse.Namespace, numbers: range, folder: Path) -> Any:
    """Outcomes in any order; a reader that hangs or dies is replaced."""
    from multiprocessing.connection import wait

    context = get_context("fork")
    todo = iter(numbers)
    readers = [_Reader(context, seeds, options.seed, folder / str(index)) for index in range(options.workers)]
    for reader in readers:
        reader.give(next(todo, None))
    while busy := [reader for reader in readers if reader.number is not None]:
        wait([reader.pipe for reader in busy] + [reader.process.sentinel for reader in busy], timeout=0.5)
        for reader in busy:
            outcome = reader.outcome()
            if outcome is not None:
                yield outcome
                reader.give(next(todo, None))
    for reader in readers:
        reader.stop()


class _Reader:
    """A process that reads one mutant at a time."""

    def __init__(self, context: Any, seeds: list[Seed], seed: int, folder: Path) -> None:
        self._make = (context, seeds, seed, folder)
        self.number: int | None = None
        self._start()

    def _start(self) -> None:
        context, seeds, seed, folder = self._make
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, seeds, seed, folder), daemon=True)
        self.process.start()
        other.close()

    def give(self, number: int | None) -> None:
        self.number, self._since = number, time.monotonic()
        if number is not None:
            self.pipe.send(number)

    def outcome(self) -> dict[str, Any] | None:
        """What came of the mutant; None while it is being read."""
        seconds = time.monotonic() - self._since
        try:
            if self.pipe.poll():
                return dict(self.pipe.recv())
        except EOFError:
            self.process.join(5)
        if self.process.is_alive() and seconds < SECONDS:
            return None
        kind = "HANG" if self.process.is_alive() else f"CRASH {self.process.exitcode}"
        name = mutant(self._make[1], self._make[2], self.number or 0)[0]
        self.stop()
        self._start()
        return {"number": self.number, "seed": name, "kind": kind, "said": "", "seconds": seconds, "bytes": 0}

    def stop(self) -> None:
        self.process.kill()
        self.process.join(5)


def _work(pipe: Connection, seeds: list[Seed], seed: int, folder: Path) -> None:
    """Read what is asked for, within the memory allowed."""
    import resource
    import warnings

    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        name, data = mutant(seeds, seed, number)
        path = folder / "mutant"
        path.write_bytes(data)
        begun = time.monotonic()
        kind, said = _outcome(path)
        seconds = time.monotonic() - begun
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        pipe.send(
            {"number": number, "seed": name, "kind": kind, "said": said, "seconds": seconds, "bytes": used}
        )


def _outcome(path: Path) -> tuple[str, str]:
    from tumorscan.config import StudyLimits
    from tumorscan.deliver.deidentify import deidentify
    from tumorscan.deliver.pseudonyms import Pseudonyms
    from tumorscan.errors import TumorscanError
    from tumorscan.read import read_scan
    from tumorscan.read.sources import file_source
    from tumorscan.read.study import is_study, read_study

    answered, limits = 0, StudyLimits()
    try:
        for act in (
            lambda: is_study(path),
            lambda: _look(read_study(path)),
            lambda: read_scan(path),
            lambda: deidentify(file_source(path, limits), Pseudonyms(bytes(16)), limits) and None,
        ):
            try:
                answered += bool(act())
            except TumorscanError as error:
                if "memory" in str(error):
                    return "MEMORY", str(error)
    except BaseException as error:  # noqa: BLE001 - what else comes out is what is looked for
        import traceback

        return "EXCEPTION", f"{type(error).__name__} {traceback.format_exc()[-600:]}"
    return ("answer" if answered > 1 else "refusal"), ""


def _look(study: Any) -> bool:
    """As a program uses it: every slice to grey."""
    for volume in study.volumes:
        assert np.isfinite(volume.values).all(), "values are not finite"  # noqa: S101
        assert len(volume.slices) == len(volume.values)  # noqa: S101
        for index in range(len(volume)):
            volume.scan(index)
        repr(volume.notes)
    return bool(study.volumes)


def mutant(seeds: list[Seed], seed: int, number: int) -> tuple[str, bytes]:
    """The mutant of a number, and what it was before."""
    rng = np.random.default_rng([seed, number])
    good = seeds[number % len(seeds)]
    data = bytearray(good.data)
    ways: list[Callable[[bytearray, Seed, np.random.Generator], None]] = [
        _bytes,
        _words,
        _cut,
        _moved,
        _crossed,
    ]
    ways += [_value, _value, _length, _gone] if good.spots else [_bytes, _words]
    for _ in range(int(rng.integers(1, 4))):
        ways[int(rng.integers(len(ways)))](data, replace(good, data=bytes(data)), rng)
    return good.name, bytes(data)


def _bytes(data: bytearray, _: Seed, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 9))):
        if data:
            data[_place(data, rng)] = int(rng.integers(256))


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """Half of the changes go into the first bytes, where they hurt."""
    return int(rng.integers(min(len(data), 600) if rng.uniform() < 0.5 else len(data)))


def _words(data: bytearray, _: Seed, rng: np.random.Generator) -> None:
    if not data:
        return
    size = int(rng.choice([2, 4, 8]))
    at = _place(data, rng) // 2 * 2
    data[at : at + size] = (int(rng.choice(_WORDS)) % 256**size).to_bytes(size, "little")


def _cut(data: bytearray, _: Seed, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data) + 1)) :]


def _moved(data: bytearray, _: Seed, rng: np.random.Generator) -> None:
    """A run of bytes is lost, or there twice."""
    if data:
        at, length = _place(data, rng), int(rng.integers(1, 64))
        data[at:at] = b"" if rng.uniform() < 0.5 else data[at : at + length]
        if rng.uniform() < 0.5:
            del data[at : at + length]


def _crossed(data: bytearray, _: Seed, rng: np.random.Generator) -> None:
    """A run of bytes stands in another's place."""
    if len(data) > 8:
        here, there, length = _place(data, rng), _place(data, rng), int(rng.integers(1, 300))
        data[here : here + length] = data[there : there + length]


def _value(data: bytearray, good: Seed, rng: np.random.Generator) -> None:
    """The value of an element of the header becomes another of its length."""
    _, start, end = good.spots[int(rng.integers(len(good.spots)))]
    fill = _FILLS[int(rng.integers(len(_FILLS)))]
    data[start:end] = (fill * (end - start))[: end - start]


def _length(data: bytearray, good: Seed, rng: np.random.Generator) -> None:
    _, start, _ = good.spots[int(rng.integers(len(good.spots)))]
    data[start - 2 : start] = (int(rng.choice(_WORDS)) % 65536).to_bytes(2, "little")


def _gone(data: bytearray, good: Seed, rng: np.random.Generator) -> None:
    begin, _, end = good.spots[int(rng.integers(len(good.spots)))]
    del data[begin:end]


def good_files() -> list[Seed]:
    """Drawn slices in all forms that are read."""
    from tumorscan.data.phantom_study import draw_study

    drawn = draw_study(5, slices=4, size=64)
    return [*_dicom_files(drawn), *_nifti_files(drawn.values)]


def _dicom_files(drawn: Any) -> list[Seed]:
    from pydicom import uid
    from pydicom.pixels import compress

    from tumorscan.data.phantom_study import slice_dataset

    def made(number: int = 1) -> Any:
        return slice_dataset(drawn, number, 5, tumor=True)

    found = {
        "explicit": made(),
        "signed": _signed(made()),
        "colour": _colour(made()),
        "palette": _palette(made()),
    }
    found |= {"lut": _lut(made()), "enhanced": _enhanced(made(), drawn), "padded": made()}
    found["padded"].PixelPaddingValue = 0
    for name, syntax in (("rle", uid.RLELossless), ("jpeg-ls", uid.JPEGLSLossless)):
        found[name] = made()
        compress(found[name], syntax, generate_instance_uid=False)
    found["enhanced-rle"] = _enhanced(made(), drawn)
    compress(found["enhanced-rle"], uid.RLELossless, generate_instance_uid=False)
    found["jpeg-2000"] = _pillowed(made(), drawn.values[1], uid.JPEG2000Lossless)
    found["jpeg"] = _pillowed(made(), (drawn.values[1] // 16).astype(np.uint8), uid.JPEGBaseline8Bit)
    for name, syntax in (
        ("implicit", uid.ImplicitVRLittleEndian),
        ("deflated", uid.DeflatedExplicitVRLittleEndian),
    ):
        found[name] = made()
        found[name].file_meta.TransferSyntaxUID = syntax
    seeds = [_stored(name, dataset) for name, dataset in found.items()]
    whole = seeds[0]
    lossless = _jpeg_lossless(whole.data)
    seeds.append(Seed("jpeg-lossless", lossless, _spots(lossless)))
    seeds.append(
        Seed("bare", whole.data[132:], tuple((a - 132, b - 132, c - 132) for a, b, c in whole.spots))
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stream:
        for seed in seeds[:3]:
            stream.writestr(zipfile.ZipInfo(f"a/{seed.name}"), seed.data)
    return [*seeds, Seed("zip", archive.getvalue())]


def _stored(name: str, dataset: Any) -> Seed:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    data = stream.getvalue()
    return Seed(name, data, _spots(data) if name not in ("implicit", "deflated") else ())


def _spots(data: bytes) -> tuple[tuple[int, int, int], ...]:
    """Where the elements of a file in explicit little endian begin, with those of its sequences."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filereader import data_element_generator

    stream = DicomBytesIO(data)
    stream.seek(132)
    spots = []
    for element in data_element_generator(stream, is_implicit_VR=False, is_little_endian=True):
        at = getattr(element, "value_tell", None)
        if at is not None and element.length not in (0, 0xFFFFFFFF):
            head = 12 if element.VR in ("OB", "OW", "SQ", "UN", "UT") else 8
            spots.append((at - head, at, at + element.length))
    return tuple(spots)


def _signed(dataset: Any) -> Any:
    dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 1, 16, 15
    dataset.RescaleSlope, dataset.RescaleIntercept = "2.5", "-1000"
    dataset.PhotometricInterpretation = "MONOCHROME1"
    return dataset


def _colour(dataset: Any) -> Any:
    grey = np.frombuffer(dataset.PixelData, np.uint16) // 16
    dataset.PixelData = np.repeat(grey.astype(np.uint8)[:, None], 3, axis=1).tobytes()
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    return dataset


def _palette(dataset: Any) -> Any:
    dataset.PixelData = (np.frombuffer(dataset.PixelData, np.uint16) // 16).astype(np.uint8).tobytes()
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    table = (np.arange(256, dtype=np.uint16) * 257).tobytes()
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", table)
    return dataset


def _lut(dataset: Any) -> Any:
    import pydicom

    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        item = pydicom.Dataset()
        item.LUTDescriptor = [4096, 0, 12]
        item["LUTDescriptor"].VR = "US"
        item.LUTData = np.arange(4096, dtype=np.uint16).tobytes()
        item["LUTData"].VR = "OW"
        setattr(dataset, keyword, [item])
    dataset.ModalityLUTSequence[0].ModalityLUTType = "US"
    return dataset


def _enhanced(dataset: Any, drawn: Any) -> Any:
    import pydicom

    def item(**tags: Any) -> Any:
        made = pydicom.Dataset()
        for keyword, value in tags.items():
            setattr(made, keyword, value)
        return made

    dataset.SOPClassUID = pydicom.uid.EnhancedMRImageStorage
    dataset.NumberOfFrames = len(drawn.values)
    orientation = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    measures = item(PixelSpacing=[3.75, 3.75])
    dataset.SharedFunctionalGroupsSequence = [
        item(PlaneOrientationSequence=[orientation], PixelMeasuresSequence=[measures])
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 4 * place])],
            PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=1)],
            FrameVOILUTSequence=[item(WindowCenter=2000, WindowWidth=4000)],
        )
        for place in range(len(drawn.values))
    ]
    dataset.PixelData = drawn.values.tobytes()
    return dataset


def _pillowed(dataset: Any, pixels: Any, syntax: str) -> Any:
    import pydicom
    from PIL import Image

    stream = io.BytesIO()
    if pixels.dtype == np.uint8:
        Image.fromarray(pixels).save(stream, "JPEG", quality=90)
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    else:
        Image.fromarray(pixels).save(stream, "JPEG2000", no_jp2=True, irreversible=False)
    dataset.PixelData = pydicom.encaps.encapsulate([stream.getvalue()])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _jpeg_lossless(data: bytes) -> bytes:
    """The same slice as gdcm packs it."""
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a", Path(folder) / "b"
        source.write_bytes(data)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(source))
        reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.Write()
        return target.read_bytes()


def _nifti_files(values: Any) -> list[Seed]:
    import nibabel as nib

    affine = np.diag([-1.0, -1, 4, 1])
    head = values.transpose(2, 1, 0).astype(np.int16)
    scaled = nib.Nifti1Image(head, affine)
    scaled.header.set_slope_inter(0.5, 3)
    images = {
        "nifti": nib.Nifti1Image(head, affine),
        "nifti-scaled": scaled,
        "nifti-float": nib.Nifti1Image(head.astype(np.float32), affine),
        "nifti-2": nib.Nifti2Image(head, affine),
    }
    seeds = [Seed(name, image.to_bytes(), _fields(image)) for name, image in images.items()]
    return [*seeds, Seed("nifti-gz", gzip.compress(seeds[0].data, mtime=0))]


def _fields(image: Any) -> tuple[tuple[int, int, int], ...]:
    """Where the fields of the header are."""
    kinds = image.header.template_dtype
    return tuple(
        (at, at, at + kind.itemsize) for kind, at in (kinds.fields[name][:2] for name in kinds.names)
    )


if __name__ == "__main__":
    sys.exit(main())
