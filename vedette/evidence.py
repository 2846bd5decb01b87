"""`vedette evidence`: an alert as one signed file, that file checked offline, and the chains of what is kept."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from archive.evidence import paths
from archive.evidence.bundle import verified
from archive.evidence.chain_check import check_day
from archive.evidence.files import KEY_FILE, Files, files_of
from console.database_url import database_url
from console.evidence import EvidenceReader
from console.rights import Who
from console.store.store import Store
from contracts.config import Config
from contracts.errors import VedetteError
from vault import PublicKey, SiteKey


class Evidence:
    """The evidence of one site on this machine."""

    def __init__(self, config: Config, state: Path) -> None:
        self.files: Files = files_of(config.evidence, state / "archive")
        self.key = SiteKey(os.environ, state / "archive" / KEY_FILE)
        self.database = database_url(config.console.database, state / "console", os.environ)

    def exported(self, alert: str, now_ms: int) -> bytes:
        """The alert's bundle; the export stands in the console's audit."""
        store = Store(self.database)
        store.open()
        try:
            who = Who(f"command of {getpass.getuser()}", "administrator")
            return EvidenceReader(store, self.files, self.key).bundle(who, alert, now_ms)
        finally:
            store.close()

    def days(self) -> list[str]:
        """The `<site>/<day>` that have evidence."""
        sites = self.files.folders("")
        return [f"{site}/{day}" for site in sites for day in self.files.folders(site) if paths.day_of(day)]


def export(evidence: Evidence, alert: str, out: Path | None, now_ms: int) -> int:
    """Write an alert's bundle."""
    made = evidence.exported(alert, now_ms)
    file = out or Path(f"evidence-{alert}.zip")
    file.write_bytes(made)
    print(f"{file}: {len(made)} bytes, signed with {evidence.key.public}")
    return 0


def verify(bundle: Path, key: str | None) -> int:
    """Check a bundle offline; one that was changed raises TamperedError."""
    public = _public(key) if key else None
    found = verified(bundle.read_bytes(), public)
    about = found.about
    print(f"good: alert {about.alert} of camera {about.camera}, site {about.site}; {len(found.entries)} files")
    for entry in found.entries:
        print(f"  {entry.sha256}  {entry.end - entry.content_at:>10}  {entry.name}")
    print(f"signed with {found.key} ({found.key.fingerprint})")
    if public is None:
        print("whether that is the site's own key is not known: give it with --key")
    return 0


def check(evidence: Evidence) -> int:
    """Follow the chain of every day; raises VedetteError where something is not as it was written."""
    faults = 0
    for day in evidence.days():
        checked = check_day(evidence.files, day, evidence.key.public)
        print(f"{day}: {checked.kept} alerts kept, {checked.deleted} deleted, {len(checked.faults)} faults")
        for fault in checked.faults:
            print(f"  {evidence.files.place(fault.path)} {fault.what}")
        faults += len(checked.faults)
    if faults:
        raise VedetteError(f"{faults} faults: the evidence is not as it was written")
    return 0


def _public(text: str) -> PublicKey:
    """The key as it stands there, or in a file of that name."""
    file = Path(text)
    return PublicKey.parse(file.read_text(encoding="utf-8") if file.is_file() else text)
