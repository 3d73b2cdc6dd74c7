"""The page as a person uses it, in headless Chromium."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest
from handed_in import BAD_FILES, PICTURES

from tumorscan.read import read_scan

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt install chromium)"),
]

# Files made in the page itself: a real DataTransfer, as a drag from the desktop has.
_DROP = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  const target = document.querySelector(".ts-target");
  for (const type of ["dragenter", "dragover", "drop"])
    target.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""
_PASTE = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
}"""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def tab(browser, page) -> Iterator[object]:
    """The open page; at its end, nothing was asked of another host and no script failed."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    requests, faults = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    tab.goto(page.url)
    tab.wait_for_selector(".ts-zone")
    yield tab
    context.close()
    assert {urlparse(url).hostname for url in requests if not url.startswith(("data:", "blob:"))} == {
        "127.0.0.1"
    }
    assert faults == []
    assert page.uploads() == []


def hand_in(tab, script: str, file: Path) -> None:
    tab.evaluate(script, [file.name, base64.b64encode(file.read_bytes()).decode()])


def answer_for(tab, name: str):
    shown = tab.locator("#ts-answer article", has_text=name)
    shown.wait_for(timeout=30_000)
    return shown


def refusal_of(tab, name: str) -> str:
    """Where it never left the browser, the zone says so; else the answer does."""
    shown = tab.locator(".ts-alarm, #ts-answer article.ts-refusal", has_text=name)
    shown.wait_for(timeout=30_000)
    assert tab.locator("#ts-answer .ts-verdict").count() == 0
    return shown.inner_text()


@pytest.mark.parametrize(("script", "name"), [*((_DROP, name) for name in PICTURES), (_PASTE, "deep.png")])
def test_a_picture_gets_the_command_lines_answer(tab, pictures, tiny_detector, name, script):
    hand_in(tab, script, pictures / name)
    shown = answer_for(tab, name)
    expected = tiny_detector.find(read_scan(pictures / name))
    assert float(shown.get_attribute("data-probability")) == pytest.approx(expected.probability, abs=1e-9)
    assert str(expected.verdict) in shown.inner_text()
    assert f"{100 * expected.probability:.1f} %" in shown.inner_text()
    assert shown.locator(".ts-steps img").count() == 3
    assert all(note in shown.inner_text() for note in expected.notes)


def test_a_wrong_file_shows_its_cause_and_the_page_goes_on(tab, pictures):
    for name, (_, cause) in BAD_FILES.items():
        tab.set_input_files("#ts-file", pictures / name)
        text = refusal_of(tab, name)
        assert cause in text
        assert "Traceback" not in text
        tab.set_input_files("#ts-file", pictures / "plain.png")
        answer_for(tab, "plain.png").locator(".ts-verdict").wait_for()
        assert tab.locator("#ts-answer article").count() == 1
        assert tab.locator(".ts-status").inner_text() == ""


@pytest.mark.parametrize("name", ["large.bmp", "text.png"])
def test_the_first_file_of_a_fresh_page_shows_its_cause(tab, pictures, name):
    # The first is known to be too large before anything is sent: no answer may be lost for being so early.
    tab.set_input_files("#ts-file", pictures / name)
    assert BAD_FILES[name][1] in refusal_of(tab, name)


def test_no_verdict_outlives_its_picture(tab, pictures):
    tab.set_input_files("#ts-file", pictures / "plain.png")
    answer_for(tab, "plain.png")
    tab.route("**/gradio_api/upload*", lambda _: None)  # the next picture never arrives
    tab.set_input_files("#ts-file", pictures / "deep.png")
    tab.locator("#ts-answer .ts-empty").wait_for()
    assert tab.locator(".ts-verdict").count() == 0
    assert "Sending deep.png" in tab.locator(".ts-status").inner_text()


def test_the_same_picture_again_is_answered_again(tab, pictures):
    for _ in range(2):
        tab.set_input_files("#ts-file", pictures / "plain.png")
        answer_for(tab, "plain.png")
        tab.click("[data-remove]")
        tab.locator("#ts-answer .ts-empty").wait_for()
        assert tab.locator(".ts-verdict").count() == 0


def test_a_sending_that_fails_is_said(browser, page, pictures):
    tab = browser.new_context().new_page()
    tab.goto(page.url)
    tab.wait_for_selector(".ts-zone")
    tab.route("**/gradio_api/upload*", lambda route: route.fulfill(status=500, body="broken"))
    tab.set_input_files("#ts-file", pictures / "plain.png")
    assert "could not be sent" in refusal_of(tab, "plain.png")
    tab.context.close()


def test_examples_are_answered(tab):
    for name in ("drawn-1-lesion", "drawn-1-plain", "drawn-2-lesion", "drawn-2-plain"):
        tab.locator("[data-example]").nth(int(name[6]) * 2 - 2 + name.endswith("plain")).click()
        answer_for(tab, name).locator(".ts-verdict").wait_for()


def test_the_keyboard_is_enough(tab, pictures):
    for _ in range(30):
        if tab.evaluate("document.activeElement.id") == "ts-file":
            break
        tab.keyboard.press("Tab")
    with tab.expect_file_chooser() as chooser:
        tab.keyboard.press("Space")
    chooser.value.set_files(pictures / "plain.png")
    answer_for(tab, "plain.png")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.hasAttribute('data-example')")
    tab.keyboard.press("Enter")
    answer_for(tab, "drawn-1")


def test_a_name_that_would_act_is_only_shown(tab, pictures, tmp_path):
    name = "{{7*7}} ${7*7} <img src=x onerror=document.title='taken'>.png"
    file = tmp_path / "a.png"
    file.write_bytes((pictures / "plain.png").read_bytes())
    tab.evaluate(_DROP, [name, base64.b64encode(file.read_bytes()).decode()])
    tab.locator(".ts-verdict").wait_for()
    assert name in tab.locator(".ts-scan figcaption").inner_text()
    assert tab.title() == "tumorscan"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone_in_light_and_dark(browser, page, pictures, scheme):
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(page.url)
    tab.wait_for_selector(".ts-zone")
    tab.set_input_files("#ts-file", pictures / "turned.jpg")
    answer_for(tab, "turned.jpg").locator(".ts-verdict").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    ground = tab.evaluate("getComputedStyle(document.querySelector('.ts-answer')).backgroundColor")
    lightness = sum(int(value) for value in re.findall(r"\d+", ground)[:3]) / 3
    assert (lightness > 128) == (scheme == "light")
    context.close()


def test_every_picture_and_control_has_a_name(tab, pictures):
    tab.set_input_files("#ts-file", pictures / "plain.png")
    answer_for(tab, "plain.png")
    nameless = tab.evaluate("""() => {
      const images = [...document.querySelectorAll("main img")].filter((one) => !one.alt && !one.closest("button"));
      const buttons = [...document.querySelectorAll("main button")].filter((one) => !one.innerText.trim()
        && !one.ariaLabel);
      const inputs = [...document.querySelectorAll("main input")].filter((one) => !one.labels.length && !one.ariaLabel);
      return [...images, ...buttons, ...inputs].map((one) => one.outerHTML.slice(0, 120));
    }""")
    assert nameless == []
    assert tab.locator("[role=alert]").first.inner_text().startswith("Research and teaching software")


def test_evidence_is_off_until_asked_for_and_the_operating_point_is_chosen_in_the_browser(tab, pictures):
    tab.set_input_files("#ts-file", pictures / "plain.png")
    answer_for(tab, "plain.png")
    layers = tab.locator("[data-layer]")
    assert [layers.nth(i).is_visible() for i in range(layers.count())] == [False, False]
    requests = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.check("input[name=ts-evidence][value=colour]")
    colours = tab.locator("[data-layer=colour]")
    assert colours.is_visible()
    tab.locator("[data-opacity]").fill("30")
    assert colours.evaluate("(one) => getComputedStyle(one).opacity") == "0.3"
    box, picture = colours.bounding_box(), tab.locator(".ts-stack > img").first.bounding_box()
    assert box == picture
    tab.check("input[name=ts-evidence][value=outline]")
    assert not colours.is_visible()
    assert tab.locator("[data-layer=outline]").is_visible()
    cut = tab.locator("input[data-cut]")
    cut.focus()
    tab.keyboard.press("Home")
    assert (
        tab.locator(".ts-after").evaluate("(one) => getComputedStyle(one).clipPath")
        == "inset(0px 0px 0px 0%)"
    )
    assert [url for url in requests if not url.startswith("data:")] == []


def test_a_german_browser_gets_german(browser, page, pictures):
    context = browser.new_context(locale="de-DE")
    tab = context.new_page()
    tab.goto(page.url)
    tab.wait_for_selector(".ts-zone")
    assert "MRT-Bild hier ablegen" in tab.locator(".ts-target").inner_text()
    tab.set_input_files("#ts-file", pictures / "text.png")
    assert "ist Text, kein Bild" in refusal_of(tab, "text.png")
    tab.set_input_files("#ts-file", pictures / "plain.png")
    answer_for(tab, "plain.png").locator(".ts-verdict").first.wait_for()
    assert "Kalibrierte Wahrscheinlichkeit" in tab.locator(".ts-verdict").first.inner_text()
    tab.click("[data-remove]")
    tab.locator("#ts-answer .ts-empty", has_text="Noch kein Bild").wait_for()
    context.close()
