"""Studies by the API: sent, looked after, fetched, forgotten; each known to its own client alone."""

from __future__ import annotations

import threading
import zipfile
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from served import PATIENCE, a_site, waits_for

from tumorscan.app.guard.front import Rules
from tumorscan.app.jobs import Cancelled, Jobs
from tumorscan.app.service import Overloaded
from tumorscan.app.site import SiteSettings
from tumorscan.detect.volume import find_volume
from tumorscan.detect.volume_table import study_table, volume_table
from tumorscan.errors import DataError
from tumorscan.read.study import read_study

pytest.importorskip("pydicom")

ANN, BOB = "ann-" + "a" * 20, "bob-" + "b" * 20
SLICES = 8


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    from tumorscan.data.phantom_study import write_study

    folder = tmp_path_factory.mktemp("studies") / "drawn"
    write_study(folder, 3, slices=SLICES)
    return folder


@pytest.fixture(scope="module")
def volumes(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("volumes")


@pytest.fixture(scope="module")
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture(scope="module")
def url(tiny_bundle, volumes, jobs):
    settings = SiteSettings(model=tiny_bundle, rules=Rules(tokens={"ann": ANN, "bob": BOB}))
    with a_site(settings, volumes, jobs) as (url, _):
        yield url
    assert list(volumes.iterdir()) == []


def client(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=PATIENCE, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def ann(url):
    with client(url, ANN) as one:
        yield one


@pytest.fixture
def bob(url):
    with client(url, BOB) as one:
        yield one


def zipped(files: dict[str, bytes]) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def slices(study: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in sorted(study.iterdir()) if one.is_file()}


def ended(client: httpx.Client, sent: httpx.Response) -> dict:
    assert sent.status_code == 202, sent.text
    assert sent.headers["location"] == f"/v1/volumes/{sent.json()['id']}"
    job: dict = {}

    def done() -> bool:
        job.update(client.get(sent.headers["location"]).json())
        return job["status"] in ("done", "failed")

    waits_for(done)
    return job


def send(client: httpx.Client, files: dict[str, bytes]) -> httpx.Response:
    return client.post("/v1/volumes", files=[("file", pair) for pair in files.items()])


def test_says_of_a_series_what_the_rooms_below_say(ann, study, volumes, tiny_detector):
    job = ended(ann, send(ann, slices(study)))
    assert (job["schema"], job["status"], job["done"], job["total"]) == (
        "tumorscan.job/1",
        "done",
        SLICES,
        SLICES,
    )
    read = read_study(study)
    expected = study_table(read, [volume_table(one, find_volume(tiny_detector, one)) for one in read.volumes])
    result = job["result"]
    assert result["schema"] == "tumorscan.study/1"
    volume, other = result["volumes"][0], expected["volumes"][0]
    assert volume["schema"] == "tumorscan.finding/1"
    assert volume["probability"] == pytest.approx(other["probability"], abs=1e-4)
    assert volume["curve"] == pytest.approx(other["curve"], abs=1e-4, nan_ok=True)
    assert volume["slices"] == SLICES
    if other["key_slice"]:
        assert volume["key_slice"]["file"] == Path(other["key_slice"]["file"]).name
    assert set(volume) == set(other)
    assert str(volumes) not in str(result), "no folder of ours is told"
    assert list(volumes.iterdir()) == []


def test_who_asks_by_head_has_fetched_nothing(ann, study, jobs):
    sent = send(ann, slices(study))
    job = jobs.get(sent.json()["id"], "ann")
    waits_for(lambda: job.status == "done")
    asked = ann.head(sent.headers["location"])
    assert (asked.status_code, asked.content) == (200, b"")
    assert not job.fetched
    got = ann.get(sent.headers["location"])
    assert asked.headers["content-length"] == got.headers["content-length"]
    assert job.fetched


def test_a_zip_is_a_study_too(ann, study):
    job = ended(ann, send(ann, {"head.zip": zipped(slices(study))}))
    assert job["status"] == "done"
    assert job["result"]["file"] == "head.zip"
    assert len(job["result"]["volumes"][0]["curve"]) == SLICES


@pytest.mark.parametrize(
    ("name", "data", "cause"),
    [
        ("letter.txt", b"Dear colleague", "text"),
        ("empty.dcm", b"", "empty"),
        ("half.zip", zipped({"a": b"x" * 100})[:60], "zip"),
        ("many.zip", zipped({f"{n}.dcm": b"" for n in range(10_000)}), "10000 files"),
        ("../../etc/passwd", b"root:x", "text"),
        (".hidden", b"root:x", "text"),
        ("bomb.zip", b"", "empty"),
    ],
)
def test_what_is_no_study_is_told_by_its_name(ann, volumes, name, data, cause):
    job = ended(ann, send(ann, {name: data}))
    assert job["status"] == "failed"
    assert cause in job["problem"].lower().replace(",", "")
    assert str(volumes) not in job["problem"]
    assert "result" not in job
    assert list(volumes.iterdir()) == []


def test_a_member_that_leads_out_of_a_zip_stays_in(ann, study, tmp_path):
    inside = {f"../../../{tmp_path.name}/{name}": data for name, data in slices(study).items()}
    assert ended(ann, send(ann, {"head.zip": zipped(inside)}))["status"] in ("done", "failed")
    assert list(tmp_path.iterdir()) == []


def test_nobody_sees_anothers_job(ann, bob, study):
    sent = send(ann, slices(study))
    where = sent.headers["location"]
    for one in (bob.get(where), bob.delete(where), bob.get("/v1/volumes/none"), bob.get(f"{where}x")):
        assert one.status_code == 404
        assert one.headers["content-type"] == "application/problem+json"
    assert ended(ann, sent)["status"] == "done"
    mine, yours = send(ann, slices(study)).json()["id"], send(bob, slices(study)).json()["id"]
    assert len(mine) >= 32
    assert mine != yours


@pytest.mark.parametrize("number", ["../../etc/passwd", "%2e%2e%2fetc%2fpasswd", "..", "x" * 5000, "é"])
def test_no_name_of_a_job_opens_a_file(ann, number):
    for answer in (ann.get(f"/v1/volumes/{number}"), ann.delete(f"/v1/volumes/{number}")):
        assert answer.status_code in (404, 405)
        assert "root:" not in answer.text


def test_what_is_deleted_is_gone(ann, study, volumes):
    sent = send(ann, slices(study))
    assert ann.delete(sent.headers["location"]).status_code == 204
    assert ann.get(sent.headers["location"]).status_code == 404
    assert ann.delete(sent.headers["location"]).status_code == 404
    waits_for(lambda: not list(volumes.iterdir()))


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {}}, 415),
        ({"files": {"other": b"x"}}, 422),
        ({"files": {"file": b"x"}, "params": {"operating_point": "../../etc/passwd"}}, 422),
    ],
)
def test_what_cannot_be_a_job_is_a_problem(ann, volumes, options, status):
    answer = ann.post("/v1/volumes", **options)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert list(volumes.iterdir()) == []


class Held:
    """Work that waits to be let go."""

    def __init__(self) -> None:
        self.begun, self.free, self.cleaned = threading.Event(), threading.Event(), 0

    def work(self, job):
        self.begun.set()
        assert self.free.wait(PATIENCE)
        job.tell(1, 2)
        return {"answer": job.client}

    def clean(self) -> None:
        self.cleaned += 1


def status_of(job) -> str:
    return job.status


def test_jobs_wait_their_turn_and_not_without_end():
    jobs, held = Jobs(waiting=2), Held()
    first = jobs.submit("ann", held.work, held.clean)
    assert held.begun.wait(PATIENCE)
    rest = [jobs.submit("bob", held.work, held.clean) for _ in range(2)]
    with pytest.raises(Overloaded, match="2 volumes are waiting: try again in 10 s"):
        jobs.submit("ann", held.work)
    assert [first.status, *map(status_of, rest)] == ["running", "queued", "queued"]
    assert jobs.active == 3
    jobs.remove(rest[0])
    assert held.cleaned == 1, "what was never begun is taken away at once"
    held.free.set()
    waits_for(lambda: rest[1].status == "done")
    assert (first.result, rest[1].result) == ({"answer": "ann"}, {"answer": "bob"})
    assert rest[0].status == "queued"
    assert held.cleaned == 3
    assert jobs.active == 0


def test_a_running_job_ends_when_it_is_not_wanted():
    jobs, held = Jobs(), Held()
    job = jobs.submit("ann", held.work, held.clean)
    assert held.begun.wait(PATIENCE)
    jobs.remove(job)
    held.free.set()
    waits_for(lambda: job.status == "failed")
    assert (job.problem, job.result, held.cleaned) == ("it was cancelled", None, 1)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (DataError("no such thing: do that"), "no such thing: do that"),
        (ZeroDivisionError("Jane Doe"), "an error inside tumorscan (ZeroDivisionError): please report it"),
        (Cancelled(), "it was cancelled"),
    ],
)
def test_a_failure_is_one_line_and_the_next_job_goes_on(caplog, error, problem):
    def fails(_):
        raise error

    jobs = Jobs()
    job = jobs.submit("ann", fails)
    waits_for(lambda: job.status == "failed")
    assert job.problem == problem
    assert "Jane" not in caplog.text
    after = jobs.submit("ann", lambda _: {"answer": 1})
    waits_for(lambda: after.status == "done")


def test_a_result_that_nobody_fetches_is_forgotten():
    now = [0.0]
    jobs = Jobs(kept=100, clock=lambda: now[0])
    job = jobs.submit("ann", lambda _: {})
    waits_for(lambda: job.ended is not None)
    now[0] = 99
    assert jobs.get(job.id, "ann") is job
    assert jobs.get(job.id, "bob") is None
    now[0] = 101
    assert jobs.get(job.id, "ann") is None


def test_the_end_waits_until_results_are_fetched():
    jobs, held = Jobs(), Held()
    job = jobs.submit("ann", held.work)
    assert jobs.stop(0.05) is False
    with pytest.raises(Overloaded, match="is stopping"):
        jobs.submit("ann", held.work)
    held.free.set()
    waits_for(lambda: job.status == "done")
    assert jobs.stop(0.05) is False
    jobs.seen(job)
    assert jobs.stop(PATIENCE) is True
