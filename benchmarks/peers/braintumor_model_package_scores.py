"""Scores of `braintumor-model-package` for the files named on stdin; runs in that package's own environment.

What its `make_bulk_prediction` does, but for its list of a folder, which leaves out `.JPG` and `.tif`. Its
network ends in four logits; a score is 1 - softmax(notumor), and it says the class of the highest logit.
"""

from __future__ import annotations

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_REPLIES = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the package logs to stdout

import numpy as np  # noqa: E402 - what it prints at import must not meet the replies
import pandas as pd  # noqa: E402
from braintumor_model_package.config.core import config  # noqa: E402
from braintumor_model_package.data_processing import data_manager, preprocessor  # noqa: E402


def main() -> None:
    """One JSON line a file: `file`, and `score` and `tumor`, or `error`."""
    files = sys.stdin.read().splitlines()
    model = data_manager.load_model()
    dataset = preprocessor.image_resizing_and_dataset_creation(
        data=pd.DataFrame({"image": files}), c_mode=None, shufle=False, ylabelname=None
    )
    logits = np.asarray(model.predict(dataset, verbose=0), np.float64)
    # Files that the reader of Keras takes for no picture are left out of the data set.
    taken = list(dataset.filepaths)
    healthy = int(config.modelConfig.class_names["notumor"])
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = 1 - shares[:, healthy] / shares.sum(axis=1)
    found = dict(zip(taken, zip(scores, logits.argmax(axis=1) != healthy, strict=True), strict=True))
    for file in files:
        if file not in found:
            print(json.dumps({"file": file, "error": "not taken as a picture"}), file=_REPLIES)
            continue
        score, tumor = found[file]
        print(
            json.dumps({"file": file, "score": float(np.clip(score, 0, 1)), "tumor": bool(tumor)}),
            file=_REPLIES,
        )
    _REPLIES.flush()


if __name__ == "__main__":
    main()
