"""The page as a person uses it, in headless Chromium."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Seen:
    """What happened in a tab."""

    tab: object
    requests: list[str]
    faults: list[str]


def opened(browser, page, **options) -> Seen:
    seen = Seen(
        browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page(), [], []
    )
    seen.tab.on("request", lambda request: seen.requests.append(request.url))
    seen.tab.on("pageerror", lambda error: seen.faults.append(str(error)))
    seen.tab.on("console", lambda line: seen.faults.append(line.text) if line.type == "error" else None)
    seen.tab.goto(page.url)
    seen.tab.wait_for_selector(".ts-zone")
    return seen


@pytest.fixture(scope="module")
def shared(browser, page) -> Iterator[Seen]:
    """One open page for many tests, as a person would keep it."""
    seen = opened(browser, page)
    yield seen
    seen.tab.context.close()


@pytest.fixture
def tab(shared, page) -> Iterator[object]:
    """The open page without an answer; at its end, nothing was asked of another host and no script failed."""
    show(shared.tab, 0)
    if shared.tab.locator("#ts-answer [data-remove]").count():
        shared.tab.click("#ts-answer [data-remove]")
    yield shared.tab
    shared.tab.unroute_all()
    quiet(shared)
    assert page.uploads() == []


def quiet(seen: Seen) -> None:
    hosts = {urlparse(url).hostname for url in seen.requests if not url.startswith(("data:", "blob:"))}
    assert hosts <= {"127.0.0.1"}
    assert seen.faults == []


def show(tab, place: int | str) -> None:
    """Choose a tab by its place or name."""
    tabs = tab.get_by_role("tab")
    one = tabs.nth(place) if isinstance(place, int) else tab.get_by_role("tab", name=place)
    if one.get_attribute("aria-selected") != "true":
        one.click()


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
def test_the_first_file_of_a_fresh_page_shows_its_cause(browser, page, pictures, name):
    # The first is known to be too large before anything is sent: no answer may be lost for being so early.
    seen = opened(browser, page)
    seen.tab.set_input_files("#ts-file", pictures / name)
    assert BAD_FILES[name][1] in refusal_of(seen.tab, name)
    seen.tab.context.close()
    quiet(seen)


def test_no_verdict_outlives_its_picture(browser, page, pictures):
    tab = opened(browser, page).tab
    tab.set_input_files("#ts-file", pictures / "plain.png")
    answer_for(tab, "plain.png")
    tab.route("**/gradio_api/upload*", lambda _: None)  # the next picture never arrives
    tab.set_input_files("#ts-file", pictures / "deep.png")
    tab.locator("#ts-answer .ts-empty").wait_for()
    assert tab.locator(".ts-verdict").count() == 0
    assert "Sending deep.png" in tab.locator("#ts-drop .ts-status").inner_text()
    tab.context.close()


def test_the_same_picture_again_is_answered_again(tab, pictures):
    for _ in range(2):
        tab.set_input_files("#ts-file", pictures / "plain.png")
        answer_for(tab, "plain.png")
        tab.click("[data-remove]")
        tab.locator("#ts-answer .ts-empty").wait_for()
        assert tab.locator(".ts-verdict").count() == 0


def test_a_sending_that_fails_at_once_is_said(browser, page, pictures):
    tab = opened(browser, page).tab
    tab.route("**/gradio_api/upload*", lambda route: route.fulfill(status=500, body="broken"))
    tab.set_input_files("#ts-file", pictures / "plain.png")
    assert "could not be sent" in refusal_of(tab, "plain.png")
    tab.context.close()


def test_examples_are_answered(tab):
    for name in ("drawn-1-lesion", "drawn-1-plain", "drawn-2-lesion", "drawn-2-plain"):
        tab.locator("[data-example]").nth(int(name[6]) * 2 - 2 + name.endswith("plain")).click()
        answer_for(tab, name).locator(".ts-verdict").wait_for()


def test_the_keyboard_is_enough(browser, page, pictures):
    tab = opened(browser, page).tab
    for _ in range(30):
        if tab.evaluate("document.activeElement.id") == "ts-file":
            break
        tab.keyboard.press("Tab")
    with tab.expect_file_chooser() as chooser:
        tab.keyboard.press("Space")
    chooser.value.set_files(pictures / "plain.png")
    answer_for(tab, "plain.png")
    for _ in range(5):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.hasAttribute('data-example')"):
            break
    tab.keyboard.press("Enter")
    answer_for(tab, "drawn-1")
    tab.context.close()


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


def serious(tab) -> list[str]:
    """What axe finds that matters, one line each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(tab, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_in_the_way_of_anyone(browser, page, pictures, scheme):
    seen = opened(browser, page, color_scheme=scheme)
    tab = seen.tab
    tab.set_input_files("#ts-file", pictures / "plain.png")
    answer_for(tab, "plain.png")
    tab.wait_for_timeout(500)  # until the new answer has faded in: half-faded text has no contrast
    assert serious(tab) == []
    tab.set_input_files("#ts-file", pictures / "text.png")
    refusal_of(tab, "text.png")
    show(tab, "How good is it")
    tab.locator("#ts-card table").first.wait_for()
    assert serious(tab) == []
    show(tab, "Compare")
    tab.set_input_files("#ts-compare-file", pictures / "plain.png")
    tab.locator("#ts-compare-answer .ts-difference").wait_for()
    tab.wait_for_timeout(500)
    assert serious(tab) == []
    tab.context.close()
    quiet(seen)


def test_two_ways_side_by_side_and_other_settings_without_sending_the_file_again(
    tab, pictures, tiny_detector
):
    show(tab, "Compare")
    tab.set_input_files("#ts-compare-file", pictures / "deep.png")
    answer = tab.locator("#ts-compare-answer")
    answer.locator(".ts-difference").wait_for()
    shares = [
        float(one.get_attribute("data-probability")) for one in answer.locator("[data-probability]").all()
    ]
    assert shares[0] == pytest.approx(
        tiny_detector.find(read_scan(pictures / "deep.png")).probability, abs=1e-9
    )
    box = tab.locator("[data-option=right_contrast]")
    was = box.is_checked()
    box.click()
    answer.get_by_text(f"CLAHE): {'off' if was else 'on'}").nth(0).wait_for()
    assert answer.locator("[data-side=right]", has_text=f"CLAHE): {'off' if was else 'on'}").count() == 1


def test_what_is_dropped_goes_to_the_tab_that_is_seen(tab, pictures):
    show(tab, "Compare")
    zone = tab.locator("#ts-compare-drop .ts-target")
    transfer = tab.evaluate_handle(
        """(data) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "dropped.png"));
          return transfer;
        }""",
        base64.b64encode((pictures / "plain.png").read_bytes()).decode(),
    )
    zone.dispatch_event("drop", {"dataTransfer": transfer})
    tab.locator("#ts-compare-answer .ts-difference").wait_for()
    show(tab, 0)
    assert tab.locator("#ts-answer .ts-empty").count() == 1


def test_two_people_do_not_see_each_others_pictures(browser, page, pictures):
    one, other = opened(browser, page), opened(browser, page)
    one.tab.set_input_files("#ts-file", pictures / "plain.png")
    other.tab.set_input_files("#ts-file", pictures / "deep.png")
    assert "deep.png" not in answer_for(one.tab, "plain.png").inner_text()
    assert "plain.png" not in answer_for(other.tab, "deep.png").inner_text()
    for seen in (one, other):
        # A picture has no address: all that was asked for besides the page is its own upload and events.
        assert not [url for url in seen.requests if "/file=" in url]
        seen.tab.context.close()
        quiet(seen)
    assert page.uploads() == []
