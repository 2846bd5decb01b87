"""All that the history keeps between two commits: open tracks by lane, links that wait for theirs, ids seen lately."""

from __future__ import annotations

import msgspec

from archive.history.passages import Lane, Links, expire, linked, step
from archive.history.rows import Row, TrackRow, event_row, window_row
from contracts.messages import Alert, Event, FrameTracks, WindowStats

MOST_LINKS = 20_000
MOST_IDS = 4_000
"""After its restart Flink repeats what came since its checkpoint, a second or two: far fewer than these."""

LINK_MS = 600_000
"""A link is for a track that began at most so long after it: ids begin anew when the jobs lose their state."""


class GatherState(msgspec.Struct, kw_only=True):
    """What a commit keeps beside the files. Lanes and links by `site/camera/lane` (`/track`), ids in their order."""

    v: int = 1
    lanes: dict[str, Lane] = {}
    links: dict[str, tuple[int, Links]] = {}
    ids: dict[str, None] = {}


class Gatherer:
    """Takes messages and gives rows: each track, event and window once, whatever is repeated."""

    def __init__(self, state: GatherState) -> None:
        self.state = state

    def take(self, message: FrameTracks | Event | Alert | WindowStats, now_ms: int) -> tuple[Row, ...]:
        """The rows that a message completes."""
        match message:
            case FrameTracks():
                return self._tracks(message, now_ms)
            case Event():
                lane = f"{message.site}/{message.camera}/{message.lane}"
                self._link(lane, message.track_ids, message.rule, "", message.at_ms)
                return (event_row(message),) if self._is_new(message.id) else ()
            case Alert():
                lane = f"{message.site}/{message.camera}/{'late' if message.late else 'live'}"
                self._link(lane, message.track_ids, message.rule, message.id, message.at_ms)
                return ()
            case WindowStats():
                row = window_row(message)
                return (row,) if self._is_new(row.id) else ()

    def expire(self, now_ms: int) -> tuple[TrackRow, ...]:
        """The tracks of lanes of which nothing comes any more."""
        rows: list[TrackRow] = []
        for name, lane in self.state.lanes.items():
            self.state.lanes[name], over = expire(lane, now_ms)
            rows += over
        return tuple(rows)

    def _tracks(self, frame: FrameTracks, now_ms: int) -> tuple[TrackRow, ...]:
        name = f"{frame.site}/{frame.camera}/{frame.lane}"
        lane = self.state.lanes.get(name) or Lane(site=frame.site, camera=frame.camera, lane=frame.lane)
        after, rows = step(lane, frame, now_ms)
        for track_id in after.passages.keys() - lane.passages.keys():
            since_ms, links = self.state.links.pop(f"{name}/{track_id}", (0, Links()))
            passage = after.passages[track_id]
            if passage.first_ms - since_ms <= LINK_MS:
                after.passages[track_id] = linked(passage, links)
        self.state.lanes[name] = after
        return rows

    def _link(self, name: str, track_ids: tuple[int, ...], rule: str, alert: str, at_ms: int) -> None:
        lane = self.state.lanes.get(name)
        for track_id in track_ids:
            passage = lane.passages.get(track_id) if lane else None
            if lane is not None and passage is not None:
                lane.passages[track_id] = linked(passage, Links().with_(rule, alert))
                continue
            key = f"{name}/{track_id}"
            _, links = self.state.links.pop(key, (0, Links()))
            self.state.links[key] = (at_ms, links.with_(rule, alert))
            if len(self.state.links) > MOST_LINKS:
                del self.state.links[next(iter(self.state.links))]

    def _is_new(self, unique: str) -> bool:
        if unique in self.state.ids:
            return False
        self.state.ids[unique] = None
        if len(self.state.ids) > MOST_IDS:
            del self.state.ids[next(iter(self.state.ids))]
        return True
