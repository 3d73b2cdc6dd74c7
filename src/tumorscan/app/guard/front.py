"""The guard itself: every request passes it before page or API see it, and every answer on its way back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from tumorscan.app.guard.asgi import App, Message, Receive, Scope, Send, header, refuse
from tumorscan.app.guard.bodies import Bodies, BodyLimits
from tumorscan.app.guard.hosts import Hosts
from tumorscan.app.guard.login import PATH as LOGIN
from tumorscan.app.guard.login import ask_to_log_in, serve_login, session_of
from tumorscan.app.guard.rate import Rate
from tumorscan.app.guard.tokens import Tokens
from tumorscan.app.problems import Refusal

# Gradio starts from scripts in its page and builds templates of components from text, hence the two unsafe
# ones for scripts; what matters for privacy is that nothing may be asked for from, or sent to, anywhere else.
POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=(), interest-cohort=()",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
# Files of Gradio's own under names with a hash; everything else may hold a picture or what was said of one.
_KEEPABLE: Final = ("/assets/", "/static/")
_OPEN: Final = ("/healthz", "/readyz")


@dataclass(frozen=True)
class Rules:
    """Who may ask, and how much.

    Attributes:
        tokens: by name of the client; empty: everyone may.
        hosts: names that the server is known by, besides its own and its addresses.
        a_minute: requests of one client; 0: no limit.
        burst: requests of one client at once.
        bodies: limits of what is sent.
    """

    tokens: dict[str, str] = field(default_factory=dict)
    hosts: Collection[str] = ()
    a_minute: float = 0
    burst: int = 60
    bodies: BodyLimits = field(default_factory=BodyLimits)


class Guard:
    """Checks host, origin, rate and token, watches bodies and adds headers.

    The client is left in `scope["state"]["client"]`: the name of its token, or its address.
    """

    def __init__(self, app: App, rules: Rules) -> None:
        self._app = app
        self._hosts = Hosts(rules.hosts)
        self._tokens = Tokens(rules.tokens)
        self._rate = Rate(rules.a_minute, rules.burst)
        self._watched = Bodies(self._answer, rules.bodies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection; as ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._watched(scope, receive, _with_headers(scope["path"], send))
        else:  # nothing here speaks by WebSocket
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            client = self._admit(scope)
        except Refusal as refusal:
            if refusal.status == 401 and "text/html" in header(scope, "accept") and scope["method"] == "GET":
                await ask_to_log_in(scope, send)
            else:
                await refuse(send, refusal)
            return
        if scope["path"] == LOGIN and self._tokens:
            await serve_login(self._tokens, scope, receive, send)
            return
        scope.setdefault("state", {})["client"] = client
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> str:
        """The client of a request.

        Raises:
            Refusal: it may not ask, or not now.
        """
        self._hosts.check(header(scope, "host"))
        changes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if changes and header(scope, "sec-fetch-site") in ("cross-site", "same-site"):
            raise Refusal(403, "another site's page may not ask for this: use this server's own page")
        address = (scope.get("client") or ("",))[0]
        client = self._client(scope)
        if changes:
            self._rate.take(client or address)
        if client is None and scope["path"] not in (*_OPEN, LOGIN):
            raise Refusal(
                401,
                "this server asks for a token: send it as `Authorization: Bearer TOKEN`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return client or address

    def _client(self, scope: Scope) -> str | None:
        if not self._tokens:
            return str((scope.get("client") or ("",))[0])
        kind, _, token = header(scope, "authorization").partition(" ")
        if kind.lower() == "bearer":
            return self._tokens.client_of(token.strip())
        return session_of(self._tokens, scope)


def _with_headers(path: str, send: Send) -> Send:
    keep = any(part in path for part in _KEEPABLE)

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            theirs = [(name, value) for name, value in message["headers"] if name.lower() not in _HEADERS]
            if not keep:
                theirs = [one for one in theirs if one[0].lower() != b"cache-control"]
                theirs.append((b"cache-control", b"no-store"))
            message["headers"] = [*theirs, *_HEADERS.items()]
        await send(message)

    return sending
