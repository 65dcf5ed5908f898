"""The page in a browser: it works from a file, alone, on a phone, in the dark and on paper.

Needs playwright and a chromium (Debian's, or CHROMIUM=path); skipped where there is none.
"""

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.image as mpimg
import numpy as np
import pytest

from plan3d.cli.html.page import page as text_of
from plan3d.cli.study import Study

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium")
FLAGS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE, DESK = (390, 844), (1400, 900)
ACCENTS = {"light": (11, 98, 168), "dark": (95, 176, 240)}


class Tab:
    """A page, and what it said and asked for."""

    def __init__(self, browser: Any, path: Path, size: tuple[int, int], scheme: str) -> None:
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,
            reduced_motion="reduce",
        )  # fmt: skip
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.goto(path.as_uri())

    def pixels(self, selector: str) -> np.ndarray:
        shot = self.page.locator(selector).first.screenshot()
        shape: np.ndarray = 255 * mpimg.imread(io.BytesIO(shot), format="png")[..., :3]
        return shape


@pytest.fixture(scope="module")
def path(full: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("page") / "plan.html"
    path.write_text(text_of(full), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tab(browser: Any, path: Path) -> Iterator[Tab]:
    tab = Tab(browser, path, DESK, "light")
    yield tab
    assert tab.said == []
    assert tab.asked == [path.as_uri()]
    tab.context.close()


def column(tab: Tab, name: str) -> list[str]:
    found: list[str] = tab.page.evaluate(
        """name => {
            const table = document.querySelector('#layouts table');
            const heads = [...table.tHead.rows[0].cells].map(cell => cell.textContent);
            const i = heads.indexOf(name);
            return [...table.tBodies[0].rows].filter(row => !row.hidden)
                .map(row => row.cells[i].textContent);
        }""",
        name,
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_it_fits_and_can_be_seen(
    browser: Any, path: Path, size: tuple[int, int], scheme: str
) -> None:
    tab = Tab(browser, path, size, scheme)
    assert tab.page.evaluate("document.documentElement.scrollWidth") == size[0]
    accent = np.array(ACCENTS[scheme])
    for name in ("breakdown", "memory", "pareto", "scaling", "roofline"):
        pixels = tab.pixels(f"svg.{name}")
        drawn = np.abs(pixels - accent).max(axis=-1) < 12
        assert drawn.sum() > 40, (name, scheme)
        ground = np.median(pixels.reshape(-1, 3), axis=0)
        assert ground.mean() > 250 if scheme == "light" else ground.mean() < 40
    assert pixels_vary(tab.pixels("svg.timeline"))
    assert tab.said == []
    assert tab.asked == [path.as_uri()]
    tab.context.close()


def pixels_vary(pixels: np.ndarray) -> bool:
    return float(pixels.std()) > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_contrast_of_all_text_is_enough(browser: Any, path: Path, scheme: str) -> None:
    """At least 4.5 : 1 (WCAG 2.2, 1.4.3), of the page's text and of the figures'."""
    tab = Tab(browser, path, DESK, scheme)
    worst = tab.page.evaluate(
        """() => {
            const rgb = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
            const light = text => {
                const part = rgb(text).map(v => v / 255)
                    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
            };
            const ground = node => {
                for (let one = node; one; one = one.parentElement) {
                    const color = getComputedStyle(one).backgroundColor;
                    if (!/, 0\\)$/.test(color)) return color;
                }
                return 'rgb(255, 255, 255)';
            };
            let worst = [99, ''];
            const nodes = document.querySelectorAll(
                'h1, h2, p, li, dt, dd strong, dd small, td, th, summary, a, code, svg text');
            for (const node of nodes) {
                if (node.closest('.skip') || !node.textContent.trim()) continue;
                const inSvg = node.namespaceURI.endsWith('svg');
                const style = getComputedStyle(node);
                const pair = [light(inSvg ? style.fill : style.color), light(ground(node))];
                const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
                if (ratio < worst[0]) worst = [ratio, node.outerHTML.slice(0, 120)];
            }
            return worst;
        }"""
    )
    assert worst[0] >= 4.5, worst
    tab.context.close()


def test_it_sorts(tab: Tab) -> None:
    button = tab.page.locator("#layouts thead button", has_text="memory [GiB]")
    button.click()
    values = [float(text) for text in column(tab, "memory [GiB]")]
    assert values == sorted(values)
    assert len(values) > 10
    button.press("Enter")
    assert [float(text) for text in column(tab, "memory [GiB]")] == sorted(values, reverse=True)
    assert tab.page.locator("#layouts [aria-sort=descending]").count() == 1


def test_it_filters(tab: Tab) -> None:
    field = tab.page.locator("#layouts input")
    field.fill("tp 2")
    assert set(column(tab, "tp")) == {"2"}
    micro_batch = column(tab, "micro batch")[0]
    field.fill(f"tp=2, micro_batch {micro_batch}")
    assert set(column(tab, "micro batch")) == {micro_batch}
    field.fill("TP2")
    assert set(column(tab, "tp")) == {"2"}
    field.fill("tp 3")
    assert tab.page.locator("#layouts output").inner_text().startswith("0 of ")
    field.fill("")
    assert len(column(tab, "tp")) == 40


def test_it_says_what_parts_of_figures_are(tab: Tab) -> None:
    tip = tab.page.locator("#tip")
    assert tip.is_hidden()
    tab.page.locator("svg.breakdown .tip").first.hover()
    assert tip.is_visible()
    assert tip.inner_text().startswith("matrix products: ")
    tab.page.mouse.move(2, 2)
    assert tip.is_hidden()
    tab.page.locator("#pareto figure").focus()
    tab.page.keyboard.press("ArrowRight")
    first = tip.inner_text()
    tab.page.keyboard.press("ArrowRight")
    assert tip.inner_text() != first
    assert " GiB" in first
    tab.page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_the_keyboard_gets_everywhere(browser: Any, path: Path) -> None:
    tab = Tab(browser, path, DESK, "light")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    tab.page.keyboard.press("Enter")
    assert tab.page.url.endswith("#answer")
    ring = tab.page.evaluate(
        """() => { const link = document.querySelector('nav a'); link.focus();
                   return getComputedStyle(link).outlineStyle; }"""
    )
    assert ring != "none"
    tab.context.close()


def test_it_prints_everything(tab: Tab) -> None:
    pdf = tab.page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    tab.page.emulate_media(media="print")
    assert tab.page.locator("nav").is_hidden()
    tab.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.page.locator("details:not([open])").count() == 0
    tab.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.page.locator("details:not([open])").count() > 0
    tab.page.emulate_media(media="screen")


def test_nothing_gets_out_of_the_page(browser: Any, path: Path) -> None:
    """The policy stops what a script would fetch, were there one."""
    tab = Tab(browser, path, DESK, "light")
    tab.page.evaluate(
        "const image = new Image(); image.src = 'http://127.0.0.1:9/x'; document.body.append(image)"
    )
    stopped = tab.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'out', () => 'stopped')")
    assert stopped == "stopped"
    assert all("Content Security Policy" in text for text in tab.said[:2])
    assert len(tab.said) >= 2
    tab.context.close()


def test_it_can_be_read_without_scripts(browser: Any, path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("#layouts tbody tr").count() == 40
    assert page.locator(".filters").is_hidden()
    context.close()
