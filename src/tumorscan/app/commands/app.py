"""`tumorscan app`: the page and the API."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscan.app.commands.shared import add_model, add_operating_point, say
from tumorscan.errors import SettingsError

if TYPE_CHECKING:
    from tumorscan.app.site import SiteSettings

HELP = "open the page: drop a picture, read the verdict; and the API for programs"
DESCRIPTION = """\
Serves the page at / and an API under /v1 (its description: /openapi.json) on this machine. Everything
stays here: no telemetry, no outside request, and what is uploaded is deleted.

Beyond this machine it is served only to those with a token: --token-file, or TUMORSCAN_TOKEN. A program
sends it as `Authorization: Bearer TOKEN`, a browser asks for it once. A new bundle in the place of
--model is taken over while requests go on (SIGHUP: at once); a broken one is not, and the log says why."""

_MEGABYTE = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model(parser)
    add_operating_point(parser)
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    parser.add_argument("--port", type=int, default=7860, help="default: 7860")
    parser.add_argument(
        "--compare", type=Path, metavar="BUNDLE", help="a second bundle, for the page's tab Compare"
    )
    who = parser.add_argument_group("who may ask")
    who.add_argument(
        "--token-file", type=Path, metavar="FILE", help="a token a line, or a name, a blank and a token"
    )
    who.add_argument(
        "--no-token",
        action="store_true",
        help="serve beyond this machine to whoever reaches it, without a token",
    )
    who.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name of this server in addresses"
    )
    much = parser.add_argument_group("how much")
    much.add_argument(
        "--max-upload", type=float, default=256, metavar="MB", help="of one request (default: 256)"
    )
    much.add_argument("--max-picture", type=float, default=32, metavar="MB", help="of one file (default: 32)")
    much.add_argument("--max-files", type=int, default=64, metavar="N", help="of one request (default: 64)")
    much.add_argument(
        "--rate",
        type=float,
        metavar="N",
        help="requests of one client in a minute; 0: no limit (default: 0 on this machine only, else 600)",
    )
    much.add_argument(
        "--queue",
        type=int,
        default=128,
        metavar="N",
        help="pictures accepted and not answered yet (default: 128)",
    )
    much.add_argument("--batch", type=int, default=16, metavar="N", help="pictures at once (default: 16)")
    much.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="threads that read and prepare (default: one a core)",
    )
    parser.set_defaults(json=False)


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted."""
    if not 1 <= options.port <= 65535:
        raise SettingsError(f"--port is {options.port}: it must lie in [1, 65535]")
    settings = _settings(options)
    from tumorscan.app.site import serve_site

    serve_site(settings, say=say)
    return 0


def _settings(options: argparse.Namespace) -> SiteSettings:
    from tumorscan.app.guard.bodies import BodyLimits
    from tumorscan.app.guard.front import Rules
    from tumorscan.app.guard.hosts import is_loopback
    from tumorscan.app.guard.tokens import read_tokens
    from tumorscan.app.service import SERVED_LIMITS, Capacity
    from tumorscan.app.site import SiteSettings
    from tumorscan.config import ReadLimits

    rate = options.rate if options.rate is not None else 0 if is_loopback(options.host) else 600
    return SiteSettings(
        host=options.host,
        port=options.port,
        model=options.model,
        engine=options.engine,
        operating_point=options.operating_point,
        compare=options.compare,
        rules=Rules(
            tokens=read_tokens(options.token_file),
            hosts=options.allow_host,
            a_minute=rate,
            bodies=BodyLimits(most=int(options.max_upload * _MEGABYTE)),
        ),
        open_to_all=options.no_token,
        capacity=Capacity(options.queue, options.batch, options.workers),
        limits=ReadLimits(int(options.max_picture * _MEGABYTE), SERVED_LIMITS.max_pixels),
        max_files=options.max_files,
    )
