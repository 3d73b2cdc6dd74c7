"""Scores of `detect-tumor` for the files named on stdin; runs in that package's own environment.

A score is 1 - p(notumor), from the network's unrounded output: the package's own answer is rounded to 0.01 %,
which would tie the surest pictures. What it says is its own: the class of the highest probability.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from detect_tumor import DetectTumorError, TumorDetector
from detect_tumor.preprocess import preprocess


def main() -> None:
    """One JSON line a file: `file`, and `score` and `tumor`, or `error`."""
    detector = TumorDetector()
    session, name, classes = detector._ensure_session()  # noqa: SLF001 - its unrounded output has no other door
    healthy = next(number for number, label in classes.items() if label == "notumor")
    for file in sys.stdin.read().splitlines():
        try:
            p = np.asarray(session.run(None, {name: preprocess(file)})[0][0], np.float64)
        except DetectTumorError as error:
            print(json.dumps({"file": file, "error": str(error)}))
            continue
        answer = {"score": float(np.clip(1 - p[healthy], 0, 1)), "tumor": int(p.argmax()) != healthy}
        print(json.dumps({"file": file, **answer}), flush=True)


if __name__ == "__main__":
    main()
