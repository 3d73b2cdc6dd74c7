"""How often a client may ask: a token bucket each (RFC 2697's idea, without its colours)."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from tumorscan.app.problems import Refusal

_REMEMBERED = 10_000


class Rate:
    """A bucket a client, full at first, that refills steadily; each request takes one token out.

    Args:
        a_minute: tokens that come back in a minute; 0: no limit.
        burst: tokens that a full bucket holds.
        clock: seconds, rising.
    """

    def __init__(self, a_minute: float, burst: int = 60, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second, self._burst, self._clock = a_minute / 60, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """One token for a request.

        Raises:
            Refusal: the bucket is empty; it says when there is one again.
        """
        if not self._a_second:
            return
        now = self._clock()
        left, since = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._a_second)
        enough = left >= 1
        self._buckets[client] = (left - enough, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)  # whoever asked least recently; its bucket is the fullest
        if not enough:
            wait = max(math.ceil((1 - left) / self._a_second), 1)
            raise Refusal(429, f"too many requests from here: try again in {wait} s", retry_after=wait)
