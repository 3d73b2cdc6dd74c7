"""`tumorscan app` under load on loopback, beside its bulk rate and the original's page under the same load.

    python benchmarks/serve.py [--data FOLDER] [--seconds 20] [--minutes 10] [--write]

At 1, 8 and 64 users, ours and the original's take turns, so that a busy machine slows both. `--minutes` is
how long memory is watched under 8 users (0: not at all). `--write` puts the tables into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import contestants
import environments
import numpy as np
from load import Load, ask_gradio, ask_ours, run
from marked import write_block
from processes import Worker, clean_environment, cpu_seconds, tree_rss

from tumorscan.data.phantom import write_phantoms
from tumorscan.read.files import list_files

WAYS = Path(__file__).resolve().parent / "ways"
SHIPPED = environments.ROOT / "src" / "tumorscan" / "bundles" / "default"
USERS = (1, 8, 64)
BULK_PICTURES = 200
TARGET_SHARE, TARGET_RATIO = 0.9, 8.0
_START_SECONDS = 180


def main() -> None:
    """Serve both, load both, watch memory, tell."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        pictures = _pictures(options, Path(scratch))
        begun = os.getloadavg()[0]
        with _ours(options.model) as ours, _original(options.envs) as theirs, _bulk(options.model) as bulk:
            table = _loads(ours, theirs, bulk, pictures, options.seconds)
        memory = _memory(options, pictures)
    text = _report(options, table, memory, begun)
    print(text)
    if options.write:
        write_block("serve", text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--data", type=Path, help="a folder of pictures; default: drawn ones")
    parser.add_argument("--files", type=int, default=100, help="different pictures at most (default: 100)")
    parser.add_argument("--envs", type=Path, default=environments.default_folder())
    parser.add_argument("--seconds", type=float, default=20, help="of each load (default: 20)")
    parser.add_argument("--minutes", type=float, default=10, help="that memory is watched (default: 10)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    return parser.parse_args()


def _pictures(options: argparse.Namespace, scratch: Path) -> list[Path]:
    if options.data is None:
        write_phantoms(scratch / "phantoms", options.files, 1)
        return sorted((scratch / "phantoms").rglob("*.png"))
    found = [one for one in list_files([options.data.resolve()]) if one.suffix.lower() != ".csv"]
    return found[:: max(1, len(found) // options.files)][: options.files]


@contextmanager
def _served(command: Sequence[str | Path], port: int, path: str) -> Iterator[tuple[int, int]]:
    """Port and process id of a server that answers."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=clean_environment())
        try:
            end = time.monotonic() + _START_SECONDS
            while not _answers(f"http://127.0.0.1:{port}{path}"):
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    text = log.read().decode(errors="replace")[-1500:]
                    raise SystemExit(f"{' '.join(map(str, command))}: does not serve\n{text}")
                time.sleep(0.2)
            yield port, process.pid
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _ours(model: Path) -> Iterator[tuple[int, int]]:
    port = _free_port()
    command = [sys.executable, "-m", "tumorscan.app.cli", "app", "--model", model, "--port", str(port)]
    with _served(command, port, "/readyz") as served:
        yield served


@contextmanager
def _original(envs: Path) -> Iterator[tuple[int, int]]:
    port = _free_port()
    contestants.original(envs)  # makes the model, once
    command = [sys.executable, WAYS / "original_page.py", envs / "original.keras", str(port)]
    with _served(command, port, "/") as served:
        yield served


def _bulk(model: Path) -> Worker:
    return Worker([sys.executable, WAYS / "tumorscan_way.py", model])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _loads(
    ours: tuple[int, int], theirs: tuple[int, int], bulk: Worker, pictures: Sequence[Path], seconds: float
) -> list[dict[str, Any]]:
    """A row a number of users: both loads, the bulk rate around ours, and what each used of the cores."""
    run(ask_ours, ours[0], pictures, 4, 3)
    run(ask_gradio, theirs[0], pictures, 2, 3)
    files = [str(pictures[number % len(pictures)]) for number in range(BULK_PICTURES)]
    bulk.ask(do="bulk", files=files[:32])
    rows = []
    for users in USERS:
        used = [cpu_seconds(pid) for pid in (bulk.pid, ours[1], theirs[1])]
        rates = [BULK_PICTURES / bulk.ask(do="bulk", files=files)["seconds"]]
        our_load = run(ask_ours, ours[0], pictures, users, seconds)
        rates.append(BULK_PICTURES / bulk.ask(do="bulk", files=files)["seconds"])
        their_load = run(ask_gradio, theirs[0], pictures, users, seconds)
        used = [cpu_seconds(pid) - one for pid, one in zip((bulk.pid, ours[1], theirs[1]), used, strict=True)]
        counts = (2 * BULK_PICTURES, len(our_load.milliseconds), len(their_load.milliseconds))
        cpu = [1e3 * one / max(count, 1) for one, count in zip(used, counts, strict=True)]
        rows.append(
            {
                "users": users,
                "ours": our_load,
                "theirs": their_load,
                "bulk": float(np.mean(rates)),
                "cpu": cpu,
            }
        )
        print(f"{users} users: {our_load.rate:.1f} and {their_load.rate:.1f} a second", file=sys.stderr)
    return rows


def _memory(options: argparse.Namespace, pictures: Sequence[Path]) -> dict[str, float]:
    """Resident memory of a fresh server under 8 users: minutes and MB, and its growth in its second half."""
    if not options.minutes:
        return {}
    times, held, answered, errors = [], [], 0, 0
    with _ours(options.model) as (port, pid):
        begun = time.monotonic()
        while time.monotonic() - begun < 60 * options.minutes:
            load = run(ask_ours, port, pictures, 8, 5)
            answered, errors = answered + len(load.milliseconds), errors + load.errors
            times.append((time.monotonic() - begun) / 60)
            held.append(tree_rss(pid) / 1e6)
    half = len(times) // 2
    slope = float(np.polyfit(times[half:], held[half:], 1)[0]) if len(times) - half > 1 else float("nan")
    return {
        "minutes": options.minutes,
        "answered": answered,
        "errors": errors,
        "first": held[0],
        "middle": held[half],
        "last": held[-1],
        "most": max(held),
        "a_minute": slope,
    }


def _report(
    options: argparse.Namespace, rows: Sequence[dict[str, Any]], memory: dict[str, float], load: float
) -> str:
    model = json.loads((options.model / "bundle.json").read_text(encoding="utf-8"))
    what = options.data.name if options.data else "drawn by tumorscan phantom"
    where = (
        f"{model['name']} {model['version']}, pictures: {what}, {options.seconds:g} s a load; users and both "
        f"servers on the same {os.cpu_count()} cores; {datetime.now(UTC).isoformat(timespec='minutes')}; "
        f"load of the machine when it began {load:.1f}, when it ended {os.getloadavg()[0]:.1f}."
    )
    return "\n\n".join((_table(rows), _targets(rows[-1]), *_flat(memory), where))


def _table(rows: Sequence[dict[str, Any]]) -> str:
    times = "p50 ms", "p95 ms", "p99 ms"
    heads = (
        "users",
        "who",
        "answers/s",
        *times,
        "503",
        "errors",
        "core ms an answer",
        "of bulk",
        "times theirs",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        share, ratio = _share_and_ratio(row)
        of_bulk = f"{100 * share:.0f} % of {row['bulk']:.1f}/s"
        _, our_cpu, their_cpu = row["cpu"]
        lines.append(_row("tumorscan app", row["ours"], our_cpu, of_bulk, f"{ratio:.1f}x"))
        lines.append(_row("the original's page", row["theirs"], their_cpu, "", ""))
    return "\n".join(lines)


def _targets(row: dict[str, Any]) -> str:
    share, ratio = _share_and_ratio(row)
    bulk, ours, theirs = row["cpu"]
    return (
        f"Targets at {row['users']} users: {100 * TARGET_SHARE:.0f} % of the bulk rate: "
        f"{_met(share >= TARGET_SHARE)} ({100 * share:.0f} %); {TARGET_RATIO:.0f} times the original's page: "
        f"{_met(ratio >= TARGET_RATIO)} ({ratio:.1f}x). Of the cores an answer took {ours:.0f} ms, in bulk "
        f"{bulk:.0f} ms, and {theirs:.0f} ms from the original's page, {theirs / ours:.1f} times ours; that "
        "depends less than the rates on what else the machine does."
    )


def _share_and_ratio(row: dict[str, Any]) -> tuple[float, float]:
    ours, theirs = row["ours"].rate, row["theirs"].rate
    return ours / row["bulk"], ours / theirs if theirs else float("inf")


def _flat(memory: dict[str, float]) -> Iterator[str]:
    if memory:
        yield (
            f"Memory under 8 users for {memory['minutes']:g} minutes ({memory['answered']:.0f} answers, "
            f"{memory['errors']:.0f} errors): {memory['first']:.0f} MB after 5 s, {memory['middle']:.0f} MB "
            f"half way, {memory['last']:.0f} MB at the end, {memory['most']:.0f} MB at most; "
            f"{memory['a_minute']:+.2f} MB a minute in the second half."
        )


def _row(name: str, load: Load, cpu: float, share: str, ratio: str) -> str:
    times = " | ".join(f"{load.percentile(p):.0f}" for p in (50, 95, 99))
    refused = load.statuses.get(503, 0)
    counted = f"{refused} | {load.errors} | {cpu:.0f}"
    return f"| {load.users} | {name} | {load.rate:.1f} | {times} | {counted} | {share} | {ratio} |"


def _met(yes: bool) -> str:
    return "met" if yes else "**missed**"


if __name__ == "__main__":
    main()
