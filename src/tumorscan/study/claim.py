"""Whose a folder is: what began with some settings and pictures goes on with these alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tumorscan.atomic import atomic_write_text
from tumorscan.config import Settings, read_settings, to_toml
from tumorscan.data.sources import list_source
from tumorscan.errors import SettingsError

SETTINGS, SOURCES, CATALOG, SPLIT = "settings.toml", "sources.json", "catalog.csv", "split.csv"


def claim(
    folder: Path,
    settings: Settings,
    sources: Sequence[Path],
    what: str,
    *,
    begun: bool,
    where: Mapping[str, str] | None = None,
) -> bool:
    """Make a folder that of some settings and pictures, or recognise it as such.

    Where nothing has been trained yet, other settings or corrected pictures begin it anew.

    Args:
        folder: of a run or a study.
        settings: of all that goes there.
        sources: folders or csv files; told by what they hold, not by where they stand.
        what: the folder would hold of others, for the message: "a run", "fits".
        begun: something has been trained there.
        where: what selects the test split.

    Returns:
        Whether it begins here, so that nothing in it counts.

    Raises:
        SettingsError: the folder is that of others, and begun.
    """
    kept, listed = folder / SETTINGS, folder / SOURCES
    mine = {"sources": sorted(map(_contents, sources), key=str), "test_where": dict(where or {})}
    if kept.is_file():
        other = _differs(kept, listed, settings, mine)
        if not other:
            return False
        if begun:
            raise SettingsError(f"{folder}: holds {what} {other}; choose another --out")
        for stale in (CATALOG, SPLIT):
            (folder / stale).unlink(missing_ok=True)
    atomic_write_text(listed, json.dumps(mine, indent=2) + "\n")
    atomic_write_text(kept, to_toml(settings))
    return True


def _differs(kept: Path, listed: Path, settings: Settings, mine: Mapping[str, Any]) -> str:
    if read_settings(kept) != settings:
        return "with other settings"
    # Folders that an earlier tumorscan began say nothing of their pictures.
    theirs = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else mine
    if theirs["test_where"] != mine["test_where"]:
        return "with another --test-where"
    if theirs["sources"] != mine["sources"]:
        names = [one["name"] for one in mine["sources"] if one not in theirs["sources"]]
        return f"of other pictures than {', '.join(names) or 'these'} names now"
    return ""


def _contents(source: Path) -> dict[str, str]:
    """The name of a folder or csv and a hash of what it holds: of a folder, its pictures' names and sizes."""
    if source.is_dir():
        root, files = source.resolve(), (one.file for one in list_source(source)[0])
        rows = [(os.path.relpath(file, root), file.stat().st_size if file.exists() else 0) for file in files]
        held = json.dumps(sorted(rows)).encode()
    else:
        held = source.read_bytes() if source.is_file() else b""
    return {"name": source.name, "sha256": hashlib.sha256(held).hexdigest()}
