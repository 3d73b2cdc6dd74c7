"""A run: from a folder of pictures to a bundle, in one folder that can be gone on from after a kill."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tumorscan
from tumorscan.atomic import atomic_write_bytes
from tumorscan.config import Settings
from tumorscan.data.catalog import Catalog, kept_catalog
from tumorscan.data.lesions import Lesion
from tumorscan.data.records import Record
from tumorscan.data.sources import selected_files
from tumorscan.data.split import Split, make_source_split, make_split, read_split, write_split
from tumorscan.detect.engines.keras_engine import KerasEngine
from tumorscan.errors import BundleError, DataError, EnvironmentProblem, SettingsError
from tumorscan.evaluate.card import write_card
from tumorscan.model.bundle import WEIGHTS, Bundle, Manifest, read_bundle, write_bundle
from tumorscan.model.checkpoint import Checkpoints, npz_bytes
from tumorscan.model.halve import halved
from tumorscan.model.train import Trained, TrainingData, train
from tumorscan.model.weights import named_weights
from tumorscan.study.claim import CATALOG, SPLIT, claim
from tumorscan.study.decision import fit_decision, refuse_too_few
from tumorscan.study.evidence_fit import fit_evidence, lesions_of, lessons
from tumorscan.study.export import export_bundle
from tumorscan.study.leaks import Leaks, refuse_leaks, split_leaks
from tumorscan.study.part import Part, judged_on, load_part

Say = Callable[[str], None]
BUNDLE, STATE, HISTORY = "bundle", "state", "history.json"


def train_run(
    sources: Sequence[Path],
    settings: Settings,
    folder: Path,
    *,
    test_where: Mapping[str, str] | None = None,
    allow_leaks: bool = False,
    progress: bool = False,
    say: Say = lambda _: None,
) -> Bundle:
    """Catalog, split, prepare, train, calibrate and write the bundle; goes on where a kill left off.

    Args:
        sources: folders of pictures or catalogs (csv).
        settings: of the whole run.
        folder: where everything goes; the bundle is its subfolder `bundle`.
        test_where: the test split is every group with a csv row that holds these values; by lots if None.
        allow_leaks: train on a split that was read back although its parts share pictures; the bundle's
            lineage says so.
        progress: bars on stderr.
        say: gets a line at each stage.

    Raises:
        SettingsError: the folder holds a run with other settings, or one that is complete.
        DataError, BundleError, EnvironmentProblem: as their messages say.
    """
    lesions = lesions_of(sources) if settings.model.head == "evidence" else {}
    _claim(folder, settings, sources, test_where)
    split, leaks = _split(
        sources, settings, folder, test_where, allow_leaks=allow_leaks, progress=progress, say=say
    )
    if settings.model.head == "evidence":
        for line in lessons(split.parts, lesions):
            say(line)
    refuse_too_few(split.parts["calibration"], settings.decide)
    parts = {
        name: load_part(split.parts[name], settings, progress=progress)
        for name in ("train", "validation", "calibration")
    }
    trained = _trained(parts, lesions, settings, folder / STATE, progress=progress, say=say)
    say(str(trained.weights))
    chosen = trained.chosen
    say(f"chosen: {chosen.phase} phase, epoch {chosen.epoch + 1}, validation AUC {chosen.val_auc:.3f}")
    shutil.copyfile(folder / STATE / HISTORY, folder / HISTORY)
    for phase, named in trained.by_phase.items():
        atomic_write_bytes(folder / "phases" / f"{phase}.npz", npz_bytes(named))
    bundle = _write(trained, parts["calibration"], split, settings, folder, leaks=leaks)
    shutil.rmtree(folder / STATE, ignore_errors=True)
    _tell(bundle, say)
    bundle = _exported(bundle, parts, say)
    write_card(bundle)
    return bundle


def _trained(
    parts: Mapping[str, Part],
    lesions: Mapping[Path, Lesion],
    settings: Settings,
    state: Path,
    *,
    progress: bool,
    say: Say,
) -> Trained:
    if settings.model.head != "evidence":
        return train(_pooled_data(parts), settings, state, progress=progress)
    return fit_evidence(
        parts["train"],
        parts["validation"],
        lesions,
        settings,
        Checkpoints(state),
        progress=progress,
        say=say,
    )


def _tell(bundle: Bundle, say: Say) -> None:
    """What was fitted on the calibration split, in words."""
    for point in bundle.manifest.operating_points:
        say(
            f"{point.name}: threshold {point.threshold:.3f} for {point.aim}, fitted on {point.fitted_on}: "
            f"sensitivity {point.sensitivity}, specificity {point.specificity}. {point.statement}".rstrip()
        )
    if bundle.manifest.band:
        say(f"CANNOT SAY band: {bundle.manifest.band.statement}")


def _pooled_data(parts: Mapping[str, Part]) -> TrainingData:
    train, validation = parts["train"], parts["validation"]
    return TrainingData(train.pictures, train.labels, validation.pictures, validation.labels)


def _exported(bundle: Bundle, parts: Mapping[str, Part], say: Say) -> Bundle:
    """The bundle with its ONNX export; where that fails it stays as it is, and Keras answers."""
    pictures = judged_on(parts, parts["train"], f"the run's {', '.join(parts)}")
    try:
        int8 = bundle.manifest.settings.model.head == "evidence"
        return export_bundle(bundle, pictures, int8=int8, say=say).bundle
    except (BundleError, EnvironmentProblem) as error:
        say(
            f"trained, but not exported to ONNX ({error}); "
            f"`tumorscan export {bundle.folder.parent}` tries again"
        )
        return bundle


def read_run(folder: Path, *, allow_leaks: bool = False) -> tuple[Bundle, Split]:
    """The bundle of a finished run and the split that it was trained on.

    Args:
        folder: of the run.
        allow_leaks: take the split although a group or a picture stands in two parts.

    Raises:
        BundleError, DataError: either is absent or damaged.
    """
    return read_bundle(folder), read_split(folder / SPLIT, allow_leaks=allow_leaks)


def _claim(
    folder: Path, settings: Settings, sources: Sequence[Path], where: Mapping[str, str] | None
) -> None:
    """Make the folder this run's own, or recognise it as one that can go on."""
    done = (folder / BUNDLE).is_dir()
    claim(folder, settings, sources, "a run", begun=done or (folder / STATE).is_dir(), where=where)
    if done:
        raise SettingsError(
            f"{folder}: this run is complete; evaluate it with `tumorscan evaluate {folder}`, "
            "or choose another --out"
        )


def _split(
    sources: Sequence[Path],
    settings: Settings,
    folder: Path,
    test_where: Mapping[str, str] | None,
    *,
    allow_leaks: bool,
    progress: bool,
    say: Say,
) -> tuple[Split, Leaks | None]:
    """The run's split, and what leaks in it if it was not made here: its groups hold no near copies then."""
    if (folder / SPLIT).is_file():
        say(f"going on with {folder}")
        split = read_split(folder / SPLIT, allow_leaks=allow_leaks)
        leaks = split_leaks(split, progress=progress)
        if not allow_leaks:
            refuse_leaks(leaks, folder / SPLIT)
        return split, leaks
    catalog = kept_catalog(sources, folder / CATALOG, progress=progress)
    for skipped in catalog.skipped:
        say(f"skipped {skipped.file}: {skipped.cause}")
    split = _lots(catalog, sources, settings, test_where or {})
    write_split(split, folder / SPLIT)
    say("; ".join(f"{name} {_counts(records)}" for name, records in split.parts.items() if records))
    return split, None


def _lots(catalog: Catalog, sources: Sequence[Path], settings: Settings, where: Mapping[str, str]) -> Split:
    if settings.model.head != "evidence" and not where:
        return make_split(catalog, settings.split)
    chosen = {file for source in sources for file in selected_files(source, where)} if where else set()
    held_out = {record.group for record in catalog.records if record.file in chosen}
    if where and not held_out:
        raise DataError(
            f"no picture has {', '.join(f'{k}={v}' for k, v in where.items())} in a csv among the sources, "
            "so nothing can be held out as the test split"
        )
    return make_source_split(catalog, settings.split, held_out)


def _counts(records: Sequence[Record]) -> str:
    by_label = Counter(record.label for record in records)
    groups = len({record.group for record in records})
    return f"{by_label['tumor']} tumor + {by_label['no_tumor']} no tumor in {groups} groups"


def _write(
    trained: Trained,
    calibration: Part,
    split: Split,
    settings: Settings,
    folder: Path,
    *,
    leaks: Leaks | None,
) -> Bundle:
    logits = KerasEngine(trained.network).run_all(calibration.pictures)
    decided = fit_decision(
        logits,
        calibration.records,
        settings.decide,
        f"the calibration split ({_counts(calibration.records)})",
    )
    manifest = Manifest(
        name=settings.preset,
        version="",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=tumorscan.__version__,
        settings=_named(settings),
        lineage=_lineage(trained, split, leaks),
        **decided.fields(),
    )
    named = named_weights(trained.network.layers)
    if settings.model.head == "evidence":
        named = halved(named)
    return write_bundle(folder / BUNDLE, manifest, {WEIGHTS: npz_bytes(named)})


def _named(settings: Settings) -> Settings:
    """The settings with the name of the weights' file, not its place: a bundle travels."""
    return replace(settings, model=replace(settings.model, weights=Path(settings.model.weights).name))


def _lineage(trained: Trained, split: Split, leaks: Leaks | None) -> dict[str, Any]:
    weights = trained.weights
    return {
        "weights": {
            "source": Path(weights.source).name,
            "sha256": weights.sha256,
            "filled": len(weights.filled),
            "fresh_layers": sorted(weights.fresh_layers),
        },
        "data": {
            "sources": sorted({record.source for records in split.parts.values() for record in records}),
            "splits": {name: _counts(records) for name, records in split.parts.items()},
            "split_seed": split.seed,
            "leaks": leaks.to_table() if leaks else None,
        },
        "chosen": trained.chosen.to_table(),
    }
