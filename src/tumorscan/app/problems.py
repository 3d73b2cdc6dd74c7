"""Errors as RFC 9457 problem details: one form for all that goes wrong, whoever finds it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

MEDIA_TYPE: Final = "application/problem+json"


def debugging() -> bool:
    """Whether tracebacks are wanted in the log; they may hold names of files, so by default they are not."""
    return bool(os.environ.get("TUMORSCAN_DEBUG"))


class Refusal(Exception):
    """A request that gets no answer, with all that its problem details say.

    Args:
        status: HTTP's.
        detail: the cause and the cure, one sentence.
        retry_after: seconds after which another try is worth it; None: no matter when.
        headers: that go with it.
        more: members of the problem beside those of the RFC.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    @property
    def body(self) -> bytes:
        """The problem as JSON; its type is `about:blank`, so its title is the status's phrase."""
        table = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        return json.dumps(table).encode()

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """All headers, as ASGI takes them."""
        headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(self.body)), **self.headers}
        return [
            (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()
        ]
