"""The login form: a browser shows its token once and gets a cookie for it."""

from __future__ import annotations

from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote

from tumorscan.app.guard.asgi import Receive, Scope, Send, header, respond
from tumorscan.app.guard.tokens import COOKIE, SESSION_SECONDS, Tokens

PATH = "/login"
_LONGEST_FORM = 4096


async def serve_login(tokens: Tokens, scope: Scope, receive: Receive, send: Send) -> None:
    """Show the form, or take it: a good token gets a cookie and the page that was asked for."""
    next_page = _next(parse_qs(scope.get("query_string", b"").decode("latin-1")).get("next", ["/"])[0])
    if scope["method"] in ("GET", "HEAD"):
        await _show(send, next_page)
        return
    client = tokens.client_of(_token(await _form(receive)))
    if client is None:
        await _show(send, next_page, problem="This token is not known here. Check it and try again.")
        return
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    limits = f"Path=/; Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Strict{secure}"
    cookie = f"{COOKIE}={tokens.session(client)}; {limits}"
    headers = [(b"location", next_page.encode()), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
    await respond(send, 303, headers, b"")


def session_of(tokens: Tokens, scope: Scope) -> str | None:
    """The client whose cookie came with a request."""
    try:
        found = SimpleCookie(header(scope, "cookie")).get(COOKIE)
    except CookieError:
        return None
    return tokens.client_of_session(found.value) if found else None


async def ask_to_log_in(scope: Scope, send: Send) -> None:
    """Send a browser to the form."""
    where = f"{PATH}?next={quote(_next(scope['path']))}"
    await respond(send, 303, [(b"location", where.encode()), (b"content-length", b"0")], b"")


def _next(path: str) -> str:
    """A path of this server, and never another server's address."""
    ours = (
        path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()
    )
    return path if ours else "/"


async def _form(receive: Receive) -> str:
    body = b""
    while len(body) <= _LONGEST_FORM:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body[:_LONGEST_FORM].decode("utf-8", "replace")


def _token(form: str) -> str:
    return parse_qs(form).get("token", [""])[0].strip()


async def _show(send: Send, next_page: str, problem: str = "") -> None:
    page = _PAGE.format(
        action=escape(f"{PATH}?next={quote(next_page)}"),
        problem=f'<p role="alert">{escape(problem)}</p>' if problem else "",
    ).encode()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(page)).encode())]
    await respond(send, 401 if problem else 200, headers, page)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>tumorscan: log in</title>
<style>
body{{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:15vh auto;padding:0 1rem;color:#0f172a}}
input,button{{font:inherit;padding:.5rem;width:100%;box-sizing:border-box;margin:.3rem 0 .8rem}}
button{{background:#0f766e;color:#fff;border:0;border-radius:.3rem}}[role=alert]{{color:#b91c1c}}
</style></head>
<body><main><h1>tumorscan</h1>
<p>Research and teaching software: not a medical device, never a diagnosis.</p>{problem}
<form method="post" action="{action}"><label for="token">Your token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button></form></main></body></html>
"""
