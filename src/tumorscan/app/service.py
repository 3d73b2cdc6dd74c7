"""What answers behind the page and the API: one bundle in memory, a bounded queue, batches across users."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tumorscan.app.loaded import LoadedBundle, Stamp, stamp
from tumorscan.config import SHIPPED, ReadLimits
from tumorscan.detect.detector import Detector
from tumorscan.detect.engine import usable_cores
from tumorscan.detect.engines import AUTO
from tumorscan.detect.explain import Explanation
from tumorscan.detect.stack import Progress, StackSettings
from tumorscan.detect.volume import find_volume
from tumorscan.errors import EnvironmentProblem, SettingsError, TumorscanError
from tumorscan.read import read_bytes
from tumorscan.types import Finding, Prepared, Scan, Volume, VolumeFinding

LOG = logging.getLogger("tumorscan.serve")
SERVED_LIMITS = ReadLimits(max_bytes=32 * 1024 * 1024, max_pixels=32 * 1024 * 1024)
"""What a server takes of one picture, unless told otherwise."""

_LONGEST_WAIT = 60
_UNKNOWN_SECONDS = 0.1  # a picture, before any was measured


class Overloaded(EnvironmentProblem):
    """More is waiting than the queue takes, or the service is stopping.

    Attributes:
        retry_after: whole seconds after which it is worth another try.
    """

    def __init__(self, cause: str, retry_after: int) -> None:
        super().__init__(f"{cause}: try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Capacity:
    """How much is taken on at once; none of it changes an answer.

    Attributes:
        waiting: pictures that are accepted and not answered yet; one more gets `Overloaded`.
        batch: pictures that the network sees at once.
        workers: threads that read and prepare; 0 means one a core.
    """

    waiting: int = 128
    batch: int = 16
    workers: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("waiting", 1, 100_000), ("batch", 1, 1024), ("workers", 0, 256)):
            if not low <= (value := getattr(self, name)) <= high:
                raise SettingsError(f"{name} is {value}: it must lie in [{low}, {high}]")


class Service:
    """Answers for many users at once; every method may be called from any thread.

    Args:
        path: folder of a bundle, or of a run that holds one.
        engine: as `load_engine` takes it.
        operating_point: the default one of requests that name none; the bundle's if empty.
        capacity: how much is taken on at once.
        limits: what the reader refuses.
        on_batch: told the size of every batch that the network ran.

    Attributes:
        problem: why the newest state of the bundle's folder is not what answers; empty where it is.
        stopping: nothing new is accepted.
        reloads: how often another bundle took over.

    Raises:
        BundleError: the bundle is absent, damaged, never fitted, or has no file for the engine.
        EnvironmentProblem: the engine is not installed, or there is no room for the bundle's copy.
        SettingsError: there is no such engine or operating point.
    """

    def __init__(
        self,
        path: str | Path = SHIPPED,
        engine: str = AUTO,
        *,
        operating_point: str = "",
        capacity: Capacity | None = None,
        limits: ReadLimits = SERVED_LIMITS,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self.capacity = capacity or Capacity()
        self.limits = limits
        self.problem = ""
        self.stopping = False
        self.reloads = 0
        self._path, self._engine, self._point = Path(path), engine, operating_point
        self._on_batch = on_batch
        self._preparing = threading.Semaphore(self.capacity.workers or usable_cores())
        self._changed = threading.Condition()
        self._accepted = 0
        self._loading = threading.Lock()
        self._stamp: Stamp = stamp(self._path)
        self._loaded = self._load()

    @property
    def detector(self) -> Detector:
        """At the default operating point; the one object stays whole when another bundle takes over."""
        return self.detector_at()

    @property
    def points(self) -> tuple[str, ...]:
        """Names of the bundle's operating points, its default first."""
        return self._loaded.points

    @property
    def accepted_now(self) -> int:
        """Pictures that are accepted and not answered yet."""
        return self._accepted

    def detector_at(self, operating_point: str = "") -> Detector:
        """At an operating point.

        Raises:
            SettingsError: there is none of that name.
        """
        return self._loaded.detector(operating_point or self._point)

    @contextmanager
    def accepted(self, pictures: int = 1) -> Iterator[None]:
        """Room for so many pictures until they are answered; what the other methods take for themselves.

        Raises:
            Overloaded: there is none, or the service is stopping.
        """
        with self._changed:
            if self.stopping:
                raise Overloaded("the service is stopping", 5)
            if self._accepted + pictures > self.capacity.waiting:
                raise Overloaded(f"{self._accepted} pictures are waiting", self._seconds_until_free())
            self._accepted += pictures
        try:
            yield
        finally:
            with self._changed:
                self._accepted -= pictures
                self._changed.notify_all()

    def find(self, scan: Scan, *, operating_point: str = "") -> Finding:
        """The answer for a scan, as `Detector.find` gives it.

        Raises:
            Overloaded: the queue is full.
            SettingsError: there is no such operating point.
            UnreadableScan: the preparation's refusal.
        """
        with self.accepted():
            return self.answer(lambda: scan, operating_point)

    def find_bytes(self, data: bytes, name: str, *, operating_point: str = "") -> Finding:
        """The answer for a picture file in memory.

        Raises:
            Overloaded: the queue is full.
            SettingsError: there is no such operating point.
            UnreadableScan: the reader's or the preparation's refusal.
        """
        with self.accepted():
            return self.answer(lambda: read_bytes(data, name, self.limits), operating_point)

    def explain(self, scan: Scan, *, operating_point: str = "") -> tuple[Prepared, Finding, Explanation]:
        """The answer for a scan, the steps of its preparation, and what spoke for the answer.

        Raises:
            As `find`; BundleError: the bundle was never exported, so that it has nothing to explain with.
        """
        with self.accepted():
            detector, times = self.detector_at(operating_point), dict[str, float]()
            with self._preparing:
                begun = time.perf_counter()
                prepared = detector.prepare(scan, keep_steps=True)
                times["prepare"] = _ms(begun)
            return prepared, *detector.explain(scan, prepared, times)

    def find_volume(
        self, volume: Volume, *, operating_point: str = "", progress: Progress | None = None
    ) -> VolumeFinding:
        """The answer for a volume; its slices share batches with what else is asked.

        No queue is asked for room: whoever sends volumes bounds how many there are at once.

        Raises:
            SettingsError: there is no such operating point.
            BundleError: the bundle has a gate, and the engine keeps no embedding for it.
        """
        settings = StackSettings(self.capacity.batch, self.capacity.workers)
        return find_volume(self.detector_at(operating_point), volume, progress=progress, settings=settings)

    def answer(self, read: Callable[[], Scan], operating_point: str = "") -> Finding:
        """The answer for a picture that is accepted already.

        Args:
            read: gives the scan; called, as the preparation is, by no more threads than there are workers.
            operating_point: its name.
        """
        detector, times = self.detector_at(operating_point), dict[str, float]()
        with self._preparing:
            begun = time.perf_counter()
            scan = read()
            times["read"] = _ms(begun)
            name, notes, sha256 = scan.name, scan.notes, scan.sha256
            if reasons := detector.plain_reasons(scan):
                return detector.refusal(name, reasons, notes, times, sha256=sha256)
            begun = time.perf_counter()
            pixels = detector.prepare(scan).pixels
            times["prepare"] = _ms(begun)
            del scan  # large, and not needed while the picture waits for the network
        begun = time.perf_counter()
        scores = detector.engine.run(pixels[None])
        times["infer"] = _ms(begun)
        return detector.judged(name, scores, 0, notes, times, sha256=sha256)

    def reload(self) -> bool:
        """Put the folder's present bundle in the place of the one in memory, if it is whole.

        Requests in flight are answered by the bundle that they began with. A bundle that cannot be used
        leaves the old one in place; `problem` and the log say why.
        """
        with self._loading:
            seen = stamp(self._path)
            try:
                fresh = self._load()
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the old one answers
                self._stamp, self.problem = seen, str(error) or type(error).__name__
                LOG.warning("the new bundle was not taken, %s goes on: %s", self.detector.model, self.problem)
                return False
            old, self._loaded = self._loaded, fresh
            self._stamp, self.problem = seen, ""
            self.reloads += 1
            LOG.warning("bundle %s answers from now on, in place of %s", self.detector.model, _title(old))
        old.close()
        return True

    @property
    def loaded_stamp(self) -> Stamp:
        """The state of the bundle's folder that was last loaded, or refused."""
        return self._stamp

    def seen_on_disk(self) -> Stamp:
        """The state of the bundle's folder now."""
        return stamp(self._path)

    def stop(self, seconds: float = 30.0) -> bool:
        """Accept nothing more and wait until what was accepted is answered; whether all of it was.

        Args:
            seconds: to wait at most.
        """
        with self._changed:
            self.stopping = True
            return self._changed.wait_for(lambda: not self._accepted, seconds)

    def close(self) -> None:
        """End the engine's thread, after what waits for it."""
        self._loaded.close()

    def _load(self) -> LoadedBundle:
        loaded = LoadedBundle(self._path, self._engine, batch=self.capacity.batch, on_batch=self._on_batch)
        try:
            loaded.detector(self._point)
        except TumorscanError:
            loaded.close()
            raise
        return loaded

    def _seconds_until_free(self) -> int:
        each = self._loaded.engine.seconds or _UNKNOWN_SECONDS
        return min(max(math.ceil(self._accepted * each), 1), _LONGEST_WAIT)


def _title(loaded: LoadedBundle) -> str:
    return loaded.bundle.manifest.title


def _ms(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1e3, 3)
