"""Files, folders, patterns and csv lists on a command line, to one long list of files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscan.data.sources import file_of
from tumorscan.data.table import read_table
from tumorscan.detect.rows import Item
from tumorscan.errors import DataError, UnreadableScan
from tumorscan.read.files import list_files


@dataclass(frozen=True)
class Listing:
    """What the arguments mean.

    Attributes:
        items: the files in order; an argument that means none is an item with a problem.
        carried: names of the columns that csv lists bring along.
    """

    items: list[Item]
    carried: tuple[str, ...]

    def check(self) -> None:
        """Refuse a list without a single file.

        Raises:
            UnreadableScan: names the first argument that brought nothing.
        """
        if all(item.problem for item in self.items):
            raise UnreadableScan(self.items[0].name, self.items[0].problem)


def list_items(paths: Sequence[Path], leave_out: Collection[Path] = ()) -> Listing:
    """The files that arguments name, in order.

    A `.csv` is a list: its column `file` names the files, relative to its folder, and is what the
    results call them; its other columns are carried. Everything else is as in `list_files`.

    Args:
        paths: as given, at least one.
        leave_out: files that are not for reading where a folder holds them: the results themselves.

    Raises:
        DataError: a csv is damaged, has no column `file`, or a line names no file.
    """
    tables = {path: read_table(path, ("file",)) for path in paths if _is_list(path)}
    headers = (row for rows in tables.values() for _, row in rows[:1])
    carried = tuple(dict.fromkeys(name for row in headers for name in row if name != "file"))
    items: list[Item] = []
    for path in paths:
        found = _from_csv(path, tables[path], carried) if path in tables else _from_path(path, leave_out)
        items += found
    return Listing(items, carried)


def _is_list(path: Path) -> bool:
    return path.suffix.lower() == ".csv" and path.is_file()


def _from_path(path: Path, leave_out: Collection[Path]) -> Iterator[Item]:
    own = {one.name: one.resolve() for one in leave_out}
    try:
        files = list_files([path])
    except UnreadableScan as error:
        yield Item(error.file, error.file, problem=error.cause)
        return
    if not files:
        yield Item(str(path), str(path), problem="holds no file: name a folder with pictures")
    for file in files:
        if file.name not in own or file.resolve() != own[file.name]:
            yield Item(str(file), str(file))


def _from_csv(
    path: Path, rows: Sequence[tuple[int, Mapping[str, str]]], carried: Sequence[str]
) -> Iterator[Item]:
    if not rows:
        yield Item(str(path), str(path), problem="lists no file: fill its column file")
    for line, row in rows:
        name = row["file"]
        if not name.strip():
            raise DataError(f"{path}: line {line}: no file: name a picture, relative to {path.parent}")
        values = tuple(row.get(column, "") for column in carried)
        try:
            yield Item(name, str(file_of(name, path.parent)), values)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            yield Item(name, name, values, f"cannot be looked at ({why}): check the path")
