"""How long an alert takes from the topic to the screen of a real browser, beside nine more clients of the console.

The clients open the page as a browser does and listen at its socket. Measured is the time from handing the alert to
the producer until the browser has painted its row within the window, all on one clock.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import numpy as np
import psutil
import socketio
from playwright.sync_api import Page, sync_playwright

from contracts import codec, topics
from tests.bench.report import Row, at_least, at_most, missing
from tests.browser.chromium import CHROMIUM
from tests.console_scene import alert_now
from tests.console_site import MORE_CAMERAS, ConsoleSite
from vedette.broker import Broker, BrokerConfig

RATE = 20.0
SECONDS = 30.0
CLIENTS = 9
LIMIT_MS = 200.0

# A row counts only where the window shows it when it comes (in such a flood others push it out soon), and from the
# frame after the one that paints it on.
OBSERVER = """() => {
  const list = document.querySelector(".list");
  window.seen = {};
  const look = (row) => {
    const box = row.getBoundingClientRect(), frame = list.getBoundingClientRect();
    if (box.height === 0 || box.bottom <= frame.top || box.top >= frame.bottom) return;
    requestAnimationFrame(() => requestAnimationFrame(() => { window.seen[row.dataset.id] ??= Date.now(); }));
  };
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) {
      if (node.nodeType !== 1) continue;
      if (node.dataset?.id) look(node);
      for (const row of node.querySelectorAll("[data-id]")) look(row);
    }
  }).observe(list, { childList: true, subtree: true });
}"""


class Listeners:
    """Clients at the console's sockets; `heard` counts the batches that each got."""

    def __init__(self, site: ConsoleSite, clients: int) -> None:
        self.heard = [0] * clients
        self._site = site
        self._stop = threading.Event()
        self._ready = threading.Semaphore(0)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)

    def __enter__(self) -> Listeners:
        self._thread.start()
        for _ in self.heard:
            if not self._ready.acquire(timeout=120):
                raise TimeoutError("a client did not get in")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    async def _all(self) -> None:
        await asyncio.gather(*(self._one(number) for number in range(len(self.heard))))

    async def _one(self, number: int) -> None:
        cookie = self._site.cookie("maria")
        headers = {"Cookie": f"{cookie['name']}={cookie['value']}"}
        page = await asyncio.to_thread(self._page, headers)
        client_id = re.search(r"""['"]client_id['"]: ?['"]([^'"]+)""", page)
        message_id = re.search(r"""['"]next_message_id['"]: ?(\d+)""", page)
        assert client_id is not None, page[:2000]
        assert message_id is not None, page[:2000]
        socket = socketio.AsyncClient()
        query = {
            "client_id": client_id[1],
            "next_message_id": message_id[1],
            "implicit_handshake": "true",
            "tab_id": str(uuid.uuid4()),
            "document_id": str(uuid.uuid4()),
        }

        async def heard(said: dict[str, str]) -> None:
            self.heard[number] += '"batch"' in said.get("code", "")

        socket.on("run_javascript", heard)
        address = self._site.address + "?" + "&".join(f"{name}={value}" for name, value in query.items())
        await socket.connect(address, headers, ["websocket"], socketio_path="/_nicegui_ws/socket.io")
        self._ready.release()
        while not self._stop.is_set():
            await asyncio.sleep(0.2)
        await socket.disconnect()

    def _page(self, headers: dict[str, str]) -> str:
        request = urllib.request.Request(self._site.address + "/", headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())


def visible(rate: float = RATE, seconds: float = SECONDS) -> list[Row]:
    """Alerts at `rate` a second for `seconds`, each on another camera than the one before."""
    if not CHROMIUM:
        return [missing("console", "alert visible in a browser", "there is no Chromium", f"<= {LIMIT_MS:g} ms")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kafka = BrokerConfig(folder / "kafka", heap_mb=256)
        with Broker(kafka) as broker, ConsoleSite(folder / "console", broker.bootstrap) as site:
            return _measured(site, rate, seconds)


def _measured(site: ConsoleSite, rate: float, seconds: float) -> list[Row]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1600, "height": 950})
        context.add_cookies([site.cookie("maria")])  # type: ignore[list-item]
        page = context.new_page()
        page.goto(site.address + "/?status=all")
        page.wait_for_selector(".list")
        with Listeners(site, CLIENTS) as listeners:
            _send(site, page, rate, 3.0)  # code that runs for the first time is not what an operator waits for all day
            page.evaluate(OBSERVER)
            before_s = site.cpu_s(), _browser_cpu_s()
            sent = _send(site, page, rate, seconds)
            console_s, browser_s = site.cpu_s() - before_s[0], _browser_cpu_s() - before_s[1]
            page.wait_for_timeout(3000)
            seen: dict[str, int] = page.evaluate("() => window.seen")
            heard = min(listeners.heard)
        browser.close()
    waited_ms = np.array([seen[one] - at_ms for one, at_ms in sent.items() if one in seen])
    median, p95, worst = (float(np.percentile(waited_ms, part)) for part in (50, 95, 100))
    cpu = f"CPU a second of it: console {console_s / seconds:.2f} s, browser {browser_s / seconds:.2f} s"
    figures = f"median {median:.0f}, p95 {p95:.0f}, worst {worst:.0f} ms"
    what = f"alert on the topic to visible, {rate:g} a second, {CLIENTS} more clients ({figures}; {cpu})"
    return [
        at_most("console", what, p95, LIMIT_MS, " ms", digits=0),
        at_least("console", f"of {len(sent)} alerts seen", 100 * len(waited_ms) / len(sent), 100, " %"),
        at_least("console", "batches that the least of the other clients heard", heard, seconds, digits=0),
    ]


def _browser_cpu_s() -> float:
    """CPU seconds of all processes that this one has started by way of the browser's driver."""
    times = [
        one.cpu_times()
        for one in psutil.Process().children(recursive=True)
        if "chrom" in one.name() and one.status() != psutil.STATUS_ZOMBIE
    ]
    return sum(one.user + one.system for one in times)


def _send(site: ConsoleSite, page: Page, rate: float, seconds: float) -> dict[str, int]:
    """Puts alerts onto the topic evenly; returns when each was handed over (ms)."""
    sent: dict[str, int] = {}
    began = time.monotonic()
    for number in range(round(rate * seconds)):
        # The browser is driven from this thread, so that waiting lets its events through.
        page.wait_for_timeout(max(0.0, began + number / rate - time.monotonic()) * 1000)
        alert = alert_now(camera=f"gate-{number % MORE_CAMERAS:02d}", why=f"person {number} entered lawn")
        sent[alert.id] = time.time_ns() // 1_000_000
        site.put(topics.ALERTS, codec.encode(alert), alert.camera)
    return sent


if __name__ == "__main__":
    import sys

    from tests.bench.priority import hurry
    from tests.bench.report import load, table

    if len(sys.argv) > 1:
        hurry(int(sys.argv[1]))  # where the machine is shared: what is measured runs before the rest
    print(table(visible()), load(), sep="\n\n")
