"""What is asked about the server itself: its model, whether it lives and is ready, its figures."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response

from tumorscan.app.api.metrics import Metrics
from tumorscan.app.api.reading import add_reading
from tumorscan.app.api.schema import answered, refused
from tumorscan.app.describe import describe
from tumorscan.app.problems import Refusal
from tumorscan.app.service import Service

_STOPPING_SECONDS = 5
_FIGURES: dict[str, Any] = {
    "description": "Prometheus's text form.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


class State:
    """Routes without a body.

    Args:
        service: that is asked about.
        metrics: what counts.
    """

    def __init__(self, service: Service, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics

    def add_to(self, api: FastAPI) -> None:
        """Declare the routes."""
        routes: tuple[tuple[str, Any, str, dict[int | str, Any]], ...] = (
            ("/v1/model", self.model, "What answers", {200: answered("Model", "What it says of itself.")}),
            ("/healthz", self.healthz, "The process lives", {200: answered("State", "It does.")}),
            (
                "/readyz",
                self.readyz,
                "Requests are taken",
                {200: answered("State", "They are."), **refused(503)},
            ),
            ("/metrics", self.metrics, "Figures for Prometheus", {200: _FIGURES}),
        )
        for path, route, summary, responses in routes:
            add_reading(api, path, route, summary=summary, responses={**refused(), **responses})

    async def model(self) -> JSONResponse:
        """The bundle's own account of itself, and what this server takes of one picture."""
        detector, limits = self._service.detector, self._service.limits
        return JSONResponse(
            describe(detector.bundle.manifest)
            | {
                "engine": detector.engine.name,
                "gate": detector.gate is not None,
                "limits": {
                    "bytes_a_picture": limits.max_bytes,
                    "pixels_a_picture": limits.max_pixels,
                    "shortest_side": limits.min_side,
                    "waiting_pictures": self._service.capacity.waiting,
                },
            }
        )

    async def healthz(self) -> JSONResponse:
        """The process answers at all; asks for no token."""
        return JSONResponse({"status": "alive"})

    async def readyz(self) -> JSONResponse:
        """Whether to send requests here; `problem`: why a newer bundle was not taken. Asks for no token."""
        if self._service.stopping:
            raise Refusal(503, "about to stop: ask again later", retry_after=_STOPPING_SECONDS)
        model, problem = self._service.detector.model, self._service.problem
        return JSONResponse({"status": "ready", "model": model, "problem": problem})

    async def metrics(self) -> Response:
        """Counters and histograms; no label holds a name or an address."""
        body, kind = self._metrics.text()
        return Response(body, media_type=kind)
