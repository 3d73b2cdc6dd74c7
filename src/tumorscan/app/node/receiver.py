"""The door for associations: C-STORE and C-ECHO from those who are known, answered at once."""

from __future__ import annotations

import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tumorscan.app.node.intake import CANNOT_UNDERSTAND, Intake, Refused
from tumorscan.app.node.ledger import Ledger
from tumorscan.app.node.record import Record, shown
from tumorscan.app.node.settings import NodeSettings
from tumorscan.errors import EnvironmentProblem, SettingsError, require

# What a PDU and the command set may add to an object of the size that is allowed.
_OVERHEAD = 1 << 20
_NETWORK_SECONDS = 60.0


@dataclass
class _Call:
    """What one association has brought so far."""

    bytes: int = 0
    became: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    studies: set[str] = field(default_factory=set)
    dropped: bool = False


class Receiver:
    """A C-STORE and C-ECHO SCP by pynetdicom; a thread for each association."""

    def __init__(self, settings: NodeSettings, intake: Intake, ledger: Ledger, record: Record) -> None:
        self._settings = settings
        self._intake = intake
        self._ledger = ledger
        self._record = record
        self._calls: dict[int, _Call] = {}
        self._lock = threading.Lock()
        self._server: Any = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.socket.getsockname()[1])

    def bringing(self) -> set[str]:
        """Studies of which an association that is still open has brought something."""
        with self._lock:
            return set().union(*(call.studies for call in self._calls.values()))

    def start(self) -> None:
        """Listen.

        Raises:
            EnvironmentProblem: the port is in use or not ours to take, or the address is not this machine's.
        """
        require("pynetdicom", "node")
        from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
        from pynetdicom.sop_class import Verification

        settings = self._settings
        entity = AE(ae_title=settings.aet)
        entity.require_called_aet = True
        entity.require_calling_aet = list(settings.known)
        entity.maximum_associations = settings.limits.associations
        entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = _NETWORK_SECONDS
        entity.add_supported_context(Verification)
        # All are agreed to, so that what we do not take is refused by its name and not by a number.
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, list(ALL_TRANSFER_SYNTAXES))
        handlers = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_DATA_RECV, self._weigh),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_PDU_SENT, self._sent),
            (evt.EVT_ABORTED, self._dropped),
            (evt.EVT_CONN_CLOSE, self._dropped),
        ]
        where = (settings.host, settings.port)
        try:
            self._server = entity.start_server(
                where, block=False, evt_handlers=handlers, ssl_context=server_context(settings.tls)
            )
        except OSError as error:
            raise EnvironmentProblem(
                f"port {settings.port} on {settings.host} cannot be opened ({error.strerror}): "
                "choose another with --port or --host"
            ) from error

    def stop(self) -> None:
        """Take no more associations, and end those that are open."""
        if self._server is not None:
            self._server.shutdown()
            for association in self._server.active_associations:
                association.abort()

    def _call(self, association: Any) -> _Call:
        with self._lock:
            return self._calls.setdefault(id(association), _Call())

    def _weigh(self, event: Any) -> None:
        """Break off an association before one object of it fills the memory."""
        call = self._call(event.assoc)
        call.bytes += len(event.data)
        if 0 <= call.bytes - self._settings.limits.object_bytes - _OVERHEAD < len(event.data):
            self._note(
                event, "refused", f"an object is larger than {self._settings.limits.object_bytes} bytes"
            )
            # Not from here: this is the thread that an abort waits for.
            threading.Thread(target=event.assoc.abort, daemon=True).start()

    def _store(self, event: Any) -> Any:
        """A C-STORE request; returns its status."""
        call = self._call(event.assoc)
        call.bytes = 0

        def hold(study: str) -> None:
            with self._lock:
                call.studies.add(study)

        try:
            became = self._intake.take(event.encoded_dataset(), hold=hold)
        except Refused as refusal:
            return self._refuse(event, call, refusal)
        except Exception as error:  # noqa: BLE001 - an answer is owed, and the message could name a person
            return self._refuse(
                event, call, Refused(CANNOT_UNDERSTAND, f"cannot be kept ({type(error).__name__})")
            )
        with self._lock:
            call.became[became] += 1
            dropped = call.dropped
        if dropped:  # meanwhile, by another thread, which could not postpone what was not in the queue
            self._postpone(call)
        return 0x0000

    def _refuse(self, event: Any, call: _Call, refusal: Refused) -> Any:
        from pydicom.dataset import Dataset

        cause = str(refusal)
        call.refused[cause] += 1
        if call.refused[cause] == 1:  # the others are counted at the end
            self._note(event, "refused", f"an object {cause}", status=f"0x{refusal.status:04X}")
        answer = Dataset()
        answer.Status = refusal.status
        answer.ErrorComment = cause[:64]
        return answer

    def _rejected(self, event: Any) -> None:
        self._forget(event.assoc)
        caller = shown(event.assoc.requestor.ae_title)
        if event.assoc.requestor.ae_title.strip() not in self._settings.known:
            cause = f"it is not known here (--accept {caller} lets it in)"
        else:
            called = shown(event.assoc.acceptor.ae_title)
            cause = (
                f"it called {shown(event.assoc.requestor.primitive.called_ae_title)}, and this is {called}"
            )
        self._note(event, "rejected", f"association rejected: {cause}")

    def _sent(self, event: Any) -> None:
        """The answer to a release ends an association well.

        EVT_RELEASED comes in another thread, where the connection may be closed by then.
        """
        from pynetdicom.pdu import A_RELEASE_RP

        if isinstance(event.pdu, A_RELEASE_RP):
            call = self._forget(event.assoc)
            if call is not None:
                self._sum_up(event, call, "")

    def _dropped(self, event: Any) -> None:
        with self._lock:
            call = self._calls.get(id(event.assoc))
            if call is None:  # was released, or brought nothing
                return
            call.dropped = True
        # While its studies are still held: forgotten first, half of one could be complete in between.
        self._postpone(call)
        if self._forget(event.assoc) is not None:
            self._sum_up(event, call, "association broke off; ")

    def _postpone(self, call: _Call) -> None:
        with self._lock:
            studies = sorted(call.studies)
        if studies:
            try:
                self._ledger.postpone(studies, time.time() + self._settings.patience.dropped)
            except EnvironmentProblem as error:
                self._record.tell(str(error))

    def _sum_up(self, event: Any, call: _Call, before: str) -> None:
        if not (call.became or call.refused or before):
            return
        counts = {**call.became, "refused": sum(call.refused.values())}
        words = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing"
        self._note(
            event, "dropped" if before else "received", f"{before}objects: {words}",
            studies=sorted(call.studies), objects=counts,
        )  # fmt: skip

    def _forget(self, association: Any) -> _Call | None:
        with self._lock:
            return self._calls.pop(id(association), None)

    def _note(self, event: Any, kind: str, line: str, **facts: Any) -> None:
        caller = shown(event.assoc.requestor.ae_title)
        self._record.note(kind, f"{caller or 'an unknown caller'}: {line}", peer=caller, what=line, **facts)


def server_context(tls: tuple[Path, Path, Path] | None) -> ssl.SSLContext | None:
    """TLS for those who call: both sides show a certificate.

    Raises:
        SettingsError: a file is missing or no certificate or key.
    """
    return _context(tls, ssl.Purpose.CLIENT_AUTH)


def client_context(tls: tuple[Path, Path, Path] | None) -> ssl.SSLContext | None:
    """TLS for those whom we call; see `server_context`."""
    return _context(tls, ssl.Purpose.SERVER_AUTH)


def _context(tls: tuple[Path, Path, Path] | None, purpose: ssl.Purpose) -> ssl.SSLContext | None:
    if tls is None:
        return None
    certificate, key, authority = tls
    try:
        context = ssl.create_default_context(purpose, cafile=str(authority))
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"--tls-cert {certificate}, --tls-key {key}, --tls-ca {authority}: {error}"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    return context
