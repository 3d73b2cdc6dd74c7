"""`tumorscan node`: beside a PACS."""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscan.app.commands.shared import RESEARCH_USE, add_json, add_model, add_operating_point, emit, say
from tumorscan.errors import SettingsError

if TYPE_CHECKING:
    from tumorscan.app.node.settings import NodeSettings

HELP = "beside a PACS: studies in by C-STORE or DICOMweb, results back into the same study"
DESCRIPTION = """\
A DICOM node. It takes MR studies from the AE titles that it is told (C-STORE), or fetches them from
DICOMweb servers, answers when a study has been quiet for a while, and sends the results (structured report,
key picture, outline, map) on until they have arrived. What is queued survives a kill; pictures are deleted
once their results are sent. The log and STORE/audit.jsonl name studies by keyed hashes only.
docs/how-to/pacs.md sets it up. Research and teaching software: never a diagnosis."""

_LOOPBACK = ("127.", "localhost", "::1")
_MEGABYTE = 1024**2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--aet", default="TUMORSCAN", help="AE title of the node (default: TUMORSCAN)")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    parser.add_argument("--port", type=int, default=11112, help="default: 11112")
    parser.add_argument(
        "--send-to", action="append", default=[], metavar="AET@HOST:PORT",
        help="who gets the results, and may send studies; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="AET",
        help="who else may send studies; may be repeated",
    )
    parser.add_argument(
        "--store", type=Path, metavar="FOLDER", help="what it keeps (default: ~/.local/state/tumorscan/node)"
    )
    parser.add_argument(
        "--quiet", type=float, default=30.0, metavar="SECONDS",
        help="a study is complete so long after its last object (default: 30)",
    )  # fmt: skip
    parser.add_argument(
        "--keep", type=float, default=0.0, metavar="HOURS",
        help="keep pictures so long after the results were sent (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--status", action="store_true", help="say what the queue in --store holds, and end; the node may run"
    )
    add_json(parser, "with --status: one JSON object instead of text")
    _add_web(parser)
    _add_limits(parser)
    add_model(parser)
    add_operating_point(parser)


def _add_web(parser: argparse.ArgumentParser) -> None:
    web = parser.add_argument_group("DICOMweb")
    web.add_argument(
        "--dicomweb", action="append", default=[], metavar="URL",
        help="a server to ask for studies; gets their results; name and password are read from ~/.netrc",
    )  # fmt: skip
    web.add_argument(
        "--dicomweb-filter", action="append", default=[], metavar="KEYWORD=VALUE",
        help="what a study has to match, as in StudyDescription=*HEAD* (default: ModalitiesInStudy=MR)",
    )  # fmt: skip
    web.add_argument(
        "--dicomweb-days", type=int, default=7, metavar="DAYS",
        help="only studies dated within the last so many days (default: 7; 0: all there are)",
    )  # fmt: skip
    web.add_argument(
        "--poll", type=float, default=60.0, metavar="SECONDS", help="how often it asks (default: 60)"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    limits = parser.add_argument_group("limits and safety")
    limits.add_argument(
        "--max-mb", type=int, default=512, metavar="MB", help="of one object as sent (default: 512)"
    )
    limits.add_argument(
        "--max-objects", type=int, default=10_000, metavar="N", help="of one study (default: 10000)"
    )
    limits.add_argument(
        "--free-mb",
        type=int,
        default=1024,
        metavar="MB",
        help="of the disk that are left alone (default: 1024)",
    )
    limits.add_argument(
        "--tls-cert", type=Path, metavar="PEM", help="associations by TLS, both ways: certificate,"
    )
    limits.add_argument("--tls-key", type=Path, metavar="PEM", help="its key,")
    limits.add_argument(
        "--tls-ca", type=Path, metavar="PEM", help="and the authority that peers are checked by"
    )


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted; 0 after a graceful stop, 1 where a part of it broke."""
    if options.status:
        return _status(options)
    settings = settings_of(options)
    from tumorscan.app.node.analyse import StudyAnalysis
    from tumorscan.app.node.node import Node
    from tumorscan.detect.detector import load_detector

    detector = load_detector(options.model, options.engine, operating_point=options.operating_point)
    node = Node(settings, StudyAnalysis(detector), _stamped)
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: node.ask_to_stop())
    say(RESEARCH_USE)
    if settings.listens and not settings.host.startswith(_LOOPBACK) and settings.tls is None:
        say(f"{settings.host}: other machines can reach this, and an AE title proves nothing: see --tls-cert")
    node.start()
    try:
        while not node.wait(0.5):  # in steps, so that signals are heard everywhere
            continue
    finally:
        node.stop()
    return int(node.broken)


def _status(options: argparse.Namespace) -> int:
    from tumorscan.app.node.glance import glance, glance_text

    found = glance(options.store or _default_store())
    emit(options, found, glance_text(found, time.time()))
    return 0


def settings_of(options: argparse.Namespace) -> NodeSettings:
    """The node that the arguments name.

    Raises:
        SettingsError: one of them is wrong, named with its cure.
    """
    from tumorscan.app.node.peer import checked_aet, checked_url, peer_from
    from tumorscan.app.node.settings import Limits, NodeSettings, Patience

    return NodeSettings(
        store=options.store or _default_store(),
        aet=checked_aet(options.aet, "--aet"),
        host=options.host,
        port=options.port,
        send_to=tuple(peer_from(one) for one in options.send_to),
        accept=tuple(checked_aet(one, "--accept") for one in options.accept),
        dicomweb=tuple(checked_url(one) for one in options.dicomweb),
        web_filter={"ModalitiesInStudy": "MR", **dict(_pair(one) for one in options.dicomweb_filter)},
        web_days=options.dicomweb_days,
        limits=Limits(
            object_bytes=options.max_mb * _MEGABYTE,
            study_objects=options.max_objects,
            free_bytes=options.free_mb * _MEGABYTE,
        ),
        patience=Patience(
            quiet=options.quiet, dropped=min(10 * options.quiet, 86400.0), poll=options.poll,
            keep=3600 * options.keep,
        ),
        tls=_tls(options),
    )  # fmt: skip


def _default_store() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "tumorscan" / "node"


def _pair(text: str) -> tuple[str, str]:
    keyword, sign, value = (part.strip() for part in text.partition("="))
    if not (keyword.isalnum() and sign):
        raise SettingsError(f"--dicomweb-filter {text}: write KEYWORD=VALUE, for example StudyDate=20260101-")
    return keyword, value


def _tls(options: argparse.Namespace) -> tuple[Path, Path, Path] | None:
    files = (options.tls_cert, options.tls_key, options.tls_ca)
    if not any(files):
        return None
    if not all(files):
        raise SettingsError("TLS needs all three: --tls-cert, --tls-key and --tls-ca")
    return files


def _stamped(line: str) -> None:
    say(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")
