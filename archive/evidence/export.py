"""What goes into an alert's bundle: its evidence, the entries of the chain about it, and what operators did."""

from __future__ import annotations

import msgspec

from archive.evidence import paths
from archive.evidence.bundle import About, sealed
from archive.evidence.chain import Entry, entry_path, head_path
from archive.evidence.files import Files
from archive.evidence.paths import Place
from contracts.decoding import from_json
from contracts.errors import VedetteError
from contracts.messages import Alert
from vault.signing import Signer

KEPT = (
    *(paths.CLIP, paths.CLIP_INFO, paths.SNAPSHOT, paths.FRAME, paths.SEEN, paths.MISSED),
    *(paths.ALERT, paths.DECISIONS, paths.ANSWERS),
)
ACTIONS, CHAIN, HEAD, README = "actions.json", "chain.json", "chain-head.json", "README.txt"

TEXT = """Evidence of alert {alert} of camera {camera}, site {site}.

clip.mp4       what the camera's agent sent around the alert (clip.json says of what time, and what is missing)
snapshot.jpg   the frame that shows it best, with what the rule saw drawn in; frame.jpg is the same undrawn
seen.json      what that frame shows, by which model
decisions.json every revision of the alert with the values that led to it, and the versions of model, rule and config
answers.json   the verdict and the cases that hold it, as the evidence process knows them
actions.json   what operators did with it, as the console knows
chain.json     its entries in the chain of that day, the newest first; chain-head.json the signed end of that chain
manifest.json  the SHA-256 of everything here, and where in this file it lies

To check that no byte of this file was changed since it was made, with the site's public key from elsewhere:

    vedette evidence verify FILE --key 'ed25519:...'
"""


class NoEvidenceError(VedetteError):
    """There is nothing to export: no evidence of that alert, or not any more."""


def exported(files: Files, key: Signer, alert: Alert, actions: bytes, *, made_at_ms: int, made_for: str) -> bytes:
    """The signed bundle of an alert; `actions` is JSON. Raises NoEvidenceError, ContractError, OSError."""
    place = paths.place_of(alert)
    kept = {name: data for name in KEPT if (data := files.read(place.file(name))) is not None}
    if paths.ALERT not in kept:
        raise NoEvidenceError(f"there is no evidence of alert {alert.id} (any more, or yet)")
    contents = {README: TEXT.format(alert=alert.id, camera=alert.camera, site=alert.site).encode(), **kept}
    contents[ACTIONS] = msgspec.json.format(actions, indent=2)
    contents[CHAIN] = _entries(files, place)
    head = files.read(head_path(place.day_folder))
    if head is not None:
        contents[HEAD] = head
    about = About(
        alert=alert.id,
        site=alert.site,
        camera=alert.camera,
        made_at_ms=made_at_ms,
        made_for=made_for,
        rule=alert.rule,
        rule_version=alert.rule_version,
        model=alert.model,
        config_version=alert.config_version,
    )
    return sealed(about, contents, key)


def _entries(files: Files, place: Place) -> bytes:
    """The alert's entries of its day's chain, the newest first, as one JSON list."""
    found: list[bytes] = []
    data = files.read(place.file(paths.MANIFEST))
    while data is not None:
        try:
            entry = from_json(data, Entry)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            break
        found.append(data)
        following = entry.prior if 0 < entry.prior < entry.number else 0
        data = files.read(entry_path(place.day_folder, following)) if following else None
    return msgspec.json.format(b"[" + b",".join(found) + b"]", indent=2)
