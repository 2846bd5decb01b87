"""Analytics, third view: where time was spent, as a veil over the camera's picture."""

from __future__ import annotations

from msgspec.structs import replace

from console.pages import parts
from console.pages.asked import Asked
from console.pages.desk import Visit
from console.pages.texts import ANALYTICS


async def heat_map(visit: Visit, asked: Asked) -> None:
    """The heat of one camera; of the first that somebody sees, when none is asked for."""
    desk = visit.desk
    sees = [name for name in desk.config.cameras if visit.who.sees(name)]
    camera = next((name for name in asked.camera if name in sees), sees[0] if sees else "")
    wanted = asked.wanted(desk.now_ms(), desk.zone)
    title = f"{ANALYTICS['heat']}: {desk.camera_name(camera)}"
    with parts.card(title if camera else ANALYTICS["heat"]):
        with parts.element("nav", classes="row", aria_label=ANALYTICS["heat_which"]):
            if len(sees) <= 12:
                one_each = [(name, replace(asked, camera=(name,)).address(view="heat")) for name in sees]
                parts.links([(to, desk.camera_name(name), name == camera) for name, to in one_each], title)
        if not camera:
            return
        given = replace(asked, camera=(camera,)).address(last="", since="", until="")
        with parts.element("div", classes="over heat"):
            parts.element("img", src=f"/live/picture/{camera}.jpg", alt="")
            span = f"&since_ms={wanted.since_ms}&until_ms={wanted.until_ms}"
            parts.element("img", classes="veil", src=f"/api/figures/heat{given}{span}", alt=title)
        with parts.element("div", classes="scale"):
            parts.element("span", ANALYTICS["little"])
            parts.element("i", aria_hidden="true")
            parts.element("span", ANALYTICS["much"])
            parts.element("span", ANALYTICS["heat_hint"])
