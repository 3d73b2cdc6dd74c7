"""CLAIM 2024 and TRIPOD+AI, as far as a bundle can answer them; what it cannot answer stays open.

The items are named in our own short words after Tejani et al., Radiology: Artificial Intelligence 2024;
6(4):e240300 (44 items) and Collins et al., BMJ 2024;385:e078378 (27 items). The papers' own wording is
what counts in a submission.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tumorscan.evaluate.card_facts import USE
from tumorscan.model.bundle import Manifest

OPEN: Final = "open"

CLAIM: Final = (
    (
        "The title or abstract says that it is AI, and of which kind",
        "technology",
        "the title and abstract themselves",
    ),
    ("Abstract: design, methods, results, conclusions", "", ""),
    ("Background, intended use and role", "use", "clinical background"),
    ("Aims, objectives, hypotheses", "", ""),
    ("Prospective or retrospective", "", ""),
    ("Goal of the study", "goal", ""),
    ("Data sources", "sources", "dates, owners, licences"),
    ("Inclusion and exclusion", "inclusion", "clinical criteria"),
    ("Preprocessing", "preparation", ""),
    ("Selection of subsets", "subsets", ""),
    ("De-identification", "", ""),
    ("Missing data", "missing", ""),
    ("Image acquisition", "", ""),
    ("Reference standard: how it was obtained", "", ""),
    ("Reference standard: why this one", "", ""),
    ("Reference standard: who annotated", "", ""),
    ("Annotation of the test set", "", ""),
    ("Variability between and within annotators", "", ""),
    ("How data were assigned to partitions", "partition", ""),
    ("Level at which partitions are disjoint", "disjoint", ""),
    ("Sample size of the test data", "size", "how it was intended"),
    ("Description of the model", "model", ""),
    ("Software, frameworks, packages", "software", ""),
    ("Initial parameters", "weights", ""),
    ("Training", "training", ""),
    ("Selection of the final model", "selection", ""),
    ("Ensembling", "ensemble", ""),
    ("Metrics", "metrics", ""),
    ("Uncertainty and significance", "uncertainty", ""),
    ("Robustness or sensitivity analysis", "robustness", "changes of noise, contrast and scanner"),
    ("Explainability, and how it was validated", "", ""),
    ("Internal testing", "internal", ""),
    ("External testing", "external", "why these sets"),
    ("Registration of a trial", "", ""),
    ("Cases included and excluded", "inclusion", "patients and reasons"),
    ("Demographics and clinical traits of each partition", "", ""),
    ("Performance with uncertainty", "internal", ""),
    ("Diagnostic performance and its precision", "internal", ""),
    ("Analysis of failures", "failures", "their causes"),
    ("Limitations", "limits", ""),
    ("Implications for practice", "use", "for practice"),
    ("Protocol or further technical details", "details", ""),
    ("Availability of software, model and data", "availability", "data"),
    ("Funding and the funders' role", "", ""),
)
"""The 44 items in order: what is asked, the key of the answer (none: open), and what stays open beside it."""

TRIPOD_AI: Final = (
    ("Title: a prediction model, its target population and outcome", "technology", "target population"),
    ("Abstract after TRIPOD+AI for abstracts", "", ""),
    ("Background: context, population, users, inequalities", "use", "context, population, inequalities"),
    ("Objectives", "goal", ""),
    ("Data: sources and dates", "sources", "dates"),
    ("Participants: setting, eligibility, treatments", "", ""),
    ("Data preparation", "preparation", ""),
    ("Outcome: definition, assessment, blinding", "", ""),
    ("Predictors: choice, definition, measurement", "predictors", "acquisition"),
    ("Sample size", "size", "how it was justified"),
    ("Missing data", "missing", ""),
    ("Analytical methods: data use, model, validation, performance measures", "methods", ""),
    ("Class imbalance", "imbalance", ""),
    ("Fairness", "", ""),
    ("Model output, thresholds and their rationale", "output", ""),
    ("Differences between training and evaluation data", "difference", ""),
    ("Ethical approval", "", ""),
    (
        "Open science: funding, conflicts, protocol, registration, data, code",
        "availability",
        "funding, conflicts, protocol, registration, data",
    ),
    ("Patient and public involvement", "", ""),
    ("Participants: flow and traits", "inclusion", "traits"),
    ("Model development: participants and outcome events in each analysis", "partition", "patients"),
    ("Full specification of the model", "details", ""),
    ("Performance with intervals, and its heterogeneity", "internal", ""),
    ("Model updating", "updating", ""),
    ("Interpretation, with fairness", "", ""),
    ("Limitations", "limits", ""),
    ("Usability: poor input, interaction of users, next steps", "input", "interaction of users, next steps"),
)
"""The 27 items in order, likewise."""


def checklists(manifest: Manifest) -> list[str]:
    """Both checklists as Markdown sections."""
    found = answers(manifest)
    return [_section("CLAIM 2024", CLAIM, found), _section("TRIPOD+AI", TRIPOD_AI, found)]


def _section(title: str, items: Sequence[tuple[str, str, str]], found: dict[str, str]) -> str:
    filled = sum(key in found for _, key, _ in items)
    in_part = sum(key in found and bool(rest) for _, key, rest in items)
    rows = [
        f"| {number} | {name} | {_answer(found.get(key), rest)} |"
        for number, (name, key, rest) in enumerate(items, 1)
    ]
    return "\n".join(
        [
            f"## {title}\n",
            (
                f"{filled} of {len(items)} items filled from the bundle, {in_part} of them in part; the "
                'items are in our own short words, and what is "open" is for the authors of a study.\n'
            ),
            "| item | asks | answer |",
            "|---|---|---|",
            *rows,
        ]
    )


def _answer(found: str | None, rest: str) -> str:
    if found is None:
        return OPEN
    return f"{found} Open: {rest}." if rest else found


def answers(manifest: Manifest) -> dict[str, str]:
    """Answers by key; a key without an answer is absent."""
    found = {**_always(manifest), **_of_data(manifest), **_of_figures(manifest)}
    if manifest.lineage.get("weights"):
        found["weights"] = f"Started from {manifest.lineage['weights'].get('source')}; see Weights."
    if manifest.lineage.get("chosen"):
        found["selection"] = (
            "None: the weights at the end of the last stage; see Training."
            if _staged(manifest)
            else "The epoch with the best AUC on the validation split; see Training."
        )
    if manifest.calibrated is not None and manifest.operating_points:
        point = manifest.operating_points[0]
        found["output"] = (
            f"A calibrated probability ({manifest.calibrated.words}); a tumor is said at "
            f"{point.threshold:.4g} or more, fitted for {point.aim} because a missed tumor is "
            f"the worst error; fitted on {point.fitted_on}."
        )
    return found


def _always(manifest: Manifest) -> dict[str, str]:
    """What holds for every bundle, or follows from its settings."""
    weighted = "Balanced" if manifest.settings.train.class_weights else "No"
    balance = (
        "Sources balanced in each epoch" if _staged(manifest) else f"{weighted} class weights in training"
    )
    return {
        "technology": f"Deep learning ({manifest.settings.model.trunk}): tumor or none on an MRI picture.",
        "use": USE,
        "goal": "To tell pictures with a tumor from pictures without, and to measure how well.",
        "preparation": "See Preparation.",
        "missing": "Files that cannot be read or have no label are listed and left out; nothing is imputed.",
        "model": "See Training; settings of every layer stand in bundle.json.",
        "software": f"tumorscan {manifest.code_version} on Keras 3; versions in its lock file.",
        "training": "See Training.",
        "ensemble": "None: one network.",
        "predictors": "The prepared picture alone.",
        "methods": "See Data, Preparation, Training and Operating points.",
        "imbalance": f"{balance}; probabilities are calibrated on the calibration split as it is.",
        "limits": "See Limits.",
        "details": "bundle.json and weights.npz specify the model in full.",
        "availability": "Code: tumorscan, Apache-2.0. Model: this bundle.",
        "updating": "None: another training is another bundle with another version.",
        "input": "Unreadable, damaged or oversized files are refused with the cause; the picture as the "
        "network sees it can be shown beside the answer.",
    }


def _staged(manifest: Manifest) -> bool:
    return manifest.settings.model.head == "evidence"


def _of_data(manifest: Manifest) -> dict[str, str]:
    data = manifest.lineage.get("data", {})
    splits = data.get("splits", {})
    if not splits:
        return {}
    return {
        "sources": f"{len(data.get('sources', []))} named under Data.",
        "inclusion": "Every readable picture with a label; counts under Data.",
        "subsets": f"Later exact copies are left out: {splits.get('copy', 'not recorded')}.",
        "partition": f"By lot over groups, by label, seed {data.get('split_seed')}; counts under Data.",
        "disjoint": "Group: exact copies, and pictures of one patient or group where the data name them; "
        "checked whenever the split is read.",
        "size": f"{splits.get('test', 'not recorded')}; no size was computed beforehand.",
    }


def _of_figures(manifest: Manifest) -> dict[str, str]:
    found = {}
    outside = sorted(name for name in manifest.metrics if name not in ("test", "controls", "curves"))
    if manifest.metrics.get("test"):
        found["internal"] = "See Test split."
    if manifest.metrics.get("controls"):
        found["robustness"] = "Controls: metadata, pixel statistics, blanked centre, shuffled labels."
    if outside:
        found["external"] = f"{len(outside)} sets, see External sets; sources are never pooled unasked."
        found["difference"] = "See Data and External sets for the sources of each."
    if found.get("internal") or outside:
        found["metrics"] = "Sensitivity, specificity, AUC, calibration and others, as listed above."
        found["uncertainty"] = "95% intervals: exact binomial, and the bootstrap over groups or patients."
        found["failures"] = "The reports show the errors farthest from the threshold."
    return found
