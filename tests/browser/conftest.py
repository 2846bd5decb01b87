"""A real broker, a real console process and a real browser, for the tests of the pages.

Without Chromium these tests are skipped and say so; where there is one, nothing of it is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browser.chromium import CHROMIUM
from tests.console_site import ConsoleSite
from vedette.broker import Broker, BrokerConfig

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs Chromium."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason="there is no Chromium here: apt-get install chromium"))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, headless. Its own sandbox needs rights that containers don't give."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleSite]:
    """One console for all tests, each of which brings alerts and people of its own."""
    kafka, console = (tmp_path_factory.mktemp(name) for name in ("kafka", "console"))
    with Broker(BrokerConfig(kafka, heap_mb=256)) as broker, ConsoleSite(console, broker.bootstrap) as site:
        yield site


@pytest.fixture
def opened(site: ConsoleSite, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page as somebody who is signed in; what a page says on its console fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(
        path: str = "/", who: str = "maria", *, width: int = 1600, height: int = 950, script: str = "", **more: object
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, base_url=site.address, **({"color_scheme": "dark"} | more)
        )
        contexts.append(context)
        context.set_default_timeout(30_000)  # two cores for browser, broker, console, and whoever else is at work
        context.add_cookies([site.cookie(who)])
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(path)
        page.wait_for_selector("#content")
        page.wait_for_function("window.socket === undefined || window.socket.connected")
        return page

    yield open_page
    for context in contexts:
        context.close()
    # A picture that evidence hasn't kept, or a camera that is away, is answered with 404 and shown as such.
    assert [one for one in complaints if "404" not in one] == []


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Keeps a picture of a page in build/screenshots."""

    def keep(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return keep
