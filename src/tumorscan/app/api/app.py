"""The API as one application: its routes, its errors, its document, its figures."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

import tumorscan
from tumorscan.app.api.metrics import Metrics
from tumorscan.app.api.pictures import Pictures
from tumorscan.app.api.reading import add_reading
from tumorscan.app.api.refusals import answer_errors
from tumorscan.app.api.schema import COMPONENTS
from tumorscan.app.api.state import State
from tumorscan.app.api.volumes import Volumes
from tumorscan.app.jobs import Jobs
from tumorscan.app.service import Service

_DESCRIPTION = """\
Brain-tumor detector for MRI pictures. Research and teaching software: not a medical device, never a
diagnosis. Nothing that is sent is kept. Errors are RFC 9457 problem details."""


def make_api(service: Service, metrics: Metrics, jobs: Jobs, folder: Path, max_files: int = 64) -> FastAPI:
    """The API as an ASGI application.

    Args:
        service: what answers.
        metrics: what counts verdicts; requests are counted further out.
        jobs: who answers for volumes.
        folder: where those stand until they are read; only this user may enter it.
        max_files: of one request for pictures.
    """
    # It would tell the log of every damaged form, with bytes out of it.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    # FastAPI's own pages for people load their scripts from elsewhere, so they are left out; and its
    # route for the document, for ours is one like the others.
    api = FastAPI(
        title="tumorscan",
        version=tumorscan.__version__,
        description=_DESCRIPTION,
        openapi_url=None,
        redirect_slashes=False,
    )
    answer_errors(api)
    _document(api)
    State(service, metrics).add_to(api)
    Pictures(service, metrics, max_files).add_to(api)
    Volumes(service, jobs, folder).add_to(api)
    return api


def _document(api: FastAPI) -> None:
    made = api.openapi

    def openapi() -> dict[str, Any]:
        document: dict[str, Any] = made()
        parts = document.setdefault("components", {})
        parts["schemas"] = COMPONENTS
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{}, {"token": []}]
        return document

    async def document() -> JSONResponse:
        return JSONResponse(openapi())

    add_reading(api, "/openapi.json", document, include_in_schema=False)
