"""Sentences of a card: use, limits, and what the settings and the lineage say."""

from __future__ import annotations

from typing import Any, Final

from tumorscan.config import Settings
from tumorscan.model.bundle import GATE, Manifest

USE: Final = (
    "Research and teaching: to study how well single 2-D MRI pictures of the brain can be told apart into "
    "those with and those without a tumor, and how such a system is measured."
)
LIMITS: Final = (
    "- The figures hold for the pictures named above. Sets of other scanners, sequences and patients differ.",
    "- Labels are those of the data sets' folders and tables, taken as they are.",
    "- One picture is judged at a time: no other slice, no other sequence, no history.",
    "- Age, sex, scanner and sequence are not known, so no figure is given for any of them.",
    "- Where groups are copies only, two pictures of one patient may stand on both sides of a split.",
    "- The more often a test set was looked at, the less its figures say.",
)


def not_intended(manifest: Manifest) -> list[str]:
    """What it is not for."""
    others = (
        "its gate refuses most other pictures, not all"
        if GATE in manifest.files
        else "other pictures get an answer that means nothing"
    )
    return [
        "- Not a medical device. Never a diagnosis, a triage or a second opinion on a patient.",
        f"- Not for anything but slices of a head by MRI: {others}.",
        '- "No tumor" is not "healthy": other diseases were not learnt.',
    ]


def weights(manifest: Manifest) -> list[str]:
    """Where the network started from."""
    lineage = manifest.lineage.get("weights", {})
    if not lineage:
        return []
    fresh = lineage.get("fresh_layers", [])
    return [
        f"- Started from {lineage.get('source')} (SHA-256 {lineage.get('sha256') or 'none'}).",
        (
            f"- {lineage.get('filled')} variables filled; {len(fresh)} layers of the trunk started fresh"
            f"{': ' + ', '.join(fresh) if fresh else ''}."
        ),
    ]


def preparation(manifest: Manifest) -> list[str]:
    """What is done to a picture before the network sees it."""
    prepare = manifest.settings.prepare
    size = prepare.frame.size
    frame = [
        name
        for name, on in (
            ("cropped to the head", prepare.frame.crop_head),
            ("padded to a square", prepare.frame.pad_square),
        )
        if on
    ]
    return [
        f"- Frame: {', '.join([*frame, f'resized to {size} x {size}'])}.",
        f"- Noise: {_settings(prepare.denoise)}.",
        f"- Contrast: {_settings(prepare.contrast)}.",
        "- The same code prepares pictures in training, evaluation and use.",
    ]


def training(manifest: Manifest) -> list[str]:
    """How the network was trained and its weights chosen."""
    settings, chosen = manifest.settings, manifest.lineage.get("chosen", {})
    staged = settings.model.head == "evidence"
    lines = _evidence_training(settings) if staged else _two_phases(settings)
    lines.append(f"- Augmentation of training pictures: {_settings(settings.augment)}.")
    if chosen:
        how = "The weights at the end" if staged else "Chosen by the AUC on the validation split"
        lines.append(
            f"- {how}: {chosen.get('phase')} phase, epoch {int(chosen.get('epoch', 0)) + 1}, validation AUC "
            f"{float(chosen.get('val_auc', 0)):.3f}."
        )
    return lines


def _two_phases(settings: Settings) -> list[str]:
    model, train = settings.model, settings.train
    return [
        f"- Network: {model.trunk}, dense {model.dense}, dropout {model.dropout:g}, one logit.",
        (
            f"- Frozen trunk: at most {train.frozen.epochs} epochs at {train.frozen.rate:g}; then the top "
            f"{train.unfrozen} layers: at most {train.tuned.epochs} epochs at {train.tuned.rate:g}."
        ),
        (
            f"- Adam, batch {train.batch}, seed {train.seed}, "
            f"{'balanced' if train.class_weights else 'no'} class weights."
        ),
    ]


def _evidence_training(settings: Settings) -> list[str]:
    model, evidence = settings.model, settings.evidence
    trained = {
        "head": "the head alone",
        "upper": f"with {evidence.top}",
        "whole": "all layers",
        "plain": f"with {evidence.top} again, on pictures mirrored at most,",
    }
    gathered = f"mean of the {model.highest} highest" if model.highest else "smooth maximum of the"
    stages = ", ".join(
        f"{trained[name]} {stage.epochs} epoch{'' if stage.epochs == 1 else 's'} at {stage.rate:g}"
        for name, stage in evidence.stages.items()
        if stage.epochs
    )
    if evidence.plain.epochs and evidence.back:
        stages += f"; then {evidence.back:.0%} of the way through the last one taken back"
    return [
        (
            f"- Network: {model.trunk} to {model.cut or 'its last layer'}, dense {model.dense}, dropout "
            f"{model.dropout:g}, a logit a cell, {gathered} cells."
        ),
        f"- Stages of {evidence.pictures} examples an epoch: {stages}.",
        f"- AdamW, batch {evidence.batch}, seed {evidence.seed}, weight decay {evidence.decay:g}.",
        f"- Examples that are mirrored at most: {evidence.as_it_is:.0%}. The others are changed as follows.",
        f"- Other scanners imitated, share of the pictures: {_settings(evidence.imitate)}.",
        f"- Lesions that change places, share of the pictures: {_settings(evidence.moves)}.",
    ]


def _settings(settings: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in vars(settings).items())
