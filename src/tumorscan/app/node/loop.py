"""A step again and again until told to stop: how worker and sender run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from tumorscan.app.node.record import Record
from tumorscan.errors import EnvironmentProblem

IDLE_SECONDS: Final = 0.1


def keep_going(step: Callable[[], bool], stop: threading.Event, record: Record) -> None:
    """Take steps until told to stop; the one that is begun is finished first.

    Args:
        step: False where there was nothing to do, which is asked again after a pause. What the machine does
            not let it do (a full disk) is told, and tried again.
        stop: set to end.
        record: is told.
    """
    while not stop.is_set():
        try:
            busy = step()
        except EnvironmentProblem as error:
            record.tell(str(error))
            busy = False
        if not busy:
            stop.wait(IDLE_SECONDS)
