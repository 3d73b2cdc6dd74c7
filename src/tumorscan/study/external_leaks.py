"""Has training seen an external set? A check against the split that stands beside a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tumorscan.data.records import Record
from tumorscan.data.split import PARTS, read_split
from tumorscan.errors import DataError
from tumorscan.model.bundle import read_bundle
from tumorscan.study.claim import SPLIT
from tumorscan.study.leaks import find_leaks

LeakCheck = Callable[[Sequence[Record]], Sequence[str]]
"""Compares pictures with those a model was trained on: raises DataError, or returns warnings."""


def check_against_run(
    model: Path, *, allow: bool = False, progress: bool = False, say: Callable[[str], None] = lambda _: None
) -> LeakCheck:
    """A check against all that the model, its threshold and its temperature were fitted or chosen on.

    Args:
        model: folder of a bundle, or of a run that holds one.
        allow: a leak is a warning and no error.
        progress: bars on stderr.
        say: gets a line for each file that could not be compared.

    Raises:
        BundleError: there is no bundle. The check itself raises DataError where there is a leak; without a
            split.csv beside the bundle it warns that nothing could be compared.
    """
    folder = read_bundle(model).folder.resolve()
    path = folder.parent / SPLIT

    def check(records: Sequence[Record]) -> Sequence[str]:
        if not path.is_file():
            return [f"NOT CHECKED FOR LEAKS: no {SPLIT} beside {folder.name} tells what it was trained on."]
        split = read_split(path)
        seen = [record for part in PARTS if part != "test" for record in split.parts[part]]
        leaks = find_leaks(seen, records, progress=progress)
        for skipped in leaks.unread:
            say(f"not compared: {skipped.file}: {skipped.cause}")
        if leaks and not allow:
            pair = leaks.pairs[0]
            raise DataError(
                f"{leaks.sentence()}, the first is {pair.test} (as {pair.train.name} of {path}): "
                "take them out, or say --allow-leaks"
            )
        return [leaks.warning()] if leaks else []

    return check
