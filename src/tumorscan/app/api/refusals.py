"""Whatever a route raises, as problem details."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from tumorscan.app.problems import Refusal
from tumorscan.app.service import Overloaded
from tumorscan.errors import SettingsError, TumorscanError, UnreadableScan

_KINDS: tuple[type[Exception], ...] = (
    Refusal,
    HTTPException,
    RequestValidationError,
    TumorscanError,
    Exception,
)

_HINTS = {
    404: "there is nothing under this path: /openapi.json lists what there is",
    405: "not by this method: the header Allow names those that are",
}


def answer_errors(api: FastAPI) -> None:
    """Answer every kind of error in one form."""
    for kind in _KINDS:
        api.add_exception_handler(kind, _told)


async def _told(request: Request, error: Exception) -> Response:
    refusal = as_refusal(error)
    if refusal.status == 405:
        refusal.headers["Allow"] = ", ".join(sorted(_methods(request)))
    headers = {name.decode(): value.decode("latin-1") for name, value in refusal.raw_headers}
    return Response(refusal.body, refusal.status, headers)


def _methods(request: Request) -> set[str]:
    """All that a path answers to: its methods may be routes of their own, and each knows only itself."""
    routes = [one for one in request.app.routes if one.matches(request.scope)[0] is not Match.NONE]
    return {method for route in routes for method in route.methods}


def as_refusal(error: Exception) -> Refusal:
    """What a client is told of an error; of one that nobody thought of, its name alone."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPException):
        detail = _HINTS.get(error.status_code, str(error.detail))
        return Refusal(error.status_code, detail, headers=error.headers)
    if isinstance(error, RequestValidationError):
        causes = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
        return Refusal(422, causes)
    if isinstance(error, Overloaded):
        return Refusal(503, str(error), retry_after=error.retry_after)
    if isinstance(error, SettingsError | UnreadableScan):
        return Refusal(422, str(error))
    return Refusal(500, f"an error inside tumorscan ({type(error).__name__}): please report it")
