"""Files that are added to a bundle later: all of them, or the bundle as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscan.config import preset
from tumorscan.errors import BundleError, EnvironmentProblem
from tumorscan.model.bundle import WEIGHTS, Manifest, add_files, read_bundle, write_bundle


@pytest.fixture
def bundle(tmp_path):
    manifest = Manifest("m", "", "2026-01-01T00:00:00+00:00", "0", preset("original"), looks={"test": 3})
    return write_bundle(
        tmp_path / "b", manifest, {WEIGHTS: b"numbers", "old.txt": b"old", "more.txt": b"more"}
    )


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_added_replaced_and_dropped(bundle):
    after = add_files(bundle, {"new.txt": b"new", "old.txt": b"newer"}, drop=("more.txt", "never.txt"))
    assert read_bundle(bundle.folder) == after
    content = _content(bundle.folder)
    assert content.pop("bundle.json")
    assert content == {WEIGHTS: b"numbers", "new.txt": b"new", "old.txt": b"newer"}
    assert set(after.manifest.files) == set(content)
    assert after.manifest.version == bundle.manifest.version
    assert after.manifest.looks == {"test": 3}
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["b"]


@pytest.mark.parametrize("links", [True, False])
def test_a_copy_where_links_are_not_to_be_had(monkeypatch, bundle, links):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    add_files(bundle, {"new.txt": b"new"})
    assert read_bundle(bundle.folder).manifest.files.keys() == {WEIGHTS, "old.txt", "more.txt", "new.txt"}


def test_what_the_manifest_does_not_name_comes_along(bundle):
    (bundle.folder / "card.md").write_text("a card")
    add_files(bundle, {"new.txt": b"new"})
    assert (bundle.folder / "card.md").read_text() == "a card"


@pytest.mark.parametrize("method", ["write_bytes", "write_text", "rename"])
def test_a_full_disk_leaves_the_bundle_as_it_was(monkeypatch, bundle, method):
    before = _content(bundle.folder)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, method, full)
    with pytest.raises(EnvironmentProblem, match=r"b: the bundle cannot be written .*No space left"):
        add_files(bundle, {"new.txt": b"new"})
    monkeypatch.undo()
    assert _content(bundle.folder) == before
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["b"]
    read_bundle(bundle.folder)


def test_an_added_file_is_verified(bundle):
    add_files(bundle, {"new.txt": b"new"})
    (bundle.folder / "new.txt").write_bytes(b"now")
    with pytest.raises(BundleError, match=r"new\.txt: changed since it was written"):
        read_bundle(bundle.folder)
