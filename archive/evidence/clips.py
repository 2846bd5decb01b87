"""Which alerts still get a clip, and when: waiting ones are marked where the evidence is, so a kill forgets none."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace

import msgspec

from archive.evidence import paths
from archive.evidence.chain import Chain, Entry, as_json
from archive.evidence.clip import ClipInfo, ClipMaker, instead, window_of
from archive.evidence.files import Files
from archive.evidence.paths import Place
from archive.letters import Clock
from bus.errors import BusError
from contracts import metrics
from contracts.codec import decode
from contracts.config import EvidenceStore
from contracts.decoding import from_json
from contracts.errors import ContractError
from contracts.messages import Alert, EvidenceNote
from contracts.metrics import Metrics

log = logging.getLogger(__name__)

SETTLE_MS = 3_000
"""From shutter to log takes a frame a tenth of a second, more while the broker is busy."""
LATE_SETTLE_MS = 30_000
"""What a spool held comes at a limited rate: so long after the alert's last word, what followed it has come as well."""
AGAIN_MS = 5_000
TRIES = 60


@dataclass(frozen=True)
class Waiting:
    """An alert whose clip is to be made at `due_ms`."""

    alert: Alert
    due_ms: int
    tries: int = 0

    @property
    def ended(self) -> bool:
        """Whether the alert is over, so that no later clip of it is made."""
        return self.alert.state == "end"


class Clips:
    """Alerts that wait for their clips. `expect` is for the thread that reads alerts, the rest for that behind it."""

    def __init__(
        self, files: Files, chain: Chain, maker: ClipMaker, config: EvidenceStore, measured: Metrics, clock: Clock
    ) -> None:
        self._files = files
        self._chain = chain
        self._maker = maker
        self._config = config
        self._metrics = measured
        self._clock = clock
        self._waiting: dict[Place, Waiting] = {}
        self._lock = threading.RLock()

    def load(self) -> None:
        """Find the alerts that waited when the process last ended."""
        for site in self._files.folders(""):
            for path in self._files.paths(f"{site}/{paths.PENDING}"):
                data = self._files.read(path)
                folder = (data or b"").decode(errors="replace").strip()
                known = paths.parsed(f"{folder}/{paths.ALERT}")
                alert = self._alert(known[0]) if known is not None else None
                if known is None:
                    self._files.delete(path)
                elif alert is not None:
                    self._put(known[0], alert)

    def expect(self, alert: Alert) -> None:
        """A revision of an alert has come: mark it, before anything of it counts as done. Raises OSError.

        An alert that has its clip, or is too old for evidence, changes nothing; one that ends after its clip was made
        gets another.
        """
        place = paths.place_of(alert)
        with self._lock:
            known = self._waiting.get(place)
            if known is not None:
                if alert.revision > known.alert.revision:
                    self._put(place, alert)
            elif not self._settled(place, alert):
                self._files.write(place.pending, place.folder.encode())
                self._put(place, alert)

    def due(self) -> tuple[Place, Waiting] | None:
        """The alert whose clip is most overdue now, None where none is."""
        with self._lock:
            self._metrics.gauge(metrics.CLIPS_WAITING).set(len(self._waiting))
            place = min(self._waiting, key=lambda one: self._waiting[one].due_ms, default=None)
            if place is None or self._waiting[place].due_ms > self._clock():
                return None
            return place, self._waiting[place]

    def make(self, place: Place, waiting: Waiting) -> EvidenceNote | None:
        """Make a clip and keep it, or the reason why there is none; None where it is tried again later.

        The mark goes with `done`, once others were told. Raises Stopped, OSError.
        """
        began_s = time.monotonic()
        try:
            clip = self._maker.make(waiting.alert)
        except BusError as error:
            if waiting.tries < TRIES:
                with self._lock:  # a newer revision may have come meanwhile
                    newest = self._waiting.get(place, waiting)
                    due_ms = max(newest.due_ms, self._clock() + AGAIN_MS)
                    self._waiting[place] = replace(newest, due_ms=due_ms, tries=waiting.tries + 1)
                log.warning("%s: no clip yet, again in %d s: %s", place.folder, AGAIN_MS // 1000, error)
                return None
            clip = self._maker.without(waiting.alert, f"the log can't be read: {error}")
        kept = self._kept(place, self._chain.manifest(place))
        clip = instead(kept, clip) if kept is not None else clip
        info = clip.info
        files: dict[str, bytes | None] = {} if clip.mp4 is None else {paths.CLIP: clip.mp4}
        self._chain.keep(place, files | {paths.CLIP_INFO: as_json(info)}, "clip")
        if clip.mp4 is not None:
            self._metrics.counter(metrics.EVIDENCE_WRITTEN, "clip").inc()
            self._metrics.histogram(metrics.CLIP).observe(time.monotonic() - began_s)
        elif info.stays or not info.frames:
            self._metrics.counter(metrics.EVIDENCE_MISSED, "clip").inc()
        log.info("%s: %s", self._files.place(place.file(paths.CLIP)), said(info))
        return EvidenceNote(
            site=place.site,
            camera=place.camera,
            alert=place.alert,
            at_ms=self._clock(),
            kind="clip" if info.frames else "no_clip",
            why=said(info),
        )

    def done(self, place: Place, waiting: Waiting) -> None:
        """The alert waits no more, unless it ended while the clip was made."""
        with self._lock:
            if self._waiting.get(place, waiting).ended and not waiting.ended:
                return
            self._waiting.pop(place, None)
            self._files.delete(place.pending)

    def _settled(self, place: Place, alert: Alert) -> bool:
        """Whether nothing is to be made of this revision: deleted, or the clip is there and the alert was over then."""
        manifest = self._chain.manifest(place)
        if manifest is None or (manifest.kind == "kept" and paths.CLIP_INFO not in manifest.files):
            return False
        if manifest.kind == "deleted" or alert.state != "end":
            return True
        kept = self._kept(place, manifest)
        return kept is None or not kept.going_on

    def _kept(self, place: Place, manifest: Entry | None) -> ClipInfo | None:
        """What the kept clip shows; None where there is none, or a kill or somebody else left other files."""
        data = self._chain.read(place, paths.CLIP_INFO, manifest)
        try:
            info = from_json(data, ClipInfo) if data is not None else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if info is not None and info.frames and self._chain.read(place, paths.CLIP, manifest) is None:
            return None
        return info

    def _put(self, place: Place, alert: Alert) -> None:
        window = window_of(alert, self._config)
        due_ms = window.until_ms + SETTLE_MS
        if alert.late:
            due_ms = max(due_ms, self._clock() + LATE_SETTLE_MS)
        with self._lock:
            self._waiting[place] = Waiting(alert, due_ms)

    def _alert(self, place: Place) -> Alert | None:
        """The alert as its entry means it; None where a kill came between the two: the alert comes once more."""
        data = self._chain.read(place, paths.ALERT, self._chain.manifest(place))
        try:
            return decode(data, Alert) if data is not None else None
        except ContractError:
            return None


def said(info: ClipInfo) -> str:
    """What a clip is, in words."""
    if not info.frames:
        return f"no clip: {info.reason}"
    anew = f"; not made anew when the alert ended: {info.stays}" if info.stays else ""
    return f"gated: {info.frames} frames over {info.seconds:.1f} s{anew}"
