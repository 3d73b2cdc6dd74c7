"""Routes that only read: HEAD is answered as GET is, without the body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI


def add_reading(api: FastAPI, path: str, route: Callable[..., Any], **told: Any) -> None:
    """Declare a route for GET and HEAD.

    Args:
        api: gets it.
        path: its template.
        route: answers; the server itself leaves out the body where HEAD asks.
        told: of the route, as `add_api_route` takes it.
    """
    api.add_api_route(path, route, methods=["GET"], **told)
    # A second route: two methods of one would stand in the document under one name.
    api.add_api_route(path, route, methods=["HEAD"], include_in_schema=False)
