"""Which requests are the API's, and what the metrics are told of each."""

from __future__ import annotations

import time
from typing import Final

from tumorscan.app.api.metrics import Metrics
from tumorscan.app.guard.asgi import App, Message, Receive, Scope, Send

_PREFIXES: Final = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def for_api(scope: Scope) -> bool:
    """Whether a connection asks the API; all others ask the page."""
    return scope["type"] == "http" and str(scope["path"]).startswith(_PREFIXES)


class Timed:
    """Tells the metrics of every request to the API, by route, method and status.

    It stands before the guard, so that what is refused there is counted too, by no route.

    Args:
        site: what answers; a route that does is left in `scope["route"]`.
        metrics: what counts.
    """

    def __init__(self, site: App, metrics: Metrics) -> None:
        self._site = site
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection; as ASGI."""
        if not for_api(scope):
            await self._site(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._site(scope, receive, sending)
        finally:
            # Never the path, nor a method that someone made up: each would be a series of its own for ever.
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.time(route, method, status, time.perf_counter() - begun)
