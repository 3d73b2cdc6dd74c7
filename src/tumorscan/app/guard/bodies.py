"""What is sent to us: cut off at its limit while it comes in, and not waited for without end."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

from tumorscan.app.guard.asgi import App, Message, Receive, Scope, Send, header
from tumorscan.app.problems import Refusal
from tumorscan.errors import SettingsError

_LINGER_SECONDS = 3.0
_LINGER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class BodyLimits:
    """How much and how slowly.

    Attributes:
        most: bytes of one request.
        together: bytes of all requests that are being dealt with.
        pause: seconds between two pieces of one request, at most.
        seconds: for one request to come in, at most.
    """

    most: int = 256 * 1024 * 1024
    together: int = 1024 * 1024 * 1024
    pause: float = 20.0
    seconds: float = 300.0

    def __post_init__(self) -> None:
        for name in ("most", "together", "pause", "seconds"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}: it must be more than 0")


class Bodies:
    """Hands requests on with their bodies watched.

    What goes too far is cut off: the application is told that the client left, and whatever it answers to
    that gives way to the refusal.
    """

    def __init__(self, app: App, limits: BodyLimits) -> None:
        self._app, self._limits = app, limits
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; as ASGI."""
        watched = _Watched(self._limits, receive, send)
        try:
            watched.check_length(header(scope, "content-length"))
            await self._app(scope, lambda: self._receive(watched), watched.send)
        except Refusal as refusal:
            watched.refusal = refusal
        except Exception:
            # What an application makes of a client that left is no error of its own.
            if watched.refusal is None:
                raise
        finally:
            self._held -= watched.taken
        await watched.finish()

    async def _receive(self, watched: _Watched) -> Message:
        before = watched.taken
        message = await watched.receive()
        self._held += watched.taken - before
        if self._held > self._limits.together and watched.refusal is None:
            watched.refusal = Refusal(503, "too much is being sent at once: try again in 5 s", retry_after=5)
        return {"type": "http.disconnect"} if watched.refusal else message


class _Watched:
    """One request: what came of it, and why it was cut off."""

    def __init__(self, limits: BodyLimits, receive: Receive, send: Send) -> None:
        self.refusal: Refusal | None = None
        self.taken = 0
        self._limits, self._receive, self._send = limits, receive, send
        self._end = time.monotonic() + limits.seconds
        self._whole = False
        self._left = False
        self._started = False

    def check_length(self, length: str) -> None:
        """Refuse by the header alone what says that it is too long."""
        if length.isdecimal() and int(length) > self._limits.most:
            raise _too_long(self._limits)

    async def receive(self) -> Message:
        """The next piece."""
        if self._whole or self.refusal:
            return await self._receive()
        wait = min(self._limits.pause, self._end - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(wait, 0.001))
        except TimeoutError:
            self.refusal = Refusal(408, "the request came in too slowly: send it again over a faster line")
            return {"type": "http.disconnect"}
        self._left = message["type"] == "http.disconnect"
        self._whole = self._left or not message.get("more_body")
        self.taken += len(message.get("body", b""))
        if self.taken > self._limits.most:
            self.refusal = _too_long(self._limits)
        return message

    async def send(self, message: Message) -> None:
        """Pass on what the application says, unless it was refused before it said anything."""
        if self.refusal is None or self._started:
            self._started = True
            await self._send(message)

    async def finish(self) -> None:
        """Send the refusal, if there is one, and take in a little more, so that the client can read it."""
        if self.refusal is None or self._started or self._left:
            return
        headers = [*self.refusal.raw_headers, (b"connection", b"close")]
        await self._send({"type": "http.response.start", "status": self.refusal.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": self.refusal.body, "more_body": True})
        with suppress(TimeoutError):
            await asyncio.wait_for(self._take_in(), _LINGER_SECONDS)
        await self._send({"type": "http.response.body", "body": b""})

    async def _take_in(self) -> None:
        # A connection that is closed with bytes unread is reset, and the answer in it is lost.
        taken = 0
        while not self._whole and not self._left and taken < _LINGER_BYTES:
            message = await self._receive()
            taken += len(message.get("body", b""))
            self._left = message["type"] == "http.disconnect"
            self._whole = not message.get("more_body")


def _too_long(limits: BodyLimits) -> Refusal:
    megabytes = limits.most / 1024**2
    return Refusal(413, f"more than {megabytes:.3g} MB in one request: send less at once, or smaller files")
