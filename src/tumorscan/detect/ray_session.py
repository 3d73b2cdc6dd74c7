"""A Ray to work on: a quiet one of this machine's own for the time of a run, or a cluster that runs."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tumorscan.detect.shard import cores
from tumorscan.errors import EnvironmentProblem, SettingsError, muted, require

# In bytes; names of files and rows are all that passes through it, no picture does.
_STORE = 128 << 20
# The switch that keeps Ray on the loopback interface; its name says where that is the default.
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@dataclass(frozen=True)
class Cluster:
    """Where Ray runs.

    Attributes:
        address: of a running cluster, HOST:PORT or "auto"; empty starts Ray on this machine and ends
            it with the run.
        workers: of one core each; 0 for one a core, of this machine or of the cluster.
    """

    address: str = ""
    workers: int = 0

    def __post_init__(self) -> None:
        if self.address.startswith("ray://"):
            raise SettingsError(
                f"{self.address}: an address of the Ray client: run this on a machine of the cluster and "
                "give HOST:PORT of its head, or auto"
            )
        if not 0 <= self.workers <= 100_000:
            raise SettingsError(
                f"workers is {self.workers}: it must lie in [1, 100000], or be 0 for one a core"
            )


def check_ray(cluster: Cluster) -> None:
    """Refuse work on Ray before anything else is done.

    Raises:
        MissingExtra: Ray Data is not installed.
    """
    _set_environment(local=not cluster.address)
    require("ray", "scale")
    require("ray.data", "scale")


@contextmanager
def running(ray: Any, cluster: Cluster) -> Iterator[None]:
    """Ray, for the time of the block; where this process has one already, that one.

    A Ray of our own listens on the loopback interface only, wants a secret from who connects, has no
    dashboard, and keeps its logs in a folder that goes with it.

    Raises:
        EnvironmentProblem: it cannot start or be reached.
    """
    if ray.is_initialized():
        yield
        return
    if not cluster.address and os.environ.get(_LOOPBACK) != "0":
        raise EnvironmentProblem(
            "Ray was imported before it could be told to stay on this machine: call ray.init() yourself first"
        )
    quiet = {"log_to_driver": False, "logging_level": "critical"}
    # Not the user's TMPDIR: a socket's path may have some 100 characters, and Ray needs 70 of them.
    place = "/tmp" if os.name == "posix" else None  # noqa: S108 - a fresh folder of our own in it
    with tempfile.TemporaryDirectory(prefix="tumorscan-", dir=place, ignore_cleanup_errors=True) as folder:
        own = {
            "num_cpus": cluster.workers or cores(),
            "object_store_memory": _STORE,
            "include_dashboard": False,
            "_temp_dir": folder,
        }
        try:
            with muted():
                ray.init(address=cluster.address or "local", **quiet, **({} if cluster.address else own))
        except Exception as error:  # Ray's have no base of their own here
            raise _unreachable(cluster, error) from error
        try:
            _silence(ray)
            yield
        finally:
            ray.shutdown()


def _set_environment(*, local: bool) -> None:
    """What Ray reads when it is imported."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if local and "ray" not in sys.modules:
        os.environ[_LOOPBACK] = "0"
        # Other users of this machine can reach the loopback interface too.
        if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _silence(ray: Any) -> None:
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    ray.data.DataContext.get_current().enable_progress_bars = False


def _unreachable(cluster: Cluster, error: Exception) -> EnvironmentProblem:
    cause = _first_line(error)
    if cluster.address:
        return EnvironmentProblem(
            f"Ray at {cluster.address} does not answer ({cause}): start it with `ray start --head` and give "
            "the address that it prints"
        )
    return EnvironmentProblem(
        f"Ray cannot start ({cause}): it needs free cores and some space in /tmp; or leave out --scale ray"
    )


@contextmanager
def named(ray: Any) -> Iterator[None]:
    """Give Ray's errors a name of ours.

    Raises:
        EnvironmentProblem: Ray lost the work for good.
    """
    try:
        yield
    except ray.exceptions.RayError as error:
        raise EnvironmentProblem(
            f"Ray gave up ({_first_line(error)}): what is done is kept; mend that and run the same command "
            "again to go on"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0].rstrip(".")[:200]
