"""The package `detect-tumor`, as its README says: one `predict` a file. It has no heatmap and no bulk call.

python detect_tumor_way.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detect_tumor import TumorDetector
from serving import serve


def main() -> None:
    """Load once, then answer."""
    detector = TumorDetector()

    def one(file: str, _heatmap: bool) -> dict[str, Any]:
        return {"verdict": detector.predict(file).predicted_class}

    def bulk(files: Sequence[str]) -> int:
        return len([detector.predict(file).predicted_class for file in files])

    serve(one, bulk)


if __name__ == "__main__":
    main()
