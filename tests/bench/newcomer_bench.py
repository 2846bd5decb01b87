"""How long what a newcomer does first takes in the demo, by the words on the screen alone, in a real browser.

The demo is started, its administrator made by the link that the terminal prints; then a false alarm is answered, a zone
drawn and a person enrolled, each from the first page on. Pictures of the ends are build/screenshots/newcomer-*.png.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.bench.report import Row, at_most, load, missing, table
from tests.bench.site import Up, demo_config, recorded_clip
from tests.browser.chromium import CHROMIUM
from vedette.local import BUNDLED
from vedette.master_file import key_for

LIMIT_S = 60.0
ALERT_S = 180.0
"""How long the first alert may take; what is measured begins behind it."""
FACE = Path("data") / "faces" / "lfw10x10" / "Gerhard_Schroeder"
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


def enter(page: Page, link: str) -> None:
    """Make the administrator."""
    page.goto(link)
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").first.fill("correct horse battery")
    page.get_by_label("Password again").fill("correct horse battery")
    page.get_by_role("button", name="Make account").click()
    page.get_by_role("region", name="Alert queue").wait_for()


def answer(page: Page, _face: Path) -> None:
    """The worst alert of the queue is false."""
    page.locator(".alert button.open").first.click()
    page.get_by_role("toolbar", name="Answers").get_by_role("button", name="False").click()
    page.get_by_text("Answered as false: 1").wait_for()


def zone(page: Page, _face: Path) -> None:
    """A zone on the first camera's picture: four corners, and the first once more."""
    page.get_by_role("link", name="Cameras & rules").click()
    page.get_by_role("button", name="New zone").click()
    area = page.locator(".drawing svg").bounding_box()
    assert area is not None
    for x, y in ((0.3, 0.3), (0.5, 0.3), (0.5, 0.5), (0.3, 0.5), (0.3, 0.3)):
        page.mouse.click(area["x"] + area["width"] * x, area["y"] + area["height"] * y)
    page.get_by_role("dialog").get_by_label("Name").fill("Doorway")
    page.keyboard.press("Enter")
    page.get_by_text("doorway saved").wait_for()


def enrol(page: Page, face: Path) -> None:
    """A person by one picture."""
    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name="Enrol a person").first.click()
    page.get_by_label("Choose a picture").set_input_files(face)
    page.get_by_text("Good picture").wait_for()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Gerhard")
    dialog.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_role("heading", name="Gerhard").or_(page.get_by_role("button", name="Gerhard")).first.wait_for()


TASKS: dict[str, Callable[[Page, Path], None]] = {
    "a false alarm is answered": answer,
    "a zone is drawn": zone,
    "a person is enrolled": enrol,
}


def newcomer(shared: Path) -> list[Row]:
    """A row a task."""
    faces = sorted((shared / FACE).glob("*.jpg"))
    if not CHROMIUM or not faces:
        return [missing("console", "a newcomer's first tasks", "there is no Chromium" if faces else f"no {FACE}")]
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    config = demo_config(recorded_clip(shared), BUNDLED) | {"console": {"port": 0}}
    with (
        tempfile.TemporaryDirectory() as folder,
        Up(config, Path(folder), key_for(Path(folder), {}, print, needed=True)) as system,
        sync_playwright() as playwright,
    ):
        link = re.search(r"http\S+/enter/\S+", system.lines_until("make its administrator")[-1].text)
        assert link is not None
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(LIMIT_S * 1000)
        enter(page, link[0])
        page.locator(".alert").first.wait_for(timeout=ALERT_S * 1000)
        rows = [_timed(page, name, task, faces[0]) for name, task in TASKS.items()]
        browser.close()
    return rows


def _timed(page: Page, name: str, task: Callable[[Page, Path], None], face: Path) -> Row:
    page.get_by_role("link", name="Alerts", exact=True).click()
    page.get_by_role("region", name="Alert queue").wait_for()
    began = time.monotonic()
    task(page, face)
    took_s = time.monotonic() - began
    page.screenshot(path=SCREENSHOTS / f"newcomer-{task.__name__}.png")
    return at_most("console", f"newcomer in the demo: {name}", took_s, LIMIT_S, " s", digits=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    print(table(newcomer(parser.parse_args().shared)), load(), sep="\n\n")
