"""The guarded site in headless Chromium: a login, the page under its strict headers, and no other host asked."""

from __future__ import annotations

import base64
import shutil
from urllib.parse import urlparse

import pytest
from served import PATIENCE, Process

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
TOKEN = "ann-aaaaaaaaaaaaaaaaaaaa"  # noqa: S105 - of this test alone

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt install chromium)"),
]

_DROP = """(data) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "head.png"));
  const target = document.querySelector(".ts-target");
  for (const type of ["dragenter", "dragover", "drop"])
    target.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def process(tmp_path_factory, tiny_bundle):
    pytest.importorskip("gradio")
    with Process(tmp_path_factory.mktemp("private"), "--model", tiny_bundle, TUMORSCAN_TOKEN=TOKEN) as one:
        yield one


def test_log_in_and_drop_a_picture(process, pictures):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        tab = browser.new_page()
        tab.set_default_timeout(1000 * PATIENCE)
        hosts, complaints = set(), []
        tab.on("request", lambda request: hosts.add(urlparse(request.url).netloc))
        tab.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        tab.goto(f"{process.url}/")
        assert tab.title() == "tumorscan: log in"
        tab.get_by_label("Your token").fill(TOKEN)
        tab.get_by_role("button", name="Log in").click()
        tab.wait_for_selector(".ts-target")
        tab.evaluate(_DROP, base64.b64encode((pictures / "plain.png").read_bytes()).decode())
        tab.wait_for_selector(".ts-answer[data-verdict]")
        assert not [one for one in complaints if "Content Security Policy" in one or "Refused to" in one], (
            complaints
        )
        assert hosts - {""} == {urlparse(process.url).netloc}
        browser.close()
