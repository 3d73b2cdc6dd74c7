"""Files out of a multipart request, in memory from the first byte to the last: nothing is spooled to disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from tumorscan.app.problems import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

FIELD = "file"
_LONGEST_NAME = 120
_FIELDS = 16
_NEVER = 2**62  # bytes from which on a temporary file would leave the memory for the disk


@dataclass(frozen=True)
class Sent:
    """A file as it came in.

    Attributes:
        name: what its sender calls it, without folders; a label and never a path.
        data: all its bytes.
    """

    name: str
    data: bytes


async def read_files(request: Request, most: int) -> list[Sent]:
    """The files of field `file`, in order.

    Args:
        request: whose body is read.
        most: files.

    Raises:
        Refusal: no multipart form (415), a damaged one (400), too many files (413), none in the field (422).
    """
    from starlette.formparsers import MultiPartException, MultiPartParser

    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Refusal(415, f"send the files as multipart/form-data, in the field {FIELD!r}")

    class InMemory(MultiPartParser):  # type: ignore[misc]
        spool_max_size = _NEVER

    parser = InMemory(request.headers, request.stream(), max_files=most, max_fields=_FIELDS)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "Too many files" in str(error):
            raise Refusal(413, f"more than {most} files in one request: send fewer at once") from error
        raise Refusal(400, f"the form is damaged ({error}): send it again") from error
    try:
        return await _of(form)
    finally:
        await form.close()


async def _of(form: Any) -> list[Sent]:
    parts = form.getlist(FIELD)
    if not parts or any(isinstance(part, str) for part in parts):
        raise Refusal(422, f"the field {FIELD!r} holds no file: send one or several in it, each with a name")
    return [Sent(label(part.filename or ""), await part.read()) for part in parts]


def label(name: str) -> str:
    """A name for answers: the last part of a path, printable and not too long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(sign for sign in last if sign.isprintable())[:_LONGEST_NAME] or "picture"
