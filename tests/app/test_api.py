"""The API as programs use it: the command line's answers over HTTP, and one plain sentence for all that fails."""

from __future__ import annotations

import hashlib
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import httpx
import numpy as np
import pytest
from handed_in import BAD_FILES, LIMIT, PICTURES
from PIL import Image
from served import PATIENCE, a_site

from tumorscan.app.cli import main
from tumorscan.app.service import Capacity
from tumorscan.app.site import SiteSettings
from tumorscan.config import ReadLimits

STRANGE_NAMES = [
    "../../etc/passwd",
    "..\\..\\etc\\passwd",
    "/etc/passwd",
    "....//....//etc/passwd",
    "%2e%2e%2fetc%2fpasswd",
]


@pytest.fixture(scope="module")
def site(tiny_bundle, tmp_path_factory):
    """Where a site of the tiny bundle is, and its service."""
    settings = SiteSettings(
        model=tiny_bundle, limits=ReadLimits(max_bytes=LIMIT), capacity=Capacity(waiting=16), max_files=8
    )
    with a_site(settings, tmp_path_factory.mktemp("volumes")) as served:
        yield served


@pytest.fixture
def client(site):
    with httpx.Client(base_url=site[0], timeout=PATIENCE) as client:
        yield client


def sent(pictures, *names: str) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (name, (pictures / name).read_bytes())) for name in names]


def is_problem(answer: httpx.Response, status: int, cause: str = "") -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert cause in problem["detail"]
    assert "Traceback" not in answer.text
    return problem


def without_times(row: dict) -> dict:
    return {key: value for key, value in row.items() if key != "milliseconds"}


def test_the_same_json_as_the_command_line(client, pictures, tiny_bundle, capsys, monkeypatch):
    names = [*PICTURES, *BAD_FILES][:8]
    monkeypatch.chdir(pictures)
    main(["predict", *names, "--model", str(tiny_bundle), "--json"])
    expected = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    answer = client.post("/v1/predict", files=sent(pictures, *names))
    assert answer.status_code == 200
    assert answer.json()["schema"] == "tumorscan.prediction/1"
    results = answer.json()["results"]
    assert [set(row) for row in results] == [set(row) for row in expected]
    for row, other in zip(results, expected, strict=True):
        assert row["schema"] == "tumorscan.finding/1"
        assert row.pop("probability", 0) == pytest.approx(other.pop("probability", 0), abs=2e-6)
        assert row.pop("confidence", 0) == pytest.approx(other.pop("confidence", 0), abs=0.011)
        assert without_times(row) == without_times(other)
        if "verdict" in row:
            assert row["sha256"] == hashlib.sha256((pictures / row["file"]).read_bytes()).hexdigest()


def test_what_the_gate_refuses_gets_its_reason_and_no_probability(tmp_path, rng, capsys):
    """With the shipped bundle: the tiny one has no gate."""
    coloured = Image.fromarray(rng.integers(0, 256, (300, 300, 3), dtype=np.uint8))
    coloured.save(tmp_path / "coloured.png")
    assert main(["predict", str(tmp_path / "coloured.png"), "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)
    with a_site(SiteSettings(), tmp_path / "volumes") as (url, _):
        answer = httpx.post(f"{url}/v1/predict", files=sent(tmp_path, "coloured.png"), timeout=PATIENCE)
    assert answer.status_code == 200
    (row,) = answer.json()["results"]
    assert row["verdict"] == expected["verdict"] == "NOT A BRAIN MRI"
    assert row["reasons"] == expected["reasons"]
    assert row["reasons"][0].startswith("colour: ")
    assert "probability" not in row or row["probability"] is None


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_alone_is_a_problem_with_its_cause(client, pictures, name):
    problem = is_problem(client.post("/v1/predict", files=sent(pictures, name)), 422, BAD_FILES[name][1])
    assert problem["results"][0]["file"] == name


@pytest.mark.parametrize("name", [*STRANGE_NAMES, "a" * 1000, "head\x07.png", "köpf.png", " "])
def test_a_name_is_a_label_and_never_a_path(client, pictures, name):
    data = (pictures / "plain.png").read_bytes()
    answer = client.post("/v1/predict", files=[("file", (name, data))])
    assert answer.status_code == 200
    label = answer.json()["results"][0]["file"]
    assert "/" not in label
    assert "\\" not in label
    assert 0 < len(label) <= 120
    assert label.isprintable()


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_no_name_opens_a_file(client, pictures, name):
    files = sent(pictures, "plain.png")
    is_problem(
        client.post("/v1/predict", params={"operating_point": name}, files=files), 422, "no operating point"
    )
    is_problem(client.post("/v1/predict", data={"file": name}), 415)
    is_problem(client.post("/v1/predict", data={"file": name}, files={"other": b"x"}), 422, "holds no file")
    assert client.get(f"/v1/{name}").status_code == 404
    for path in (f"/gradio_api/file={name}", f"/static/{name}", f"/assets/{name}", f"/{name}"):
        answer = client.get(path)
        assert "root:" not in answer.text
        assert answer.status_code < 500


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "cause"),
    [
        ("GET", "/v1/none", {}, 404, "/openapi.json lists what there is"),
        ("GET", "/v1/predict", {}, 405, "the header Allow"),
        ("DELETE", "/v1/model", {}, 405, "the header Allow"),
        ("POST", "/healthz", {}, 405, "the header Allow"),
        ("POST", "/v1/predict", {}, 415, "multipart/form-data"),
        ("POST", "/v1/predict", {"json": {"file": "a.png"}}, 415, "multipart/form-data"),
        (
            "POST",
            "/v1/predict",
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
            400,
            "boundary",
        ),
        (
            "POST",
            "/v1/predict",
            {"content": b"no form", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            400,
            "the form is damaged",
        ),
        ("POST", "/v1/predict", {"files": {"picture": b"x"}}, 422, "the field 'file' holds no file"),
        ("POST", "/v1/predict", {"files": [("file", b"x")] * 9}, 413, "more than 8 files"),
        ("POST", "/v1/predict", {"files": [("file", b"x")] * 3000}, 413, "more than 8 files"),
        (
            "POST",
            "/v1/predict",
            {"data": {str(n): "x" for n in range(50)}, "files": {"file": b"x"}},
            400,
            "damaged",
        ),
    ],
)
def test_what_cannot_be_answered_is_a_problem(client, method, path, options, status, cause):
    answer = client.request(method, path, **options)
    is_problem(answer, status, cause)
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/model", "/metrics", "/openapi.json"])
def test_head_is_get_without_a_body(client, path):
    got, asked = client.get(path), client.head(path)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":  # whose figures go on
        assert asked.headers["content-length"] == got.headers["content-length"]


def test_head_is_refused_as_get_is(client):
    assert client.head("/v1/none").status_code == 404
    refused = client.head("/v1/predict")
    assert (refused.status_code, refused.headers["allow"], refused.content) == (405, "POST", b"")


@pytest.mark.parametrize(
    ("path", "methods"), [("/healthz", "GET, HEAD"), ("/v1/volumes/none", "DELETE, GET, HEAD")]
)
def test_a_wrong_method_is_told_all_right_ones(client, path, methods):
    answer = client.put(path)
    is_problem(answer, 405)
    assert answer.headers["allow"] == methods


def _bomb() -> bytes:
    stream = BytesIO()
    Image.new("1", (9000, 9000)).save(stream, "PNG")
    return stream.getvalue()


def test_pixels_are_counted_before_they_are_made(client):
    problem = is_problem(client.post("/v1/predict", files={"file": ("bomb.png", _bomb())}), 422)
    assert "more than the limit" in problem["detail"] or "9000 x 9000" in problem["detail"]


def test_a_zip_of_ten_thousand_is_told_from_a_picture(client):
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(10_000):
            archive.writestr(str(number), b"")
    answer = client.post("/v1/predict", files={"file": ("many.zip", stream.getvalue()[: LIMIT - 1])})
    is_problem(answer, 422, "is a ZIP archive")


def test_a_full_queue_is_503_with_a_time(client, site, pictures):
    _, service = site
    with service.accepted(16):
        answer = client.post("/v1/predict", files=sent(pictures, "plain.png"))
        is_problem(answer, 503, "16 pictures are waiting")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert client.get("/readyz").status_code == 200
    assert client.post("/v1/predict", files=sent(pictures, "plain.png")).status_code == 200


def test_many_at_once_get_an_answer_or_a_time(site, pictures):
    url, _ = site
    data = (pictures / "plain.png").read_bytes()

    def ask(number: int) -> httpx.Response:
        return httpx.post(f"{url}/v1/predict", files={"file": (f"{number}.png", data)}, timeout=PATIENCE)

    with ThreadPoolExecutor(60) as pool:
        got = list(pool.map(ask, range(80)))
    assert {one.status_code for one in got} <= {200, 503}
    assert all("retry-after" in one.headers for one in got if one.status_code == 503)
    for number, one in enumerate(got):
        if one.status_code == 200:
            assert one.json()["results"][0]["file"] == f"{number}.png"
    assert any(one.status_code == 200 for one in got)


def test_tells_what_answers_and_how_it_is(client, site, pictures):
    model = client.get("/v1/model").json()
    assert model["model"].startswith("tiny ")
    assert model["limits"]["bytes_a_picture"] == LIMIT
    assert [point["name"] for point in model["operating_points"]] == ["screening"]
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready", "model": model["model"], "problem": ""}
    client.post("/v1/predict", files=sent(pictures, "plain.png", "text.png"))
    figures = client.get("/metrics").text
    assert 'tumorscan_answers_total{door="api",verdict="' in figures
    assert requests(client, "POST", "/v1/predict", 200) > 0
    assert "tumorscan_waiting_pictures 0.0" in figures
    assert "process_resident_memory_bytes" in figures
    assert "plain.png" not in figures


def figure(client, start: str) -> float:
    """What stands in the figures behind this start of a line; 0 where there is none."""
    lines = [one for one in client.get("/metrics").text.splitlines() if one.startswith(f"{start} ")]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def requests(client, method: str, route: str, status: int) -> float:
    labels = f'method="{method}",route="{route}",status="{status}"'
    return figure(client, f"tumorscan_request_seconds_count{{{labels}}}")


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("GET", "/v1/model", ("GET", "/v1/model", 200)),
        ("HEAD", "/healthz", ("HEAD", "/healthz", 200)),
        ("GET", "/openapi.json", ("GET", "/openapi.json", 200)),
        ("GET", "/v1/volumes/a", ("GET", "/v1/volumes/{job}", 404)),
        ("DELETE", "/v1/volumes/b", ("DELETE", "/v1/volumes/{job}", 404)),
        ("GET", "/v1/passwd", ("GET", "none", 404)),
        ("PUT", "/readyz", ("PUT", "/readyz", 405)),
        ("SPY", "/readyz", ("other", "/readyz", 405)),
        ("POST", "/v1/predict?from=elsewhere", ("POST", "none", 403)),
    ],
)
def test_requests_are_counted_by_route_method_and_status(client, method, path, counted):
    before = requests(client, *counted)
    headers = {"Sec-Fetch-Site": "cross-site"} if "elsewhere" in path else {}
    assert client.request(method, path, headers=headers).status_code == counted[2]
    assert requests(client, *counted) == before + 1
    figures = client.get("/metrics").text
    assert not any(one in figures for one in ("passwd", "SPY", "volumes/a", "elsewhere"))


def test_pictures_of_the_page_are_counted_at_their_own_door(client, site, pictures):
    gradio_client = pytest.importorskip("gradio_client")
    page = gradio_client.Client(site[0], verbose=False, httpx_kwargs={"timeout": PATIENCE})

    def counted(name: str) -> float:
        page.predict(gradio_client.handle_file(str(pictures / name)), api_name="/predict")
        lines = client.get("/metrics").text.splitlines()
        start = "tumorscan_unread_total" if name in BAD_FILES else "tumorscan_answers_total"
        return sum(float(one.split()[-1]) for one in lines if one.startswith(f'{start}{{door="page"'))

    assert [counted(name) for name in ("plain.png", "plain.png", "text.png")] == [1, 2, 1]


def test_page_and_api_live_side_by_side(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert client.get("/config").json()["analytics_enabled"] is False


def test_the_document_describes_and_shows_the_answers(client):
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) >= {"/v1/predict", "/v1/model", "/healthz", "/readyz", "/metrics"}
    schemas = document["components"]["schemas"]
    assert schemas["Finding"]["example"]["schema"] == schemas["Finding"]["properties"]["schema"]["const"]
    assert not any("head" in route for route in document["paths"].values())
    for route in document["paths"].values():
        for one in route.values():
            assert one["summary"]
            assert one["description"]
            assert "application/problem+json" in one["responses"]["401"]["content"]


@pytest.mark.slow
def test_holds_to_its_document_whatever_is_sent(site):
    schemathesis = pytest.importorskip("schemathesis")
    import hypothesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    schema = schemathesis.openapi.from_url(f"{site[0]}/openapi.json")
    checks = [
        not_a_server_error,
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    ]
    asked: set[str] = set()

    for result in schema.get_all_operations():
        operation = result.ok()

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None)
        def ask(case):
            response = case.call(timeout=PATIENCE)
            asked.add(case.operation.path)
            case.validate_response(response, checks=checks)

        ask()
    assert "/v1/predict" in asked
