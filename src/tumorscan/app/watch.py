"""Looks after a new bundle: when its folder changes, or when the process is told to by SIGHUP."""

from __future__ import annotations

import signal
import threading
from types import TracebackType

from tumorscan.app.service import Service

_EVERY_SECONDS = 2.0


class Watch:
    """A thread that reloads a service's bundle once its folder has changed and is quiet again.

    Args:
        service: whose bundle is watched.
        every: seconds between two looks.
    """

    def __init__(self, service: Service, every: float = _EVERY_SECONDS) -> None:
        self._service, self._every = service, every
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._look, name="tumorscan-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGHUP, lambda *_: self.now())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._wake.set()
        self._thread.join()

    def now(self) -> None:
        """Reload at once, changed or not."""
        self._wake.set()

    def _look(self) -> None:
        waiting_for_quiet: object = None
        while True:
            told = self._wake.wait(self._every)
            self._wake.clear()
            if self._ended:
                return
            if told:
                self._service.reload()
                continue
            seen = self._service.seen_on_disk()
            if seen == self._service.loaded_stamp:
                waiting_for_quiet = None
            elif seen == waiting_for_quiet:
                self._service.reload()
            else:
                # A copy takes a while; what is half there would be refused, so wait until it stands still.
                waiting_for_quiet = seen
