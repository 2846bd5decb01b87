"""What the console says when it is up: its address, and until it was used the link that makes the administrator."""

from __future__ import annotations

from pathlib import Path

ADDRESS, LINK = "address", "first-link"


class ConsoleNews:
    """Looks into the console's state folder; what an earlier run left there is no news."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said = ""
        self.open_at = ""
        """What to open in a browser once it is up."""

    def forget(self) -> None:
        """Before the console is started."""
        for name in (ADDRESS, LINK):
            (self._folder / name).unlink(missing_ok=True)

    def new(self) -> list[str]:
        """Lines to say, each once."""
        try:
            address = (self._folder / ADDRESS).read_text()
        except FileNotFoundError:
            return []
        if not address or address == self._said:
            return []
        self._said = self.open_at = address
        lines = [f"the console is at {address}"]
        try:
            self.open_at = (self._folder / LINK).read_text()
            lines.append(f"make its administrator here, once: {self.open_at}")
        except FileNotFoundError:
            pass
        return lines
