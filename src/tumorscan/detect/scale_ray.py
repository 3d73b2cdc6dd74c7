"""The same bulk work on Ray Data: shards of files to rows, by workers of one core here or on a cluster.

A shard goes to whichever worker is free; when a worker dies, Ray starts another and gives it the shard
again. Rows come back as shards end, in any order, and `bulk` journals them as it does its own.
"""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from functools import partial
from itertools import islice
from typing import Final

from tumorscan import __version__
from tumorscan.detect.bulk import Work, fingerprint_of
from tumorscan.detect.detector import Detector, load_detector
from tumorscan.detect.ray_session import Cluster, check_ray, named, running
from tumorscan.detect.rows import Item, Row
from tumorscan.detect.shard import BulkSettings, rows
from tumorscan.errors import (
    BundleError,
    DataError,
    EnvironmentProblem,
    SettingsError,
    TumorscanError,
    require,
)

# A shard takes seconds: long beside what Ray needs to hand it out, short to do again when a worker dies.
_SHARD_FILES = 64
# So many files a core are given to Ray at a time, some minutes of work: what the driver and the object
# store hold does not grow with the list.
_WAVE_FILES = 4096
# A shard that kills its worker each time ends the run: it would go round for ever.
_RETRIES = 3
_KINDS: Final[dict[str, type[TumorscanError]]] = {
    kind.__name__: kind for kind in (SettingsError, DataError, BundleError, EnvironmentProblem)
}


def work_on_ray(detector: Detector, cluster: Cluster, carried: Sequence[str], settings: BulkSettings) -> Work:
    """What `predict_all` takes as `work`, done by Ray.

    Workers load the detector from its folder and read the files where they lie, so both have the same
    path on all machines. A worker whose detector would give other answers refuses to work. A process in
    which Ray runs already uses that one, and leaves it running.

    Args:
        detector: as it is loaded here; its bundle stands on a disk that all machines see.
        cluster: where.
        carried: names of the items' carried columns.
        settings: batch and limits; its threads are this machine's and are not used.

    Returns:
        A generator function. It raises what a worker met that concerns every file alike, under its own
        name, and EnvironmentProblem where Ray cannot start, cannot be reached or gives up.
    """
    folder = detector.bundle.folder.resolve()
    settings = replace(settings, workers=1)
    load = partial(
        load_detector,
        folder,
        detector.engine.name,
        threads=1,
        operating_point=detector.operating_point.name,
    )
    job = _Job(load, _identity(detector, settings), tuple(carried), settings)
    return partial(_rows, job, cluster)


@dataclass(frozen=True)
class _Job:
    """All that a worker is told."""

    load: Callable[[], Detector]
    identity: str
    carried: tuple[str, ...]
    settings: BulkSettings


def _identity(detector: Detector, settings: BulkSettings) -> str:
    return f"tumorscan {__version__}, {detector.model}, {fingerprint_of(detector, settings)}"


def _rows(
    job: _Job, cluster: Cluster, numbered: Iterable[tuple[int, Item]]
) -> Generator[tuple[int, Row], None, None]:
    left = iter(numbered)
    first = list(islice(left, 1))
    if not first:  # all is done already: no need to start anything
        return
    check_ray(cluster)
    ray = require("ray", "scale")
    with running(ray, cluster), named(ray):
        while first:
            workers = cluster.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
            wave = first + list(islice(left, workers * _WAVE_FILES - 1))
            yield from _wave(job, wave, workers)
            first = list(islice(left, 1))


def _wave(job: _Job, wave: Sequence[tuple[int, Item]], workers: int) -> Iterator[tuple[int, Row]]:
    data = require("ray.data", "scale")
    shards = [_packed(shard) for shard in _shards(wave, workers, job.settings.batch)]
    pool = data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=min(workers, len(shards)))
    with warnings.catch_warnings():
        # Ray 2.60 calls the way to say how often to try deprecated, and has no other yet.
        warnings.filterwarnings("ignore", message="`ray_remote_args")
        done = data.from_items(shards, override_num_blocks=len(shards)).map(
            _Worker,
            fn_constructor_args=(job,),
            compute=pool,
            num_cpus=1,
            max_restarts=-1,
            max_task_retries=_RETRIES,
        )
    for answered in done.iter_rows():
        found = json.loads(answered["rows"])
        if isinstance(found, dict):
            raise _error(found)
        yield from ((number, row) for number, row in found)


def _shards(
    wave: Sequence[tuple[int, Item]], workers: int, batch: int
) -> Iterator[Sequence[tuple[int, Item]]]:
    """Cut into whole batches, the same ones as without Ray, and small enough that each worker gets some."""
    batches = min(_SHARD_FILES // batch, len(wave) // (4 * workers * batch))
    step = batch * max(1, batches)
    return (wave[i : i + step] for i in range(0, len(wave), step))


def _packed(shard: Sequence[tuple[int, Item]]) -> dict[str, bytes]:
    """As JSON, which takes names of files that are no UTF-8; absolute, for workers start where they like."""
    table = [(number, *astuple(replace(item, file=os.path.abspath(item.file)))) for number, item in shard]  # noqa: PTH100 - a million Paths are slow
    return {"shard": json.dumps(table).encode()}


class _Worker:
    """Lives in a process of Ray's; loads the detector once, at the first shard."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._detector: Detector | None = None

    def __call__(self, packed: dict[str, bytes]) -> dict[str, bytes]:
        """Rows of a shard as JSON."""
        return {"rows": json.dumps(self._answer(packed["shard"])).encode()}

    def _answer(self, shard: bytes) -> list[tuple[int, Row]] | dict[str, str]:
        """Numbered rows, or what concerns every file: as a table, for errors do not all survive a pickle."""
        numbered = [
            (number, Item(name, file, tuple(carried), problem))
            for number, name, file, carried, problem in json.loads(shard)
        ]
        try:
            return list(rows(self._loaded(), numbered, self._job.carried, self._job.settings))
        except TumorscanError as error:
            kind = next((one.__name__ for one in type(error).__mro__ if one.__name__ in _KINDS), "")
            return {"kind": kind, "text": str(error), "host": socket.gethostname()}

    def _loaded(self) -> Detector:
        if self._detector is None:
            detector = self._job.load()
            found = _identity(detector, self._job.settings)
            if found != self._job.identity:
                raise BundleError(
                    f"{detector.bundle.folder}: a worker has {found}, where {self._job.identity} is wanted: "
                    "have the same tumorscan and the same bundle on all machines"
                )
            self._detector = detector
        return self._detector


def _error(table: dict[str, str]) -> TumorscanError:
    where = "" if table["host"] == socket.gethostname() else f" (on {table['host']})"
    return _KINDS.get(table["kind"], TumorscanError)(table["text"] + where)
