"""The page as a person uses it, in headless Chromium."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlparse

import numpy as np
import pytest
from chromium import DROP, NEEDS_CHROMIUM
from handed_in import BAD_FILES, PICTURES
from served import PATIENCE, a_site

from tumorscan.app.site import SiteSettings
from tumorscan.model.bundle import read_bundle, write_bundle
from tumorscan.read import read_scan
from tumorscan.types import Interval

pytestmark = NEEDS_CHROMIUM

# Files made in the page itself: a real DataTransfer, as a drag from the desktop has.
_PASTE = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
}"""


# Nothing waits for an answer, and no animation that ends is still running.
_SETTLED = """() => !document.querySelector(".pending") && document.getAnimations().every(
  (one) => one.playState !== "running" || one.effect.getComputedTiming().endTime === Infinity)"""


@dataclass(frozen=True)
class Seen:
    """What happened in a tab."""

    tab: object
    requests: list[str]
    faults: list[str]


def new_tab(browser, **options) -> object:
    """A tab with a private history, in which a busy machine has time."""
    tab = browser.new_context(**options).new_page()
    tab.set_default_timeout(1000 * PATIENCE)
    return tab


def settled(tab) -> None:
    """Wait until what changed has faded in: half-faded text has no contrast."""
    tab.wait_for_timeout(200)  # until it has begun to
    tab.wait_for_function(_SETTLED)


def opened(browser, page, **options) -> Seen:
    seen = Seen(new_tab(browser, **{"viewport": {"width": 1280, "height": 900}, **options}), [], [])
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


@pytest.fixture(scope="module")
def series(tmp_path_factory) -> list[Path]:
    """The files of a drawn head."""
    pytest.importorskip("pydicom")
    from tumorscan.data.phantom_study import write_study

    folder = tmp_path_factory.mktemp("series") / "head"
    write_study(folder, 3, slices=8, tumor=True)
    return sorted(folder.iterdir())


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
    shown.wait_for()
    return shown


def refusal_of(tab, name: str) -> str:
    """Where it never left the browser, the zone says so; else the answer does."""
    shown = tab.locator(".ts-alarm, #ts-answer article.ts-refusal", has_text=name)
    shown.wait_for()
    assert tab.locator("#ts-answer .ts-verdict").count() == 0
    return shown.inner_text()


@pytest.mark.parametrize(("script", "name"), [*((DROP, name) for name in PICTURES), (_PASTE, "deep.png")])
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


def test_after_a_reload_the_page_offers_the_points_of_the_new_bundle(
    browser, pictures, tiny_bundle, tmp_path
):
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    old = read_bundle(bundle)
    screening = old.manifest.operating_points[0]
    rarely = Interval(0.42, 0.3, 0.5, "exact binomial")
    points = (screening, replace(screening, name="specific", threshold=0.9, sensitivity=rarely))
    files = {file: (bundle / file).read_bytes() for file in old.manifest.files}
    volumes = tmp_path / "volumes"
    volumes.mkdir()
    with a_site(SiteSettings(model=bundle), volumes) as (url, service):
        before = opened(browser, SimpleNamespace(url=url))
        assert before.tab.locator(".ts-points").count() == 0
        write_bundle(bundle, replace(old.manifest, operating_points=points), files)
        assert service.reload()
        seen = opened(browser, SimpleNamespace(url=url))
        tab = seen.tab
        for place, name in enumerate(("ts-point", "ts-series-point", "ts-batch-point")):
            show(tab, place)
            tab.locator(f"input[name={name}][value=specific]").wait_for()
            assert tab.locator(f"input[name={name}]:checked").input_value() == "screening"
            assert "42 %" in tab.locator(".ts-points:visible").inner_text()
        show(tab, 0)
        tab.locator("[data-example]").nth(1).click()
        shown = answer_for(tab, "drawn-1-plain")
        tab.check("input[name=ts-point][value=specific]")
        assert shown.locator("[data-point=specific]:visible").count()
        hand_in(tab, DROP, pictures / "plain.png")
        answer_for(tab, "plain.png")
        for one in (before, seen):
            quiet(one)
            one.tab.context.close()


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
    tab.evaluate(DROP, [name, base64.b64encode(file.read_bytes()).decode()])
    tab.locator(".ts-verdict").wait_for()
    assert name in tab.locator(".ts-scan figcaption").inner_text()
    assert tab.title() == "tumorscan"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone_in_light_and_dark(browser, page, pictures, scheme):
    tab = new_tab(browser, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    tab.goto(page.url)
    tab.wait_for_selector(".ts-zone")
    tab.set_input_files("#ts-file", pictures / "turned.jpg")
    answer_for(tab, "turned.jpg").locator(".ts-verdict").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    ground = tab.evaluate("getComputedStyle(document.querySelector('.ts-answer')).backgroundColor")
    lightness = sum(int(value) for value in re.findall(r"\d+", ground)[:3]) / 3
    assert (lightness > 128) == (scheme == "light")
    tab.context.close()


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
    tab = new_tab(browser, locale="de-DE")
    tab.goto(page.url)
    tab.wait_for_selector(".ts-zone")
    assert "MRT-Bild hier ablegen" in tab.locator(".ts-target").first.inner_text()
    assert tab.evaluate("document.documentElement.lang") == "de"
    tab.set_input_files("#ts-file", pictures / "text.png")
    assert "ist Text, kein Bild" in refusal_of(tab, "text.png")
    tab.set_input_files("#ts-file", pictures / "plain.png")
    answer_for(tab, "plain.png").locator(".ts-verdict").first.wait_for()
    assert "Kalibrierte Wahrscheinlichkeit" in tab.locator(".ts-verdict").first.inner_text()
    tab.click("[data-remove]")
    tab.locator("#ts-answer .ts-empty", has_text="Noch kein Bild").wait_for()
    tab.context.close()


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
def test_nothing_serious_is_in_the_way_of_anyone(browser, page, pictures, series, scheme):
    seen = opened(browser, page, color_scheme=scheme)
    tab = seen.tab
    tab.set_input_files("#ts-file", pictures / "plain.png")
    answer_for(tab, "plain.png")
    settled(tab)
    assert serious(tab) == []
    tab.set_input_files("#ts-file", pictures / "text.png")
    refusal_of(tab, "text.png")
    show(tab, "How good is it")
    tab.locator("#ts-card table").first.wait_for()
    assert serious(tab) == []
    show(tab, "Compare")
    tab.set_input_files("#ts-compare-file", pictures / "plain.png")
    tab.locator("#ts-compare-answer .ts-difference").wait_for()
    settled(tab)
    assert serious(tab) == []
    show(tab, "Batch")
    tab.set_input_files("#ts-batch-file", [pictures / "plain.png", pictures / "text.png"])
    tab.locator("#ts-batch-answer table").wait_for()
    settled(tab)
    assert serious(tab) == []
    show(tab, "Series")
    tab.set_input_files("#ts-series-file", series)
    tab.locator("#ts-series-answer .ts-viewer[data-shown]").wait_for()
    settled(tab)
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


def test_a_batch_is_a_table_that_sorts_and_downloads(tab, pictures, tiny_detector):
    show(tab, "Batch")
    names = [*PICTURES, "text.png", "large.bmp"]
    tab.set_input_files("#ts-batch-file", [pictures / name for name in names])
    table = tab.locator("#ts-batch-answer table")
    table.wait_for()
    rows = table.locator("tbody tr")
    assert [rows.nth(i).locator("th").inner_text() for i in range(len(names))] == names
    assert "is text" in rows.nth(len(PICTURES)).inner_text()
    assert "more than the limit" in rows.nth(len(PICTURES) + 1).inner_text()
    assert rows.locator("img").count() == len(PICTURES)
    values = "(all) => all.map((one) => Number(one.cells[3].dataset.value))"
    head = table.locator("[data-sort='3']")
    head.focus()
    tab.keyboard.press("Enter")
    rising = rows.evaluate_all(values)
    assert rising == sorted(rising)
    tab.keyboard.press("Enter")
    assert rows.evaluate_all(values) == rising[::-1]
    assert table.locator("th[aria-sort=descending]").count() == 1
    with tab.expect_download() as saved:
        tab.locator("#ts-batch-answer a[download$='.csv']").click()
    lines = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(names)
    expected = tiny_detector.find(read_scan(pictures / "plain.png")).probability
    assert f"{expected:.4f}" in lines[1]


def test_a_batch_is_stopped_by_its_button(browser, page, pictures):
    seen = opened(browser, page)
    tab = seen.tab
    show(tab, "Batch")
    data = (pictures / "plain.png").read_bytes()
    many = [{"name": f"{number:03d}.png", "mimeType": "image/png", "buffer": data} for number in range(250)]
    tab.set_input_files("#ts-batch-file", many)
    tab.locator("[data-stop]").click()
    answer = tab.locator("#ts-batch-answer .ts-batch")
    answer.wait_for()
    done = answer.locator("tbody tr").count()
    assert done == 250 or "Stopped" in answer.inner_text()
    tab.context.close()
    quiet(seen)
    assert page.uploads() == []


def test_a_series_is_looked_through_without_the_server(tab, series, tiny_detector):
    from tumorscan.detect.volume import find_volume
    from tumorscan.read.study import read_study

    show(tab, "Series")
    tab.set_input_files("#ts-series-file", series)
    answer = tab.locator("#ts-series-answer")
    viewer = answer.locator(".ts-viewer[data-ready=all]")
    viewer.wait_for()
    (volume,) = read_study(series[0].parent).volumes
    found = find_volume(tiny_detector, volume)
    shown = float(answer.locator("article").get_attribute("data-probability"))
    assert shown == pytest.approx(found.finding.probability, abs=1e-6)
    assert viewer.get_attribute("data-shown") == str(found.key_slice)
    requests = []
    tab.on("request", lambda request: requests.append(request.url))
    slider = answer.locator("[data-slice]")
    slider.focus()
    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowRight")
    answer.locator(".ts-viewer[data-shown='1']").wait_for()
    grey = "(one) => Array.from(one.getContext('2d').getImageData(0, 0, one.width, one.height).data.filter((_, i) => i % 4 === 0))"
    drawn = answer.locator("canvas").evaluate(grey)
    assert abs(np.array(drawn).reshape(volume.values.shape[1:]) - volume.grey(1).astype(int)).max() <= 3
    answer.locator("[data-width]").evaluate(
        "(one) => { one.value = one.min; one.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    assert answer.locator("canvas").evaluate(grey) != drawn
    answer.locator("[data-reset]").click()
    assert answer.locator("canvas").evaluate(grey) == drawn
    box = answer.locator("[data-curve]").bounding_box()
    answer.locator("[data-curve]").click(position={"x": box["width"] * 0.97, "y": box["height"] / 2})
    answer.locator(".ts-viewer[data-shown='7']").wait_for()
    answer.locator("button[data-key]").click()
    answer.locator(f".ts-viewer[data-shown='{found.key_slice}']").wait_for()
    assert [url for url in requests if not url.startswith("data:")] == []
    with tab.expect_download() as saved:
        answer.locator("a[download$='.json']").click()
    assert "probability" in Path(saved.value.path()).read_text(encoding="utf-8")
    answer.locator("[data-remove]").click()
    answer.locator(".ts-empty").wait_for()


def test_what_is_no_series_shows_its_cause(tab, pictures):
    show(tab, "Series")
    tab.set_input_files("#ts-series-file", pictures / "text.png")
    shown = tab.locator("#ts-series-answer .ts-refusal")
    shown.wait_for()
    assert "text.png" in shown.inner_text()
    assert "is text" in shown.inner_text()


def test_the_report_of_the_picture_that_is_shown_is_saved(tab, pictures):
    pytest.importorskip("fpdf")
    tab.set_input_files("#ts-file", pictures / "plain.png")
    answer_for(tab, "plain.png")
    for _ in range(2):
        with tab.expect_download() as saved:
            tab.locator("#ts-answer [data-report], #ts-answer a[download$='.pdf']").click()
        assert Path(saved.value.path()).read_bytes().startswith(b"%PDF")
        answer_for(tab, "plain.png").locator("a[download$='.pdf']").wait_for()
    tab.locator("[data-example]").first.click()
    answer_for(tab, "drawn-1-lesion").locator("[data-report]").wait_for()
    with tab.expect_download() as saved:
        tab.click("[data-report]")
    assert Path(saved.value.path()).read_bytes().startswith(b"%PDF")


@pytest.mark.data
def test_real_pictures_get_the_command_lines_answer(tab, data_dir, tiny_detector):
    for folder in ("figshare", "no_tumor"):
        file = next(
            one for one in sorted((data_dir / folder).rglob("*")) if one.suffix.lower() in (".png", ".jpg")
        )
        if file.stat().st_size > 1_000_000:
            continue
        tab.set_input_files("#ts-file", file)
        shown = answer_for(tab, file.name)
        expected = tiny_detector.find(read_scan(file)).probability
        assert float(shown.get_attribute("data-probability")) == pytest.approx(expected, abs=1e-6)
