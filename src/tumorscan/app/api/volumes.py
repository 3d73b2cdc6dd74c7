"""`/v1/volumes`: a study is sent, its job looked after and its result fetched."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from tumorscan.app.api.reading import add_reading
from tumorscan.app.api.schema import answered, files_body, refused
from tumorscan.app.api.uploads import FIELD, Sent, read_files
from tumorscan.app.jobs import Job, Jobs
from tumorscan.app.problems import Refusal
from tumorscan.app.service import Service
from tumorscan.config import StudyLimits
from tumorscan.detect.volume_table import study_table, volume_table
from tumorscan.errors import UnreadableScan
from tumorscan.read.study import read_study
from tumorscan.types import Study

SCHEMA = "tumorscan.job/1"
LIMITS = StudyLimits(max_files=4000, max_bytes=1024**3, max_voxels=128 * 1024**2)
"""What a server takes of a study: slices, bytes unpacked, voxels."""

_WHAT = "DICOM or NIfTI: one file, all files of a series, or a zip of them"


class Volumes:
    """Keeps what is sent in a private folder until it is read, which is at once when its turn comes.

    Args:
        service: what answers.
        jobs: who does it.
        folder: that only this user may enter.
    """

    def __init__(self, service: Service, jobs: Jobs, folder: Path) -> None:
        self._service = service
        self._jobs = jobs
        self._folder = folder

    def add_to(self, api: FastAPI) -> None:
        """Declare the routes."""
        api.add_api_route(
            "/v1/volumes",
            self.submit,
            methods=["POST"],
            status_code=202,
            summary="Send a study",
            responses={202: answered("Job", "It is queued."), **refused(415, 422, 503)},
            openapi_extra=files_body(FIELD, _WHAT, many=True),
        )
        add_reading(
            api,
            "/v1/volumes/{job}",
            self.look,
            summary="How far a study is, and its result",
            responses={200: answered("Job", "So far."), **refused(404, 422)},
        )
        api.add_api_route(
            "/v1/volumes/{job}",
            self.remove,
            methods=["DELETE"],
            status_code=204,
            response_model=None,
            summary="Cancel a study, or forget its result",
            responses={204: {"description": "Gone."}, **refused(404, 422)},
        )

    async def submit(self, request: Request, operating_point: str = "") -> JSONResponse:
        """Queues the study; ask for the job under `Location` until it is done. All files are one study."""
        self._service.detector_at(operating_point)  # an unknown one is refused before any work
        files = await read_files(request, LIMITS.max_files)
        folder = await asyncio.to_thread(self._keep, files)
        clean = partial(shutil.rmtree, folder, ignore_errors=True)
        try:
            job = self._jobs.submit(
                _client(request), partial(self._answer, folder=folder, operating_point=operating_point), clean
            )
        except BaseException:
            clean()
            raise
        return JSONResponse(_table(job), 202, {"Location": f"/v1/volumes/{job.id}"})

    async def look(self, request: Request, job: str) -> JSONResponse:
        """The state of a job; its result stays for a quarter of an hour, or until it is deleted."""
        found = self._find(request, job)
        if request.method != "HEAD":  # which hands over no result
            self._jobs.seen(found)
        return JSONResponse(_table(found))

    async def remove(self, request: Request, job: str) -> Response:
        """Ends it if it runs; nothing of it is kept."""
        self._jobs.remove(self._find(request, job))
        return Response(status_code=204)

    def _find(self, request: Request, number: str) -> Job:
        job = self._jobs.get(number, _client(request))
        if job is None:
            raise Refusal(404, "there is no such job, or it is not yours: send the study again")
        return job

    def _keep(self, files: list[Sent]) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        for number, file in enumerate(files):
            # A folder each, so that two of one name are two; not named from a dot, or a walk would miss it.
            home = folder / f"{number:05d}"
            home.mkdir()
            (home / (file.name.lstrip(".") or "file")).write_bytes(file.data)
        return folder

    def _answer(self, job: Job, folder: Path, operating_point: str) -> dict[str, Any]:
        try:
            job.tell(0, 0)
            study = _read(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        total, done, tables = sum(map(len, study.volumes)), 0, list[dict[str, Any]]()
        for volume in study.volumes:
            before = done

            def progress(slices: int, _: int, before: int = before) -> None:
                job.tell(before + slices, total)

            found = self._service.find_volume(volume, operating_point=operating_point, progress=progress)
            tables.append(volume_table(volume, found))
            done += len(volume)
        return study_table(study, tables)


def _read(folder: Path) -> Study:
    """The study of a kept folder, under the names that its sender gave; of one file, under its name."""
    files = [one for home in sorted(folder.iterdir()) for one in home.iterdir()]
    path = files[0] if len(files) == 1 else folder
    name = files[0].name if len(files) == 1 else "study"

    def shown(text: str) -> str:
        for home in folder.iterdir():
            text = text.replace(f"{home}/", "")
        return text.replace(str(folder), name)

    try:
        study = read_study(path, LIMITS)
    except UnreadableScan as error:
        raise UnreadableScan(name, shown(error.cause)) from None
    volumes = tuple(
        replace(
            volume,
            name=shown(volume.name),
            notes=tuple(map(shown, volume.notes)),
            slices=tuple(replace(one, file=shown(one.file)) for one in volume.slices),
        )
        for volume in study.volumes
    )
    return Study(name, volumes, tuple(map(shown, study.problems)))


def _client(request: Request) -> str:
    return str(request.state.client)


def _table(job: Job) -> dict[str, Any]:
    table = {"schema": SCHEMA, "id": job.id, "status": job.status, "done": job.done, "total": job.total}
    if job.result is not None:
        table["result"] = job.result
    if job.problem:
        table["problem"] = job.problem
    return table
