"""Results on their way out: by C-STORE or STOW-RS, again and again with growing pauses until they arrive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from tumorscan.app.node.intake import class_name, remove
from tumorscan.app.node.loop import keep_going
from tumorscan.app.node.outbox import Delivery, Outbox
from tumorscan.app.node.peer import Peer, peer_from
from tumorscan.app.node.receiver import client_context
from tumorscan.app.node.record import Record, place
from tumorscan.app.node.settings import NodeSettings
from tumorscan.app.node.store import Store
from tumorscan.app.node.web import WebDown, stow
from tumorscan.errors import TumorscanError, require

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0


class NotDelivered(TumorscanError):
    """A peer did not take a result; it may yet.

    Attributes:
        gone: it would not take any other now.
    """

    def __init__(self, cause: str, *, gone: bool = False) -> None:
        super().__init__(cause)
        self.gone = gone


class Sender:
    """Empties the outbox.

    Args:
        settings: of the node.
        store: where results stand.
        outbox: what waits.
        record: told what was done.
    """

    def __init__(
        self,
        settings: NodeSettings,
        store: Store,
        outbox: Outbox,
        record: Record,
    ) -> None:
        self._settings = settings
        self._store = store
        self._outbox = outbox
        self._record = record
        self._gone: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; what a former node left is tried at once."""
        self._outbox.hasten(time.time())
        keep_going(self.step, stop, self._record)

    def step(self) -> bool:
        """Send what is due of one study to one peer; False where there was nothing to do."""
        deliveries = self._outbox.due(time.time())
        if not deliveries:
            return self._close()
        where = deliveries[0].destination
        left = {one.id: one for one in deliveries}
        try:
            for one in self._send(deliveries):
                self._outbox.sent(one)
                del left[one.id]
            problem = "some results were not taken"
        except (NotDelivered, WebDown) as error:
            problem = str(error)
            if error.gone:  # one try is enough for all that waits for this peer
                left |= {one.id: one for one in self._outbox.waiting_for(where, time.time())}
                self._gone.add(where)
        except Exception as error:  # noqa: BLE001 - whatever a peer's answer makes of the library: tried again
            problem = f"cannot be sent ({place(error)})"
        self._note_sent(deliveries, len([one for one in deliveries if one.id not in left]))
        self._note_left(list(left.values()), problem)
        self._close()
        self._delete_settled()
        return True

    def _close(self) -> bool:
        """Be done with studies of which nothing waits; whether there were any.

        The audit is told first: a node killed in between tells it twice, never not at all.
        """
        over = self._outbox.over()
        for study, state in over.items():
            line = "all results delivered" if state == "done" else "results could not be delivered"
            self._record.note(state, f"study {study[:12]}: {line}", study=study, what=line)
            self._outbox.close(study, state, "" if state == "done" else line, time.time())
        return bool(over)

    def _send(self, deliveries: list[Delivery]) -> Iterator[Delivery]:
        """Those that arrived, as they do."""
        where = deliveries[0].destination
        if where in self._settings.dicomweb:
            return self._by_web(deliveries, where)
        if any(str(peer) == where for peer in self._settings.send_to):
            return self._by_store(deliveries, peer_from(where))
        raise NotDelivered("is no peer of this node now: start it with the old --send-to or --dicomweb")

    def _by_web(self, deliveries: Iterable[Delivery], server: str) -> Iterator[Delivery]:
        for one in deliveries:
            stow(server, (self._store.folder / one.file).read_bytes())
            yield one

    def _by_store(self, deliveries: list[Delivery], peer: Peer) -> Iterator[Delivery]:
        require("pynetdicom", "node")
        import pydicom
        from pynetdicom import AE

        files = [(one, pydicom.dcmread(self._store.folder / one.file)) for one in deliveries]
        entity = AE(ae_title=self._settings.aet)
        entity.connection_timeout = _CONNECT_SECONDS
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _ANSWER_SECONDS
        for sop_class, syntax in {(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID) for _, ds in files}:
            # What every peer must know as well; pynetdicom writes it anew for one that knows no other.
            also = [] if syntax.is_compressed else [pydicom.uid.ImplicitVRLittleEndian]
            entity.add_requested_context(sop_class, [syntax, *also])
        tls = client_context(self._settings.tls)
        association = entity.associate(
            peer.host, peer.port, ae_title=peer.aet, tls_args=(tls, peer.host) if tls else None
        )
        if not association.is_established:
            raise NotDelivered("rejected us" if association.is_rejected else "is not there", gone=True)
        try:
            problem = ""
            for one, dataset in files:
                cause = _store(association, dataset)
                problem = problem or cause
                if not cause:
                    yield one
            if problem:
                raise NotDelivered(problem)
        finally:
            if association.is_established:
                association.release()

    def _note_sent(self, deliveries: list[Delivery], count: int) -> None:
        if not count:
            return
        study, where = deliveries[0].study, deliveries[0].destination
        self._record.note(
            "sent", f"study {study[:12]}: {count} results to {where}", study=study, peer=where, objects=count
        )
        if where in self._gone:  # it is back: what waits for it need not wait its time
            self._gone.discard(where)
            self._outbox.hasten(time.time(), where)

    def _note_left(self, left: list[Delivery], problem: str) -> None:
        if not left:
            return
        wait = self._outbox.later(left, time.time())
        then = "given up" if wait is None else f"again in {wait:.0f} s"
        where, studies = left[0].destination, sorted({one.study for one in left})
        named = f"study {studies[0][:12]}" if len(studies) == 1 else f"{len(studies)} studies"
        self._record.note(
            "gave up" if wait is None else "retry",
            f"{named}: {len(left)} results not delivered: {where} {problem}; {then}",
            studies=studies, peer=where, objects=len(left), cause=problem, seconds=wait,
        )  # fmt: skip

    def _delete_settled(self) -> None:
        for file in self._outbox.settled():
            remove(self._store.folder / file)
            self._outbox.deleted(file)


def _store(association: Any, dataset: Any) -> str:
    """Send one object; returns why it was not taken, '' where it was."""
    name = class_name(dataset.SOPClassUID)
    if not association.is_established:
        return "broke off"
    try:
        status = association.send_c_store(dataset).get("Status")
    except ValueError:
        return f"does not take {name}"
    if status is None:
        return "broke off"
    # PS3.4, table B.2-1: Bxxx are warnings, of an object that was kept.
    if status == 0x0000 or status >> 12 == 0xB:
        return ""
    return f"answered 0x{status:04X} to {name}"
