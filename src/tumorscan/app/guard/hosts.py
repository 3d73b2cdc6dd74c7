"""The Host header: a page elsewhere whose name was pointed at this machine (DNS rebinding) gets nothing."""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import ip_address

from tumorscan.app.problems import Refusal


class Hosts:
    """Takes addresses, which no name server can point elsewhere, and names: this machine's and given ones.

    Args:
        names: that the server is known by besides its own.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in names)}

    def check(self, host: str) -> None:
        """Let a request pass, by its Host header.

        Raises:
            Refusal: it names another machine, or nothing.
        """
        name = _without_port(host).lower().rstrip(".")
        if name in self._names or _is_address(name):
            return
        raise Refusal(
            400,
            f"this server is not known as {name[:100]!r}: ask it by its address, or name it in --allow-host",
        )


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine's alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
