"""Tables that scripts write into docs/performance.md, each between two marks of its name."""

from __future__ import annotations

from pathlib import Path

PERFORMANCE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def write_block(name: str, text: str, path: Path = PERFORMANCE) -> None:
    """Put a text between the marks of a name.

    Raises:
        SystemExit: the page has no such marks.
    """
    begin, end = f"<!-- {name}: written by its script -->\n", f"<!-- {name}: end -->"
    page = path.read_text(encoding="utf-8")
    before, found, rest = page.partition(begin)
    _, also, after = rest.partition(end)
    if not found or not also:
        raise SystemExit(f"{path}: the marks of {name!r} are gone: write\n{begin}{end}\nwhere it belongs")
    path.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}", encoding="utf-8")
    print(f"-> {path}")
