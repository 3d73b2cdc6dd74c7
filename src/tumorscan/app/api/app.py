"""The API as one application: its routes, its errors, its document, its figures."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import tumorscan
from tumorscan.app.api.metrics import Metrics
from tumorscan.app.api.pictures import Pictures
from tumorscan.app.api.refusals import answer_errors
from tumorscan.app.api.schema import COMPONENTS
from tumorscan.app.api.state import State
from tumorscan.app.api.volumes import Volumes
from tumorscan.app.guard.asgi import App, Message, Receive, Scope, Send
from tumorscan.app.jobs import Jobs
from tumorscan.app.service import Service

PREFIXES = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json")
"""Paths that are the API's; all others are the page's."""

_DESCRIPTION = """\
Brain-tumor detector for MRI pictures. Research and teaching software: not a medical device, never a
diagnosis. Nothing that is sent is kept. Errors are RFC 9457 problem details."""


def make_api(service: Service, metrics: Metrics, jobs: Jobs, folder: Path, max_files: int = 64) -> App:
    """The API as an ASGI application.

    Args:
        service: what answers.
        metrics: what counts.
        jobs: who answers for volumes.
        folder: where those stand until they are read; only this user may enter it.
        max_files: of one request for pictures.
    """
    # It would tell the log of every damaged form, with bytes out of it.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    # FastAPI's own pages for people load their scripts from elsewhere, so they are left out.
    api = FastAPI(
        title="tumorscan",
        version=tumorscan.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    answer_errors(api)
    _document(api)
    State(service, metrics).add_to(api)
    Pictures(service, metrics, max_files).add_to(api)
    Volumes(service, jobs, folder).add_to(api)
    return Timed(api, metrics)


class Timed:
    """Tells the metrics of every request, by route and status.

    Args:
        api: what answers.
        metrics: what counts.
    """

    def __init__(self, api: App, metrics: Metrics) -> None:
        self._api = api
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; as ASGI."""
        begun, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._api(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.time(route, status, time.perf_counter() - begun)


def _document(api: FastAPI) -> None:
    made = api.openapi

    def openapi() -> dict[str, Any]:
        document: dict[str, Any] = made()
        parts = document.setdefault("components", {})
        parts["schemas"] = COMPONENTS
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{}, {"token": []}]
        return document

    api.openapi = openapi
