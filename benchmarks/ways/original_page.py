"""The original's page, written plainly: a Gradio `Interface` around one Keras `predict`.

    python original_page.py MODEL.keras PORT

`original_way.py` beside it has its preparation and makes such a model.
"""

from __future__ import annotations

import os
import sys

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}

import gradio as gr
import keras
import numpy as np
from original_way import SIZE, prepare, verdict
from PIL import Image


def main(path: str, port: str) -> None:
    """Serve until killed."""
    model = keras.models.load_model(path)

    def predict(picture: np.ndarray) -> str:
        small = np.asarray(Image.fromarray(picture).resize((SIZE, SIZE)))
        return verdict(float(model.predict(prepare(small)[None], verbose=0)[0, 0]))

    page = gr.Interface(predict, gr.Image(), gr.Textbox())
    page.launch(server_name="127.0.0.1", server_port=int(port), quiet=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
