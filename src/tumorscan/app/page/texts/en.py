"""English."""

from __future__ import annotations

from typing import Final

EN: Final[dict[str, str]] = {
    "research": "Research and teaching software: not a medical device, never a diagnosis.",
    "subtitle": "Brain-tumor detector for MRI pictures",
    "model": "Model",
    "tab_picture": "One picture",
    "tab_series": "Series",
    "tab_batch": "Batch",
    "tab_card": "How good is it",
    "tab_compare": "Compare",
    # the drop zone
    "drop_picture": "Drop an MRI picture",
    "drop_click": "or click to choose a file",
    "paste": "Paste from the clipboard",
    "hint_picture": "PNG, JPEG, BMP, TIFF or WebP, 8 or 16 bit, or one DICOM file; up to {size}.",
    "hint_stays": "It stays on the machine that serves this page and is deleted as soon as it is read.",
    "sending": "Sending {what}",
    "others_left": "One at a time: the others were left out",
    "clipboard_empty": "There is no picture in the clipboard.",
    "clipboard_closed": "The browser does not let the page read the clipboard: press Ctrl+V or Cmd+V instead.",
    "too_large": "is {bytes} bytes, more than the limit of {limit}: make it smaller",
    "not_sent": "could not be sent ({failure}): check the file and send it again",
    # examples
    "examples": "Or try an example",
    "examples_drawn": "Drawn by a program; no person's picture.",
    "example_lesion": "Drawn slice with a lesion",
    "example_plain": "Drawn slice without a lesion",
    # the answer
    "answer": "Answer",
    "empty_picture": "No picture yet. The picture, the verdict and how it came about will stand here.",
    "refusal": "This file got no answer",
    "refusal_next": "Nothing was predicted. The page is ready for the next one.",
    "as_read": "{name} as it was read, {size} pixels",
    "remove": "Remove",
    "gate_ok": "Gate: taken for a slice of a head that the model knows.",
    "gate_refused": "Gate: refused before any verdict.",
    "gate_none": "Gate: this model has none, so any picture gets an answer.",
    "verdict_TUMOR": "TUMOR DETECTED",
    "verdict_NO_TUMOR": "NO TUMOR",
    "verdict_CANNOT_SAY": "CANNOT SAY - please review",
    "verdict_NOT_BRAIN_MRI": "NOT A BRAIN MRI",
    "probability": "Calibrated probability of a tumor",
    "scale_label": "Probability of a tumor {p}, threshold {t}",
    "threshold": "threshold",
    "reported_from": "a tumor is reported from a probability of {t}",
    "meaning_share": (
        "Of 100 pictures that get a probability of {p}, about {count} show a tumor, as far as new pictures "
        "are like those that the model was calibrated on."
    ),
    "meaning_none": "No tumor found does not mean a healthy brain: the model looks for nothing else.",
    "meaning_low": (
        "It is reported although a tumor is less likely than not, because the threshold is set low so that "
        "few tumors are missed."
    ),
    "meaning_tumor": "What it is, and whether it is one, only a physician can say.",
    "meaning_unsure": (
        "That lies between {low} and {high}, too near the border for a verdict that is wrong as rarely as was "
        "asked for: a person who knows such pictures should look at it."
    ),
    "meaning_refused": (
        "This is no slice of a head that the model knows, so it was not asked about a tumor. If it is one, "
        "use the picture as it left the scanner: whole, grey, in its full size."
    ),
    "point": "Operating point",
    "point_line": "{name}: finds {sens} of the tumors, clears {spec} of the pictures without one",
    "points": "Operating point",
    "points_why": "A lower threshold misses fewer tumors and raises more false alarms.",
    "point_screening": "Screening",
    "point_balanced": "Balanced",
    "point_specific": "Specific",
    "cost": "finds {sens} of the tumors; false alarm in {alarm} of pictures without one",
    "cost_unmeasured": "not measured",
    "set_for": "{name}, set for {aim}",
    "aim_sens": "a sensitivity of {value}",
    "aim_spec": "a specificity of {value}",
    "aim_sum": "the largest sum of sensitivity and specificity",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "measured_on": "Measured on",
    "rate": "{value} ({level} interval {low} to {high}, {method})",
    "rate_short": "{value} ({low} to {high})",
    "not_measured": "not measured",
    "promise": "What that promises",
    "promise_none": "No level of confidence was asked for.",
    "promise_kept": (
        "{aim} or more at {level} confidence, as far as new pictures are like these; only measured where there "
        "were too few groups."
    ),
    "promise_open": (
        "Not guaranteed: {aim} at {level} confidence cannot be shown with so few groups. It is what was measured."
    ),
    "promise_band": (
        "Of pictures like those of the fit at most {tumor} of the tumors are called no tumor, and at most {none} "
        "of the others tumor; between, nothing is said."
    ),
    "band_row": "from a probability of {low} to {high}.",
    # evidence over the picture
    "evidence": "Evidence over the picture",
    "evidence_off": "Off",
    "evidence_colour": "Colours",
    "evidence_outline": "Outline",
    "opacity": "Opacity",
    "evidence_cells": "How likely the model takes each place for tumor; the outline runs at one half of {full}.",
    "evidence_pull": "What pulled towards the verdict (Grad-CAM); the outline runs at one half of the strongest.",
    "evidence_full_one": "certainty",
    "evidence_warn": "A help to look closer, not a border of a lesion.",
    "evidence_missing": "This model cannot show what spoke for its verdict (it was never exported).",
    "evidence_nothing": "Nothing in the picture spoke for it.",
    "evidence_alt": "Evidence as colours: the lighter, the stronger",
    # preparation
    "prep": "Before and after the preparation",
    "prep_cut": "Share of the prepared picture that is shown",
    "prep_before": "as read",
    "prep_after": "as the model saw it",
    "prep_before_alt": "The picture as read, padded to a square",
    "prep_after_alt": "The picture as the model saw it, {side} x {side} pixels",
    "steps": "What was done to the picture",
    "steps_why": "Every step in order; the last, {side} x {side} pixels, went to the model.",
    "step_alt": "The picture after step {i}, {name}",
    "step_framed": "Framed",
    "step_denoised": "Denoised (non-local means)",
    "step_contrast": "Contrast (CLAHE)",
    "step_grey": "Made grey",
    "details": "How the verdict came about",
    "done": "Done to the file",
    "done_nothing": "decoded as it is, nothing else",
    "time": "Time",
    "time_read": "read",
    "time_prepare": "prepare",
    "time_infer": "infer",
    "time_explain": "explain",
    # about
    "about": "About the model and its threshold",
    "about_text": (
        "The probability is calibrated: the network's own score is brought to a scale on which it can be read "
        "as a frequency. It is calibrated for pictures like those of the fit, and says less of pictures from "
        "other scanners and other hospitals. The model tells tumor from no tumor; other diseases it does not "
        "see."
    ),
}
