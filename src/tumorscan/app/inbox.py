"""The page's private folder: uploads stand in it for as long as it takes to read them, and no longer."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tumorscan.app.private import make_private, remove_private
from tumorscan.config import ReadLimits
from tumorscan.errors import UnreadableScan

EXAMPLES = "examples"
STALE_SECONDS = 300.0
"""What was uploaded but never asked about (a client that left) may stand for so long."""

# The last switches off an editor that asks a language model elsewhere.
_SILENCE = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_VIBE_MODE": ""}


class Inbox:
    """A folder that only this user may enter, which Gradio is told to keep its uploads in.

    Gradio reads the environment when it is imported, so an inbox is made before that; it also tells
    Gradio and what it brings to report nothing to anyone.

    Attributes:
        folder: absolute; mode 0700. Gradio shows what is in it to whoever knows its path.
        work: as private, and none of Gradio's: where `held` keeps what is being worked on.
        limits: what `take` refuses.
        max_upload: bytes of one upload, which may be a zip of many pictures or a whole series.
    """

    def __init__(self, limits: ReadLimits | None = None, max_upload: int = 0) -> None:
        self.folder, self.work = make_private("page"), make_private("work")
        self.limits = limits or ReadLimits()
        self.max_upload = max(max_upload, self.limits.max_bytes)
        environment = {"GRADIO_TEMP_DIR": str(self.folder), **_SILENCE}
        self._before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)

    @property
    def examples(self) -> Path:
        """Where the drawn examples stand; they are kept until the end."""
        return self.folder / EXAMPLES

    def take(self, path: str, name: str) -> bytes:
        """Read an upload into memory and delete it.

        Args:
            path: where Gradio put it, as the client says; anything outside the folder is refused.
            name: what the person calls it, for the message.

        Raises:
            UnreadableScan: it is no upload, is gone, or is too large.
        """
        file = self._uploaded(path, name)
        try:
            with file.open("rb") as stream:
                # One byte more than allowed is enough for the reader to see that it is too large.
                return stream.read(self.limits.max_bytes + 1)
        except FileNotFoundError as error:
            raise UnreadableScan(name, "is no longer there: upload it again") from error
        except OSError as error:
            raise UnreadableScan(name, f"cannot be read ({error.strerror}): upload it again") from error
        finally:
            self._remove(file)

    @contextmanager
    def held(self, paths: Sequence[str]) -> Iterator[list[Path | None]]:
        """Uploads in a folder of their own while they are worked through, and gone when the block ends.

        Unlike those that nobody asked about they do not get stale meanwhile.

        Args:
            paths: where Gradio put them, as the client says.

        Yields:
            Where each is now, in the same order and all in one folder; None for what is no upload or gone.
        """
        folder = Path(tempfile.mkdtemp(dir=self.work))
        try:
            yield [self._moved(path, folder / f"{place:05d}") for place, path in enumerate(paths)]
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def discard(self, path: str) -> None:
        """Delete an upload unread."""
        try:
            self._remove(self._uploaded(path, path))
        except UnreadableScan:
            return

    def sweep(self, older_than: float = STALE_SECONDS) -> int:
        """Delete what nobody asked about; returns how many files that were.

        Args:
            older_than: seconds.
        """
        limit = time.time() - older_than
        stale = [
            file
            for file in _files(self.folder)
            if self.examples not in file.parents and _changed(file) <= limit
        ]
        for file in stale:
            self._remove(file)
        return len(stale)

    def close(self) -> None:
        """Delete the folder and all that is in it; may be called more than once."""
        for folder in (self.folder, self.work):
            remove_private(folder)
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before = {}

    def _uploaded(self, path: str, name: str) -> Path:
        try:
            file = Path(path).resolve()
        except (OSError, ValueError) as error:  # ValueError: a null byte
            raise UnreadableScan(name, "is no upload of this page: upload the picture itself") from error
        if self.folder not in file.parents or self.examples in (file, *file.parents):
            raise UnreadableScan(name, "is no upload of this page: upload the picture itself")
        return file

    def _moved(self, path: str, to: Path) -> Path | None:
        try:
            file = self._uploaded(path, path)
            if not file.is_file():
                return None
            file.rename(to)
        except (OSError, UnreadableScan):
            return None
        self._remove(file)
        return to

    def _remove(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        try:
            # Gradio gives each upload a folder; one that holds another upload stays.
            if file.parent != self.folder:
                file.parent.rmdir()
        except OSError:
            return


def _files(folder: Path) -> Iterator[Path]:
    """All below a folder; uploads come and go meanwhile, and `Path.rglob` stops at what has gone."""
    return (Path(place) / name for place, _, names in os.walk(folder) for name in names)


def _changed(file: Path) -> float:
    """When, in seconds since the epoch; of a file that has gone meanwhile, just now."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return time.time()
