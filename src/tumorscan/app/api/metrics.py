"""Figures for Prometheus, in a registry of our own: what is asked, how long it takes, what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from tumorscan.errors import UnreadableScan, require
from tumorscan.types import Finding

if TYPE_CHECKING:
    from tumorscan.app.service import Service

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counters and histograms of one server; no label holds a name or an address."""

    def __init__(self) -> None:
        prometheus: Any = require("prometheus_client", "app")
        self._prometheus = prometheus
        self._registry = registry = prometheus.CollectorRegistry()
        for collector in (prometheus.ProcessCollector, prometheus.PlatformCollector):
            collector(registry=registry)
        self._answers = prometheus.Counter(
            "tumorscan_answers",
            "Pictures that were answered, one by one or in a batch, by door (api, page) and verdict",
            ["door", "verdict"],
            registry=registry,
        )
        self._unread = prometheus.Counter(
            "tumorscan_unread", "Files that got no answer, by door", ["door"], registry=registry
        )
        self._requests = prometheus.Histogram(
            "tumorscan_request_seconds",
            "Requests to the API, upload and wait included; none: no route, or refused before one was sought",
            ["route", "method", "status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = prometheus.Histogram(
            "tumorscan_batch_pictures",
            "Pictures in one run of the network",
            buckets=_BATCHES,
            registry=registry,
        )

    def watch(self, service: Service) -> None:
        """Tell of a service's queue and bundle from now on."""
        for name, text, value in (
            ("tumorscan_waiting_pictures", "Accepted, not answered yet", lambda: service.accepted_now),
            ("tumorscan_reloads", "Bundles that took over since the start", lambda: service.reloads),
            ("tumorscan_bundle_refused", "1: a newer bundle was not taken", lambda: bool(service.problem)),
        ):
            self._prometheus.Gauge(name, text, registry=self._registry).set_function(value)

    def count(self, answer: Finding | UnreadableScan, door: Literal["api", "page"]) -> None:
        """One file's answer, and which door it left by."""
        if isinstance(answer, UnreadableScan):
            self._unread.labels(door).inc()
        else:
            self._answers.labels(door, str(answer.verdict)).inc()

    def count_batch(self, pictures: int) -> None:
        """One run of the network."""
        self._batches.observe(pictures)

    def time(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request."""
        self._requests.labels(route, method, str(status)).observe(seconds)

    def text(self) -> tuple[bytes, str]:
        """All figures in Prometheus's text form, and its media type."""
        return self._prometheus.generate_latest(self._registry), self._prometheus.CONTENT_TYPE_LATEST
