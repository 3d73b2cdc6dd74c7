"""The node beside dcmtk's and Orthanc's: how fast a study is taken in, and how long results take.

    python benchmarks/node.py [--slices 200] [--turns 5] [--write]

A drawn study goes by dcmtk's storescu to each receiver in turn: to our node (on disk by fsync and in the
queue before each answer), to dcmtk's storescp and to Orthanc, where those are installed. Then the node
answers with the shipped detector; the time is from the last object to the last result at a PACS, less the
quiet time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from marked import write_block
from measures import shown, spread
from pynetdicom import AE, AllStoragePresentationContexts, evt
from runtime_report import machine

from tumorscan.app.node.analyse import StudyAnalysis
from tumorscan.app.node.node import Node
from tumorscan.app.node.peer import Peer
from tumorscan.app.node.settings import NodeSettings, Patience
from tumorscan.app.node.worker import Analyse, Outcome
from tumorscan.config import SHIPPED
from tumorscan.data.phantom_study import write_study
from tumorscan.detect.detector import load_detector

_TOOLS = "/usr/bin:/usr/local/bin:/usr/sbin:/opt/homebrew/bin"
_QUIET = 1.0


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()
    if not which("storescu"):
        raise SystemExit("storescu is not there: apt-get install dcmtk orthanc")
    with tempfile.TemporaryDirectory() as folder:
        study = write_study(Path(folder) / "head", 3, slices=options.slices, size=224)
        kilobytes = sum(file.stat().st_size for file in study.iterdir()) / options.slices / 1024
        rates = receive(study, options, Path(folder))
        answer = turn_around(study, options, Path(folder))
    lines = [
        f"{machine()}.",
        "",
        f"A series of {options.slices} slices of {kilobytes:.0f} kB by storescu on loopback:",
        "",
    ]
    lines += ["| receiver | objects a second (10..90 %) |", "|---|---|"]
    lines += [f"| {name} | {shown(spread(one))} |" for name, one in rates.items()]
    lines += [
        "",
        f"From its last object to its results at the PACS: {shown(spread(answer))} s, less the quiet time.",
    ]
    print("\n".join(lines))
    if options.write:
        write_block("node", "\n".join(lines))


def receive(study: Path, options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Objects a second of each receiver; they take turns, and each starts empty."""
    rates: dict[str, list[float]] = {}
    for turn in range(options.turns):
        for name, (program, receiver) in RECEIVERS.items():
            if which(program) or not program:
                place = folder / f"{turn} {name}"
                place.mkdir()
                with receiver(place) as port:
                    rates.setdefault(name, []).append(options.slices / store(study, port))
    return rates


def turn_around(study: Path, options: argparse.Namespace, folder: Path) -> list[float]:
    """Seconds from the last object to the last result, less the quiet time."""
    spent = []
    with pacs() as (port, arrived):
        analysis = StudyAnalysis(load_detector(SHIPPED))
        for turn in range(options.turns):
            arrived.clear()
            with node(folder / f"busy{turn}", analysis, port, _QUIET) as one:
                store(study, one.receiver.port)
                begun = time.perf_counter()
                while one.ledger.states().get("done", 0) < 1:
                    time.sleep(0.02)
                    if one.ledger.states().get("failed"):
                        raise SystemExit(str(one.ledger.reasons()))
                spent.append(arrived[-1] - begun - _QUIET)
    return spent


def which(name: str) -> str | None:
    """A program, not pynetdicom's of the same name."""
    return shutil.which(name, path=_TOOLS)


def store(study: Path, port: int) -> float:
    """Send a folder; seconds."""
    begun = time.perf_counter()
    command = [
        which("storescu"),
        "-aet",
        "PACS",
        "-aec",
        "TUMORSCAN",
        "+sd",
        "127.0.0.1",
        str(port),
        str(study),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


@contextmanager
def node(store_folder: Path, analyse: Analyse, pacs_port: int, quiet: float) -> Iterator[Node]:
    """A running node."""
    settings = NodeSettings(
        store_folder,
        port=0,
        send_to=(Peer("PACS", "127.0.0.1", pacs_port),),
        patience=Patience(quiet=quiet, dropped=3600),
    )
    one = Node(settings, analyse, lambda _: None)
    one.start()
    try:
        yield one
    finally:
        one.stop()


@contextmanager
def our_node(folder: Path) -> Iterator[int]:
    """A node that only takes in."""
    with node(folder / "store", lambda *_: Outcome(), 9, 3600.0) as one:
        yield one.receiver.port


@contextmanager
def pacs() -> Iterator[tuple[int, list[float]]]:
    """Takes results and tells when."""
    arrived: list[float] = []

    def take(_: object) -> int:
        arrived.append(time.perf_counter())
        return 0

    entity = AE(ae_title="PACS")
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    yield server.socket.getsockname()[1], arrived
    server.shutdown()


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    """Dcmtk's receiver, which writes files and does no more."""
    port = free_port()
    (folder / "scp").mkdir()
    with running([which("storescp"), "-aet", "TUMORSCAN", "-od", str(folder / "scp"), str(port)], port):
        yield port


@contextmanager
def orthanc(folder: Path) -> Iterator[int]:
    """Orthanc as it comes."""
    port, configuration = free_port(), folder / "orthanc.json"
    configuration.write_text(
        json.dumps({
            "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
            "HttpPort": free_port(), "DicomPort": port, "DicomAet": "TUMORSCAN",
        })
    )  # fmt: skip
    with running([which("Orthanc"), str(configuration)], port):
        yield port


@contextmanager
def running(command: list[str | None], port: int) -> Iterator[None]:
    """A program, from when its port answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
        yield
    finally:
        process.kill()
        process.wait()


def until(works: Callable[[], None]) -> None:
    """Try for 30 s."""
    for _ in range(300):
        try:
            works()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("a receiver did not start")


def free_port() -> int:
    """Of loopback."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


RECEIVERS = {
    "tumorscan node": ("", our_node),
    "dcmtk storescp": ("storescp", storescp),
    "Orthanc": ("Orthanc", orthanc),
}

if __name__ == "__main__":
    main()
