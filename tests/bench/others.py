"""The benches of single parts as rows of the table: vision, edge, rules, sightings ..."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from contracts.manifest import load_manifest
from tests import edge_outage
from tests.bench import (
    classifiers_bench,
    compose_bench,
    console_bench,
    edge_bench,
    faces_bench,
    faults_bench,
    history_bench,
    inference_bench,
    newcomer_bench,
    replay_bench,
    rollout_bench,
    rules_bench,
    scaling_bench,
    sightings_bench,
    tracking_bench,
    visible_bench,
    vision_bench,
)
from tests.bench.report import Row, at_least, at_most, missing
from tests.bench.site import recorded_clip
from tests.rule_worlds import WORLDS, anomalies, f1, health
from training import tracking as evaluation
from vedette.broker import Broker, BrokerConfig
from vedette.errors import SetupError
from vedette.local import BUNDLED

Say = Callable[[str], None]
SCENES = 40
"""Scenes of each kind at each rate: three minutes in all."""
SEEDS = 5
EDGE_S = 15.0
OUTAGE_S = 60.0


def vision(shared: Path, _python: Path | None, _say: Say) -> list[Row]:
    """The detector on one thread against a bare loop, in CPU time."""
    if not shared.is_dir():
        return [missing("vision", "the detector against a bare loop", f"there is no {shared}", "<= 1.1")]
    cv2.setNumThreads(1)
    manifest = load_manifest(BUNDLED)
    slot, batcher = vision_bench.detector_of(manifest, BUNDLED.parent)
    rows = []
    for size, picture in vision_bench.PICTURES.items():
        jpeg = vision_bench.picture_of(shared, size)
        found = vision_bench.against_bare(jpeg, picture, manifest, BUNDLED.parent, slot, batcher, rounds=60)
        what = f"CPU a {size} frame against bare ({found['ours']:.1f} of {found['bare']:.1f} ms)"
        rows.append(at_most("vision", what, found["ratio"], vision_bench.LIMIT))
    return rows


def edge(_shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """The agent's CPU a picture on generated clips, against reading (and encoding) them at the cameras' own pace."""
    with tempfile.TemporaryDirectory() as name, Broker(BrokerConfig(Path(name) / "kafka", heap_mb=256)) as broker:
        folder, rows = Path(name), []
        for label, picture in (("sending", edge_bench.walking), ("gated", edge_bench.standing)):
            clip = edge_bench.write_clip(folder / f"{label}.avi", 300, edge_bench.FPS, picture, "XVID")
            fast, paced = (edge_bench.bare(clip, EDGE_S / 2, paced=p) for p in (False, True))
            cost, share = edge_bench.agent_ms(broker, folder, label, clip, 4, EDGE_S)
            say(f"  {label}: {cost:.2f} ms CPU a picture, {share:.0%} sent; bare, 10/s {paced}; tight {fast}")
            wanted = paced.read + paced.encode if label == "sending" else paced.read
            what = f"agent's CPU a camera, {label}, against {'read + encode' if label == 'sending' else 'read'}"
            rows.append(at_most("edge", what, cost / wanted, 1.5))
    return rows


def outage(_shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """Broker away for a minute, kill -9 of the agent in the middle: what it had accepted and what arrived."""
    with tempfile.TemporaryDirectory() as name:
        found = edge_outage.outage(Path(name), OUTAGE_S)
    say(
        f"  {sum(map(len, found.frames.values()))} records; live frames {found.live_after_s:.1f} s after the broker, "
        f"the spool empty after {found.drained_after_s:.0f} s"
    )
    what = f"of {len(found.accepted)} frames accepted and open at the kill, missing in their lane"
    dropped = sum(sum(status.counters.dropped.values()) for status in found.last_status.values())
    return [
        at_most("outage", what, len(found.missing), 0, digits=0),
        at_most("outage", "frames that reach the rules in both lanes", len(found.twice), 0, digits=0),
        at_most("outage", "frames dropped, or still on disk", dropped + len(found.left), 0, digits=0),
    ]


def tracking(shared: Path, python: Path | None, say: Say) -> list[Row]:
    """The bundled model's tracks through `vedette replay` against the best of four others on the same boxes."""
    what = "against SORT, ByteTrack, OC-SORT and C-BIoU"
    if python is None or not shared.is_dir():
        return [missing("tracking", what, "needs --shared and --trackers-python", "better than the best")]
    clips = [replay_bench.followed(clip, (shared / "data").resolve(), fps=None) for clip in tracking_bench.CLIPS]
    figures = evaluation.measure(clips, python)
    say(evaluation.table(figures))
    return [row for clip, trackers in figures.items() for row in _tracking_rows(clip, trackers)]


def _tracking_rows(clip: str, figures: dict[str, dict[str, float]]) -> list[Row]:
    ours = figures.pop("Vedette")
    rows = []
    for measure in ("MOTA", "IDF1", "IDSW"):
        values = [one[measure] for one in figures.values()]
        fewer = measure == "IDSW"
        best = min(values) if fewer else max(values)
        met = ours[measure] < best if fewer else ours[measure] > best
        promised = f"{'<' if fewer else '>'} {best:.3g}"
        rows.append(
            Row("tracking", f"{clip} {measure} against the best of four", f"{ours[measure]:.3g}", promised, met)
        )
    return rows


def rules(shared: Path, python: Path | None, say: Say) -> list[Row]:
    """Events of generated scenes, and of a real clip's tracks, against the truth."""
    rows = []
    for kind in WORLDS:
        totals = {rate: rules_bench._world(kind, rate, SCENES) for rate in rules_bench.RATES}
        worst = min(totals, key=lambda rate: f1(*totals[rate]))
        what = f"{kind}: F1 at the worst rate ({worst}/s)".replace("irregular/s", "irregular")
        rows.append(at_least("rules", what, f1(*totals[worst]), 0.99, digits=4))
    for kind in ("camera_down", "tamper", "anomaly"):
        drawn = (np.random.default_rng(seed) for seed in range(SCENES))
        stories = (anomalies(rng) if kind == "anomaly" else health(kind, rng) for rng in drawn)
        total = sum(rules_bench._counts(truth, events) for truth, events in stories)
        rows.append(at_least("rules", f"{kind}: F1", f1(*total), 0.99, digits=4))
    if python is None or not shared.is_dir():
        what = "entries, crossings and loitering on PETS09-S2L1"
        return [*rows, missing("rules", what, "needs --shared and --trackers-python", ">= 0.85")]
    table = rules_bench.clip_bench(shared / "data", python, SEEDS)
    say(table)
    return rows + _clip_rows(table)


def _clip_rows(table: str) -> list[Row]:
    """The rows of the first seed, which is what is promised: 20 seeded zones and lines."""
    head, first, *_ = table.splitlines()
    found = dict(zip(head.split()[1:], map(float, first.split()[1:]), strict=False))
    what = "entries, crossings and loitering on PETS09-S2L1, 20 places: F1"
    ours, theirs = found["Vedette"], found["ByteTrack"]
    return [
        at_least("rules", what, ours, 0.85, digits=3),
        Row("rules", f"{what} against ByteTrack's tracks", f"{ours:.3f}", f"> {theirs:.3f}", ours > theirs),
    ]


def visible(_shared: Path, _python: Path | None, _say: Say) -> list[Row]:
    """An alert's way from the topic to the screen of a browser, beside nine more clients."""
    return visible_bench.visible()


def newcomer(shared: Path, _python: Path | None, _say: Say) -> list[Row]:
    """What somebody does first in the demo, by the words on the screen."""
    return newcomer_bench.newcomer(shared)


def queue(_shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """A page of the console's queue out of a million alerts, under any filter."""
    return console_bench.bench(console_bench.ALERTS, console_bench.DATABASES, say)


def sightings(_shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """Search back in time: a million sightings, written as in service, opened and searched by a fresh process."""
    found = sightings_bench.bench()
    say(f"  {found}")
    count = f"{found['count']:,.0f} sightings"
    return [
        at_most("sightings", f"search in {count}: p95", found["p95_ms"], 200, " ms", digits=0),
        at_most("sightings", f"memory of {count}", found["mib"], 300, " MiB", digits=0),
        at_most("sightings", f"start with decryption of {count}", found["start_s"], 10, " s", digits=1),
        at_least("sightings", "of 5 looks at each of 200 people, found first", found["found"], 1.0, digits=3),
    ]


def scaling(shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """Cores and memory of the whole system at 1, 2, 4, 8 and 16 cameras against a straight line."""
    try:
        clip = recorded_clip(shared)
    except SetupError as error:
        return [missing("scaling", "needs a clip", error.found)]
    with tempfile.TemporaryDirectory() as folder:
        return scaling_bench.scaling(Path(folder), clip, say)


def compose(_shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """deploy/compose.yaml as Docker reads it, without Docker."""
    return compose_bench.compose(say)


def inference(shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """Pictures a second by batch, on a GPU where there is one."""
    return inference_bench.inference(shared, say)


def faces(_shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """What faces cost, and a gallery that changes while the stream runs."""
    return faces_bench.bench(say)


def history(_shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """Search and analytics over a month of a million tracks."""
    found = history_bench.bench()
    say(f"  {found}")
    what = "a page of a million tracks, any filter: p95"
    return [
        at_most("history", what, found["page_p95"], 500, " ms", digits=0),
        at_most("history", "occupancy of 20 cameras over a day", found["occupancy"], 500, " ms", digits=0),
        at_most("history", "ways of a day", found["ways"], 500, " ms", digits=0),
        at_most("history", "heat map of a camera's day", found["heat"], 500, " ms", digits=0),
        at_most("history", "memory that asking takes", found["mib"], 250, " MiB", digits=0),
    ]


def learning(shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """Rounds of answers on a lobby's camera; some hours of training where nothing was measured yet."""
    if importlib.util.find_spec("torch") is None:
        return [missing("learning", "rounds", "needs the extra `training`")]
    from tests.bench.learning_bench import learning as rounds

    return rounds(shared, say)


BENCHES: dict[str, Callable[[Path, Path | None, Say], Sequence[Row]]] = {
    "vision": vision,
    "edge": edge,
    "outage": outage,
    "tracking": tracking,
    "rules": rules,
    "faults": faults_bench.faults,
    "rollout": rollout_bench.rollout,
    "visible": visible,
    "queue": queue,
    "newcomer": newcomer,
    "sightings": sightings,
    "scaling": scaling,
    "inference": inference,
    "compose": compose,
    "faces": faces,
    "history": history,
    "classifiers": classifiers_bench.classifiers,
    "learning": learning,
    "hard-hats": classifiers_bench.hard_hats,
}
