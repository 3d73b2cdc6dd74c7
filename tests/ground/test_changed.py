from __future__ import annotations

import pytest

from tumorscan.config import changed, preset
from tumorscan.errors import SettingsError


def test_changes_are_laid_over():
    new = changed(
        preset("original"), ["prepare.denoise.method=off", "train.batch=16", "train.frozen.rate=1e-4"]
    )
    assert new.prepare.denoise.method == "off"
    assert new.prepare.denoise.patch_size == 5
    assert new.train.batch == 16
    assert new.train.frozen.rate == 1e-4
    assert changed(preset("quick"), []) == preset("quick")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("train.batch", "write KEY=VALUE"),
        ("=3", "write KEY=VALUE"),
        ("train.bach=3", r"unknown setting 'train\.bach'"),
        ("train=3", "is a table"),
        ("train.batch=many", "must be of kind int"),
        ("prepare.denoise.method=maybe", "choose one of off, original, fast"),
    ],
)
def test_refused(change, message):
    with pytest.raises(SettingsError, match=message):
        changed(preset("original"), [change])
