"""The report page in a real browser: what is drawn, on a phone and on a desk, light and dark, without a network."""

import shutil
from itertools import product

import pytest

from tests.browser.chromium import Chromium
from tests.report_run import make_run, report

PHONE_PX, DESK_PX = 360, 1280
SCREENS = list(product((PHONE_PX, DESK_PX), ("light", "dark")))

# Texts whose contrast to what is painted behind them is below 4.5, and how many were looked at.
CONTRASTS = """(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = colour => numbers(colour).slice(0, 3).map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, channel) => sum + value * [0.2126, 0.7152, 0.0722][channel], 0);
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor;
    const alpha = numbers(colour)[3];
    return alpha === 0 ? behind(element.parentElement) : colour;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = [];
  let seen = 0;
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    if (!text.data.trim()) continue;
    seen += 1;
    const [dark, light] = [getComputedStyle(text.parentElement).color, behind(text.parentElement)]
      .map(luminance).sort((one, other) => one - other);
    if ((light + 0.05) / (dark + 0.05) < 4.5) low.push(text.data.trim());
  }
  return {low, seen};
})()"""
IMAGES = """Promise.all([...document.images].map(image => image.decode().then(() => ({
  width: image.naturalWidth, shown: image.getBoundingClientRect().width, height: image.getBoundingClientRect().height,
  source: image.currentSrc.slice(5, 19), dark: image.currentSrc !== image.src, alt: image.alt}))))"""
WIDE = """[...document.querySelectorAll('main *')].filter(element => !element.closest('.wide, pre'))
  .filter(element => element.getBoundingClientRect().right > innerWidth + 0.5)
  .map(element => element.outerHTML.slice(0, 99))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("there is no Chromium on this machine (apt-get install chromium)")
    chromium = Chromium(executable, tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """A report, away from the artifacts that it was made of. The browser comes first: without one nothing is made."""
    arguments = make_run(tmp_path_factory.mktemp("run"))
    return report(arguments).rename(tmp_path_factory.mktemp("elsewhere") / "report.html")


@pytest.mark.parametrize(("width_px", "scheme"), SCREENS)
def test_nothing_is_asked_of_a_network_and_nothing_goes_wrong(browser, page, width_px, scheme):
    browser.open(page, width_px=width_px, scheme=scheme)
    browser.evaluate(IMAGES)
    asked = [event["request"]["url"] for event in browser.of("Network.requestWillBeSent")]
    assert page.as_uri() in asked
    assert all(address.startswith("data:") for address in asked if address != page.as_uri())
    assert not browser.of("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    assert not browser.of("Network.loadingFailed")


@pytest.mark.parametrize(("width_px", "scheme"), SCREENS)
def test_every_figure_is_drawn_in_the_version_for_the_screen(browser, page, width_px, scheme):
    browser.open(page, width_px=width_px, scheme=scheme)
    images = browser.evaluate(IMAGES)
    # Three sheets, six pairs of images, two trainings, smoothing, confusion, F1, three timelines.
    assert len(images) == 3 + 6 + 2 + 1 + 2 + 3
    for image in images:
        assert image["width"] > 0 and image["shown"] > 50 and image["height"] > 20 and image["alt"], image
        is_figure = image["source"].startswith("image/svg+xml")
        assert image["dark"] == (is_figure and scheme == "dark"), image
    assert sum(image["source"].startswith("image/svg+xml") for image in images) == 8


@pytest.mark.parametrize("width_px", [320, PHONE_PX, 768, DESK_PX])
def test_nothing_reaches_past_the_screens_edge(browser, page, width_px):
    browser.open(page, width_px=width_px)
    browser.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert browser.evaluate("innerWidth") == width_px
    assert browser.evaluate("document.documentElement.scrollWidth") <= width_px
    assert browser.evaluate(WIDE) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(browser, page, scheme):
    browser.open(page, width_px=DESK_PX, scheme=scheme)
    browser.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    found = browser.evaluate(CONTRASTS)
    assert found["seen"] > 200 and found["low"] == []
    backgrounds = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert backgrounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 26)"}[scheme]


def test_the_keyboard_reaches_the_content_first_and_everything_that_scrolls(browser, page):
    browser.open(page, width_px=PHONE_PX)
    browser.press("Tab")
    focused = "document.activeElement.textContent"
    assert browser.evaluate(focused) == "Skip to the content"
    assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    browser.press("Tab")
    assert browser.evaluate(focused) == "Results"
    unreachable = """[...document.querySelectorAll('*')].filter(element =>
      element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX === 'auto'
      && element.tabIndex !== 0).map(element => element.outerHTML.slice(0, 99))"""
    assert browser.evaluate(unreachable) == []
    assert browser.evaluate("document.querySelectorAll('.wide').length") > 5


def test_a_screen_reader_finds_a_page_with_landmarks_headings_and_named_pictures(browser, page):
    browser.open(page, width_px=DESK_PX)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""), node.get("properties", []))
        for node in nodes
        if not node["ignored"]
    ]
    roles = [role for role, _, _ in found]
    assert roles.count("main") == 1 and roles.count("navigation") == 1
    levels = [
        entry["value"]["value"]
        for role, _, properties in found
        if role == "heading"
        for entry in properties
        if entry["name"] == "level"
    ]
    assert levels == [1] + [2] * 11
    for role, name, _ in found:
        if role in ("image", "link", "table", "navigation", "heading", "DisclosureTriangle"):
            assert name.strip(), role
    assert roles.count("image") == 17


def test_it_reads_the_same_without_scripts(browser, page):
    browser.open(page, width_px=DESK_PX)
    text = browser.evaluate("document.body.innerText")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page, width_px=DESK_PX)
        assert browser.evaluate("document.body.innerText") == text
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.evaluate("document.scripts.length") == 0
