"""What a node is told: who it is, whom it knows, and where its patience ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tumorscan.app.node.peer import Peer
from tumorscan.config.bounds import within
from tumorscan.errors import SettingsError


@dataclass(frozen=True)
class Limits:
    """What the node refuses.

    Attributes:
        object_bytes: of one object as sent.
        study_objects: in one study that waits or is worked on.
        waiting_objects: in all of those studies together.
        associations: at a time.
        free_bytes: of the disk that is left alone.
    """

    object_bytes: int = 512 * 1024**2
    study_objects: int = 10_000
    waiting_objects: int = 200_000
    associations: int = 10
    free_bytes: int = 1024**3

    def __post_init__(self) -> None:
        within(self, "object_bytes", 1024, 2**40)
        within(self, "study_objects", 1, 10**6)
        within(self, "waiting_objects", 1, 10**8)
        within(self, "associations", 1, 1000)
        within(self, "free_bytes", 0, 2**50)


@dataclass(frozen=True)
class Patience:
    """Times, in seconds.

    Attributes:
        quiet: after its last object a study counts as complete; an open association that brought some of it
            is waited for, up to the time for one that broke off.
        dropped: the same, after an association that broke off.
        first_retry: before a failed delivery is tried again; doubled each time.
        longest_retry: that it is doubled to.
        give_up: after its first try a delivery is given up.
        poll: between two questions to a DICOMweb server.
        keep: that pictures are kept after their results were sent.
        forget: that a study is remembered, so that it is not analysed twice.
        keep_failed: that those of a failed study are kept.
        study: that one study may be worked on before the node gives up on itself.
        stop: that a stopping node waits for the study at work.
    """

    quiet: float = 30.0
    dropped: float = 300.0
    first_retry: float = 5.0
    longest_retry: float = 3600.0
    give_up: float = 7 * 86400.0
    poll: float = 60.0
    keep: float = 0.0
    keep_failed: float = 7 * 86400.0
    forget: float = 365 * 86400.0
    study: float = 1800.0
    stop: float = 30.0

    def __post_init__(self) -> None:
        for name in ("quiet", "dropped", "first_retry", "longest_retry", "poll"):
            within(self, name, 0.01, 86400.0)
        for name in ("give_up", "keep", "keep_failed", "forget", "study", "stop"):
            within(self, name, 0.0, 3650 * 86400.0)


@dataclass(frozen=True)
class NodeSettings:
    """A node.

    Attributes:
        store: folder of everything that the node keeps; made, and for this user alone.
        aet: its AE title, by which it has to be called.
        host, port: where it listens for associations; port 0 takes a free one.
        send_to: where results of what came by C-STORE go.
        accept: AE titles that may call, besides those of `send_to`.
        dicomweb: servers that are asked for studies, and get the results of those.
        web_filter: what a study there has to match, by QIDO-RS keyword.
        web_days: that its date may lie back; 0: any date.
        limits, patience: see there.
        tls: certificate, key and the authority that peers are checked by; None: no TLS.
    """

    store: Path
    aet: str = "TUMORSCAN"
    host: str = "127.0.0.1"
    port: int = 11112
    send_to: tuple[Peer, ...] = ()
    accept: tuple[str, ...] = ()
    dicomweb: tuple[str, ...] = ()
    web_filter: dict[str, str] = field(default_factory=lambda: {"ModalitiesInStudy": "MR"})
    web_days: int = 7
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    tls: tuple[Path, Path, Path] | None = None

    def __post_init__(self) -> None:
        within(self, "port", 0, 65535)
        within(self, "web_days", 0, 36500)
        if not self.send_to and not self.dicomweb:
            raise SettingsError("results have nowhere to go: say --send-to AET@HOST:PORT or --dicomweb URL")
        if self.accept and not self.send_to:
            raise SettingsError("--accept needs --send-to, where the results of what comes by C-STORE go")

    @property
    def known(self) -> tuple[str, ...]:
        """AE titles that may call."""
        return tuple(dict.fromkeys((*self.accept, *(peer.aet for peer in self.send_to))))

    @property
    def listens(self) -> bool:
        """Whether associations are accepted at all."""
        return bool(self.send_to)
