"""`POST /v1/predict`: the files of one request, each with its answer."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from tumorscan.app.api.metrics import Metrics
from tumorscan.app.api.schema import PREDICTION, answered, files_body, refused
from tumorscan.app.api.uploads import FIELD, Sent, read_files
from tumorscan.app.problems import Refusal, debugging
from tumorscan.app.service import Service
from tumorscan.detect.rows import to_table
from tumorscan.errors import UnreadableScan
from tumorscan.read import read_bytes
from tumorscan.types import Finding

LOG = logging.getLogger("tumorscan.serve")


class Pictures:
    """Answers the files of one request, all at once.

    Args:
        service: what answers.
        metrics: what counts.
        max_files: of one request.
    """

    def __init__(self, service: Service, metrics: Metrics, max_files: int) -> None:
        self._service = service
        self._metrics = metrics
        self._max_files = max_files
        # Threads wait for the network, each with one picture; how many may prepare, the service says.
        self._threads = ThreadPoolExecutor(service.capacity.waiting, thread_name_prefix="tumorscan-api")

    def add_to(self, api: FastAPI) -> None:
        """Declare the route."""
        api.add_api_route(
            "/v1/predict",
            self.predict,
            methods=["POST"],
            summary="Answer one picture or several",
            responses={
                200: answered("Prediction", "An answer, or an error, for each file."),
                **refused(415, 422, 503),
            },
            openapi_extra=files_body(FIELD, "PNG, JPEG, BMP, TIFF, WebP or DICOM of one frame", many=True),
        )

    async def predict(self, request: Request, operating_point: str = "") -> JSONResponse:
        """One row a file, in order. If no file could be read: status 422, with the rows in `results`."""
        files = await read_files(request, self._max_files)
        rows = await self._answers(files, operating_point)
        results = [to_table(row) for row in rows]
        if all(isinstance(row, UnreadableScan) for row in rows):
            causes = "; ".join(f"{row['file']}: {row['error']}" for row in results[:3])
            raise Refusal(422, f"no file could be read: {causes}", results=results)
        return JSONResponse({"schema": PREDICTION, "results": results})

    async def _answers(self, files: list[Sent], operating_point: str) -> list[Finding | UnreadableScan]:
        self._service.detector_at(operating_point)  # an unknown one is refused before any work
        with self._service.accepted(len(files)):
            loop = asyncio.get_running_loop()
            jobs = [loop.run_in_executor(self._threads, self._answer, one, operating_point) for one in files]
            return list(await asyncio.gather(*jobs))

    def _answer(self, file: Sent, operating_point: str) -> Finding | UnreadableScan:
        read = partial(read_bytes, file.data, file.name, self._service.limits)
        answer: Finding | UnreadableScan
        try:
            answer = self._service.answer(read, operating_point)
        except UnreadableScan as error:
            answer = error
        except Exception as error:  # one strange file must not cost the others their answers
            what = type(error).__name__
            LOG.error("an error inside tumorscan: %s", what, exc_info=debugging())  # noqa: TRY400 - names no file
            answer = UnreadableScan(file.name, f"an error inside tumorscan ({what}): please report it")
        self._metrics.count(answer, "api")
        return answer
