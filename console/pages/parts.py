"""Small parts that the read-only pages are made of: plain HTML elements with our classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from nicegui import ui


class Link(NamedTuple):
    """Text that leads somewhere."""

    text: str
    address: str


class Act(NamedTuple):
    """A button: what it says, what it says to who can't see its row, and what it does."""

    text: str
    label: str
    run: Callable[[], object]


def element(tag: str, text: str = "", classes: str = "", **props: str | bool) -> ui.element:
    """An HTML element with text; props are its attributes (`_` stands for `-`)."""
    made: ui.element = Text(tag, text) if text else ui.element(tag)
    if classes:
        made.classes(classes)
    for name, value in props.items():
        made._props[name.replace("_", "-")] = value
    return made


class Text(ui.element):
    """An element that is only text: no HTML is ever made from data."""

    def __init__(self, tag: str, text: str) -> None:
        super().__init__(tag)
        self._text = text


def card(title: str) -> ui.element:
    """A card with its heading; use it in a `with`."""
    made = element("section", classes="card")
    with made:
        element("h2", title)
    return made


def figure(title: str, value: str, note: str = "") -> None:
    """One number, large."""
    with element("section", classes="card"):
        element("h3", title)
        with element("div", classes="figure"):
            element("span", value)
            if note:
                element("small", " " + note)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Iterable[int] = (), caption: str) -> None:
    """A table; `numbers` are the columns that are set to the right. A cell may be (text, classes), a Link or an Act."""
    right = set(numbers)
    with element("div", classes="scroll", tabindex="0", role="region", aria_label=caption), _table():
        with element("thead"), element("tr"):
            for place, head in enumerate(heads):
                element("th", head, "num" if place in right else "", scope="col")
        with element("tbody"):
            for row in rows:
                with element("tr"):
                    for place, cell in enumerate(row):
                        _cell(cell, "num " if place in right else "")


def _cell(cell: Any, classes: str) -> None:
    if isinstance(cell, Link):
        with element("td", classes=classes):
            element("a", cell.text, href=cell.address)
        return
    if isinstance(cell, Act):
        with element("td", classes=classes):
            element("button", cell.text, "button small", aria_label=cell.label).on("click", cell.run)
        return
    text, more = cell if isinstance(cell, tuple) else (cell, "")
    element("td", str(text) or " ", classes + more)


def _table() -> ui.element:
    return element("table", classes="table")


def links(choices: Sequence[tuple[str, str, bool]], label: str) -> None:
    """Links side by side, of which one is chosen: (address, text, chosen)."""
    with element("nav", classes="row", aria_label=label):
        for address, text, chosen in choices:
            made = element("a", text, "button small" + (" on" if chosen else ""), href=address)
            if chosen:
                made._props["aria-current"] = "true"


def values(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values."""
    with element("dl", classes="values"):
        for name, value in pairs:
            element("dt", name)
            element("dd", value or "–")
