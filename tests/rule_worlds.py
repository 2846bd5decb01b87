"""Random scenes for every kind of rule, with the truth worked out from the paths themselves, not from frames.

A scene in which the truth hangs on a few pixels or frames (somebody is in a zone for just the inertia) is thrown away
and drawn again: it has no right answer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from contracts.messages import Event
from stream.rules import AlertPolicy, CameraRules, EngineState, PolicyState, RuleEngine
from tests.rule_scenes import HEIGHT, T0_MS, WIDTH, Truth, Walker, rules_of, status_of

STEP_S = 0.01
INERTIA_S = 0.3
CENTRE = np.array([WIDTH / 2, HEIGHT / 2 + 40])
Scene = tuple[CameraRules, list[Walker], Truth, float]
"""Rules, who is there, what must be said, and how long it lasts (s)."""


class Ambiguous(Exception):
    """Draw again."""


def polygon(rng, radius=120.0):
    """A convex zone around the middle, px."""
    count = int(rng.integers(4, 8))
    angles = np.sort((np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * math.pi / count) + rng.uniform(0, math.pi)
    return CENTRE + radius * np.stack((np.cos(angles), np.sin(angles)), axis=1)


def shares(points):
    """Pixels as 0-1 of the picture."""
    return tuple((float(x / WIDTH), float(y / HEIGHT)) for x, y in points)


def inside(corners, points):
    """Which points lie in a convex polygon: on one side of all its edges."""
    edges = np.roll(corners, -1, axis=0) - corners
    to = points[:, None, :] - corners[None]
    turns = edges[None, :, 0] * to[..., 1] - edges[None, :, 1] * to[..., 0]
    return (turns >= 0).all(axis=1) | (turns <= 0).all(axis=1)


def within(corners, times, places):
    """When a path is in a zone; Ambiguous when it lingers within 3 px of the outline, where boxes shake in and out."""
    middle = corners.mean(axis=0)
    away = corners - middle
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    on_edge = inside(corners + 5 * away, places) & ~inside(corners - 5 * away, places)
    if any(b - a > 0.6 for a, b in spans(times, on_edge, unclear=[], apart_s=0.0)):
        raise Ambiguous
    return inside(corners, places)


def path_of(walker):
    """Times [N] s and places [N,2] of a walker, every STEP_S."""
    t, x, y = np.array(walker.points).T
    times = np.arange(t[0], t[-1], STEP_S)
    return times, np.stack((np.interp(times, t, x), np.interp(times, t, y)), axis=1)


def spans(times, flags, *, unclear, apart_s=1.0):
    """The times (from, until) for which the flags hold; Ambiguous when one lasts for about `unclear`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(int)))
    found = [(float(times[a]), float(times[min(b, len(times) - 1)])) for a, b in edges.reshape(-1, 2)]
    for low, high in unclear:
        if any(low <= b - a <= high for a, b in found):
            raise Ambiguous
    if any(b[0] - a[1] < apart_s for a, b in itertools.pairwise(found)):
        raise Ambiguous
    return found


def visit(rng, start_s, stay_s, speed, angle=None, reach=230.0):
    """A walk from outside into the middle, a stay there, and out again in another direction."""
    angle = rng.uniform(0, 2 * math.pi) if angle is None else angle
    out = angle + rng.uniform(0.5, 1.5) * math.pi
    middle = CENTRE + rng.uniform(-50, 50, 2)
    here = CENTRE + reach * np.array([math.cos(angle), math.sin(angle)])
    there = CENTRE + reach * np.array([math.cos(out), math.sin(out)])
    s1 = start_s + float(np.linalg.norm(middle - here)) / speed
    s2 = s1 + stay_s
    s3 = s2 + float(np.linalg.norm(there - middle)) / speed
    return ((start_s, *here), (s1, *middle), (s2, *middle), (s3, *there))


def passing(rng, start_s, speed):
    """A walk past the zone, well outside of it."""
    angle = rng.uniform(0, 2 * math.pi)
    along, away = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    a, b = CENTRE + 170 * away - 200 * along, CENTRE + 170 * away + 200 * along
    return ((start_s, *a), (start_s + 400 / speed, *b))


def walkers_of(rng, count, stay=(0.0, 4.0)):
    """Some who visit the middle, some who pass by, none in another's way: far apart in time or place."""
    walkers, start = [], 0.5
    for _ in range(count):
        speed = rng.uniform(45, 85)
        visits = rng.random() < 0.7
        points = visit(rng, start, rng.uniform(*stay), speed) if visits else passing(rng, start, speed)
        walkers.append(Walker(tuple((float(s), float(x), float(y)) for s, x, y in points)))
        start = points[-1][0] + rng.uniform(4.0, 6.0) if rng.random() < 0.5 else start + rng.uniform(0.5, 2.0)
    return walkers


def end_of(walkers):
    """How long a scene lasts, s."""
    return max(walker.points[-1][0] for walker in walkers) + 5.0


def zone_entry(rng) -> Scene:
    """Visits and passers-by: a visit is an entry."""
    zone, walkers = polygon(rng), walkers_of(rng, int(rng.integers(1, 4)))
    truth: Truth = []
    for walker in walkers:
        times, places = path_of(walker)
        truth += [(a + INERTIA_S, "person") for a, _ in spans(times, within(zone, times, places), unclear=[(0, 1.2)])]
    rules = rules_of({"r": {"kind": "zone_entry", "zone": "z"}}, {"z": shares(zone)})
    return rules, walkers, truth, end_of(walkers)


def loitering(rng) -> Scene:
    """Visits of different lengths."""
    after_s = rng.uniform(3, 8)
    zone, walkers = polygon(rng), walkers_of(rng, int(rng.integers(1, 4)), stay=(0.0, 10.0))
    truth: Truth = []
    for walker in walkers:
        times, places = path_of(walker)
        unclear = [(0, 1.2), (after_s - 0.8, after_s + 0.8)]
        truth += [
            (a + after_s, "person")
            for a, b in spans(times, within(zone, times, places), unclear=unclear)
            if b - a > after_s
        ]
    rules = rules_of({"r": {"kind": "loitering", "zone": "z", "after_s": after_s}}, {"z": shares(zone)})
    return rules, walkers, truth, end_of(walkers)


def line_crossing(rng) -> Scene:
    """Visits and passers-by over and beside a line, one direction wanted, or both."""
    angle, half = rng.uniform(0, 2 * math.pi), rng.uniform(80, 130)
    along = np.array([math.cos(angle), math.sin(angle)])
    a, b = CENTRE - half * along, CENTRE + half * along
    wanted = str(rng.choice(["in", "out", "both"]))
    walkers = walkers_of(rng, int(rng.integers(1, 4)))
    truth: Truth = []
    for walker in walkers:
        times, places = path_of(walker)
        across = (b - a)[0] * (places - a)[:, 1] - (b - a)[1] * (places - a)[:, 0]
        distance, at = across / (2 * half), (places - CENTRE) @ along
        near = np.abs(distance) < 12
        if (near & (np.abs(np.abs(at) - half) < 15)).any() or near[0] or near[-1]:
            raise Ambiguous
        if any(y - x > 1.0 for x, y in spans(times, near, unclear=[])):
            raise Ambiguous
        passes = np.flatnonzero(np.diff(across > 0))
        if (np.diff(times[passes]) < 1.0).any():
            raise Ambiguous
        for k in passes:
            way = "in" if across[k + 1] > 0 else "out"
            if abs(at[k]) < half and wanted in (way, "both"):
                truth.append((float(times[k]), "person"))
    rules = rules_of({"r": {"kind": "line_crossing", "line": "l", "direction": wanted}}, lines={"l": shares((a, b))})
    return rules, walkers, truth, end_of(walkers)


def wrong_way(rng) -> Scene:
    """People go through a zone with the heading, across it and against it, some too slowly to matter."""
    heading, after_s, zone = rng.uniform(0, 360), rng.uniform(0.5, 1.5), polygon(rng, 140.0)
    walkers, truth, start = [], [], 0.5
    for _ in range(int(rng.integers(1, 4))):
        off = float(rng.uniform(-40, 40) if rng.random() < 0.7 else rng.uniform(80, 280))  # from the exact opposite
        speed = float(
            rng.uniform(20, 90) if rng.random() < 0.8 else 5.0
        )  # heights are 60 px: 0.33 to 1.5, or 0.08 a second
        angle = math.radians(heading + 180 + off)
        along, beside = np.array([math.cos(angle), math.sin(angle)]), rng.uniform(-40, 40)
        aside = CENTRE + beside * np.array([-along[1], along[0]])
        reach = 190.0 if speed > 10 else 30.0
        here, there = aside - reach * along, aside + reach * along
        walker = Walker(((start, *here), (start + 2 * reach / speed, *there)))
        walkers.append(walker)
        times, places = path_of(walker)
        for first, last in spans(times, within(zone, times, places), unclear=[(0, after_s + 1.5)]):
            if abs(off) <= 40 and speed > 10:
                # Somebody who appears in the zone has no speed before 0.3 s of path.
                truth.append((first + (0.3 if first == times[0] else 0.0) + after_s, "person"))
            assert last > first
        start = walker.points[-1][0] + rng.uniform(4, 6)
    rule = {"kind": "wrong_way", "zone": "z", "heading": heading % 360, "after_s": after_s}
    return rules_of({"r": rule}, {"z": shares(zone)}), walkers, truth, end_of(walkers)


def running(rng) -> Scene:
    """People walk, and some of them run for a while."""
    walkers, truth, after_s = [], [], 0.7
    metres = rng.random() < 0.5
    limit, scale = (2.6, 0.03) if metres else (1.5, 1 / 60)
    for k in range(int(rng.integers(1, 4))):
        at, y, x, points = 0.5, 120.0 + 110 * k, 10.0, []
        points.append((at, x, y))
        while x < WIDTH - 60:
            runs = len(points) % 2 == 0 and rng.random() < 0.8
            speed = limit / scale * (rng.uniform(1.35, 2.0) if runs else rng.uniform(0.3, 0.65))
            for_s = rng.uniform(2.0, 3.0)
            if runs:
                truth.append((at + after_s, "person"))
            at, x = at + for_s, x + speed * for_s
            points.append((at, x, y))
        walkers.append(Walker(tuple(points)))
    camera = {"metres_per_pixel": scale} if metres else {}
    rule = {"kind": "running", "speed": limit, "unit": "metres" if metres else "heights", "after_s": after_s}
    return rules_of({"r": rule}, camera=camera), walkers, truth, end_of(walkers)


def crowd(rng) -> Scene:
    """People gather and go."""
    after_s, count, zone = rng.uniform(1.5, 4), int(rng.integers(2, 5)), polygon(rng, 150.0)
    walkers = []
    for k in range(count + int(rng.integers(-1, 3))):
        angle = 2 * math.pi * k / 6
        spot = CENTRE + 70 * np.array([math.cos(angle), math.sin(angle)])
        edge = CENTRE + 225 * np.array([math.cos(angle), math.sin(angle)])
        start, stay = rng.uniform(0.5, 6), rng.uniform(3, 12)
        points = ((start, *edge), (start + 2.5, *spot), (start + 2.5 + stay, *spot), (start + 5 + stay, *edge))
        walkers.append(Walker(points))
    length = end_of(walkers)
    times = np.arange(0, length, STEP_S)
    there = np.zeros(len(times), dtype=int)
    for walker in walkers:
        own, places = path_of(walker)
        for a, b in spans(own, within(zone, own, places), unclear=[(0, 1.2)]):
            there += (times >= a + INERTIA_S) & (times < b + INERTIA_S)
    unclear = [(0, 0.8), (after_s - 0.8, after_s + 0.8)]
    many = spans(times, there >= count, unclear=unclear)
    if any(b[0] - a[1] < 2.5 for a, b in itertools.pairwise(many)):
        raise Ambiguous
    truth = [(a + after_s, "person") for a, b in many if b - a > after_s]
    rule = {"kind": "crowd", "zone": "z", "count": count, "after_s": after_s}
    return rules_of({"r": rule}, {"z": shares(zone)}), walkers, truth, length


def absence(rng) -> Scene:
    """A guard comes and goes; a car in the zone is nobody."""
    after_s, zone = rng.uniform(3, 8), polygon(rng)
    walkers, start = [], rng.uniform(0.5, 6)
    for _ in range(int(rng.integers(1, 4))):
        points = visit(rng, start, rng.uniform(2, 8), rng.uniform(50, 80))
        walkers.append(Walker(tuple((float(s), float(x), float(y)) for s, x, y in points)))
        start = points[-1][0] + rng.uniform(0.5, 10)
    length = end_of(walkers) + 5
    times = np.arange(0, length, STEP_S)
    there = np.zeros(len(times), dtype=bool)
    for walker in walkers:
        own, places = path_of(walker)
        for a, b in spans(own, within(zone, own, places), unclear=[(0, 1.2)]):
            there |= (times >= a + INERTIA_S) & (times < b + INERTIA_S)
    empty = spans(times, ~there, unclear=[(after_s - 0.8, after_s + 0.8)])
    truth = [(a + after_s, "person") for a, b in empty if b - a > after_s]
    walkers.append(Walker(((0.0, *CENTRE), (length, *CENTRE)), "car"))
    return (
        rules_of({"r": {"kind": "absence", "zone": "z", "after_s": after_s}}, {"z": shares(zone)}),
        walkers,
        truth,
        length,
    )


def left_object(rng) -> Scene:
    """Bags that are put down and left, fetched in time, watched over, or that were always there."""
    after_s, walkers, truth = rng.uniform(3, 8), [], []
    for k in range(int(rng.integers(1, 4))):
        x, y = 120.0 + 190 * k, rng.uniform(250, 400)
        down, edge = rng.uniform(3, 5), x + (WIDTH if rng.random() < 0.5 else -WIDTH)
        story = str(rng.choice(["left", "fetched", "watched", "always"]))
        speed, stay = rng.uniform(50, 80), rng.uniform(0.5, 3)
        if story == "always":
            away = (down + 640 / speed, edge, y + 70)
            walkers.append(Walker(((down - 2, x, y + 70), (down, x, y + 70), away)))
            walkers.append(Walker(((0.0, x, y), (down + after_s + 8, x, y)), "bag", 20))
            walkers[-2] = Walker(((6.0, x, y + 70), (8.0, x, y + 70), (8 + 640 / speed, edge, y + 70)))
            continue
        leaves = down + (after_s + 6 if story == "watched" else stay)
        gone = leaves + 640 / speed
        walkers.append(Walker(((0.0, x + 12, y - 60), (down, x + 12, y), (leaves, x + 12, y), (gone, edge, y))))
        # Boxes: a bag of 20 px, a person of 24x60; near is one height of the person, 60 px between the boxes.
        way = (60 + 22 + (12 if edge < x else -12)) / speed
        until = leaves + way + (after_s - 1.5 if story == "fetched" else after_s + 5)
        if story == "left":
            truth.append((leaves + way + after_s, "bag"))
        elif story == "watched":
            until = leaves + way + 1
        walkers.append(Walker(((down, x, y), (until, x, y)), "bag", 20))
    return rules_of({"r": {"kind": "left_object", "after_s": after_s}}), walkers, truth, end_of(walkers)


WORLDS: dict[str, Callable[[np.random.Generator], Scene]] = {
    "zone_entry": zone_entry,
    "loitering": loitering,
    "line_crossing": line_crossing,
    "wrong_way": wrong_way,
    "running": running,
    "crowd": crowd,
    "absence": absence,
    "left_object": left_object,
}


def draw(kind: str, rng: np.random.Generator) -> Scene:
    """A scene of this kind that has a right answer."""
    while True:
        try:
            return WORLDS[kind](rng)
        except Ambiguous:
            continue


def health(kind: str, rng: np.random.Generator) -> tuple[Truth, list[Event]]:
    """A camera that goes down, falls silent or is tampered with at random; the truth, and what the engine says."""
    rule = {"kind": "tamper", "states": ("frozen", "black")} if kind == "tamper" else {"kind": kind, "silent_s": 10}
    engine, state, events = RuleEngine(rules_of({"r": rule})), EngineState(), []
    truth: Truth = []
    bad, spoke_s, until_s, mode = False, 0, int(rng.integers(5, 20)), "up"
    for at_s in range(300):
        if at_s >= until_s:
            until_s = at_s + int(rng.integers(3, 40))
            mode = "up" if mode != "up" else str(rng.choice(["down", "silent", "black", "blurred"]))
        if mode == "silent":
            state, told = engine.on_silence(state, T0_MS + at_s * 1000)
            now_bad = bad or (kind == "camera_down" and at_s - spoke_s >= 10)
        else:
            tamper = (mode,) if mode in ("black", "blurred") else ()
            state, told = engine.on_status(state, status_of(at_s, "down" if mode == "down" else "up", tamper))
            now_bad, spoke_s = mode == ("black" if kind == "tamper" else "down"), at_s
        truth += [(at_s, "")] if now_bad and not bad else []
        bad = now_bad
        events += told
    return truth, events


def anomalies(rng: np.random.Generator) -> tuple[Truth, list[Event]]:
    """Windows that begin and cease to be unusual; the truth, and the alerts as if they were events."""
    limit = rng.uniform(3, 6)
    policy = AlertPolicy(rules_of({"r": {"kind": "anomaly", "score": limit, "zone": "z"}}, {"z": shares(polygon(rng))}))
    state, truth, alerts, going = PolicyState(), [], [], False
    for minute in range(1, 60):
        if rng.random() < 0.6:
            continue
        going = not going
        zone, score = str(rng.choice(["z", "z", "other"])), limit + float(rng.choice([-0.5, 0.5]))
        pairs = [(zone, score, False)] if going else [("z", 0.0, True), ("other", 0.0, True)]
        for where, value, ended in pairs:
            event = Event(
                id=f"{minute}{where}", site="site", camera="gate", lane="live", kind="anomaly", rule="", rule_version=0,
                at_ms=T0_MS + minute * 60_000, ended=ended, label="person", zone=where, score=value,
            )  # fmt: skip
            state, told = policy.step(state, (event,), at_ms=event.at_ms, frame=None)
            alerts += [a for a in told if a.state == "new"]
            if not ended and where == "z" and value >= limit:
                truth.append((minute * 60, "person"))
    return truth, [
        Event(id=a.id, site=a.site, camera=a.camera, lane="live", kind=a.kind, rule=a.rule, rule_version=a.rule_version,
              at_ms=a.started_at_ms, label=a.label)
        for a in alerts
    ]  # fmt: skip


def matched(truth: Truth, found: Truth, tolerance_s: float) -> int:
    """The largest number of pairs of truth and finding, each used once: same label, at most `tolerance_s` apart.

    In order of time the first two that can be a pair may as well be one, so one pass finds the most.
    """
    pairs = 0
    for label in {label for _, label in truth}:
        left = sorted(t for t, other in truth if other == label)
        right = sorted(t for t, other in found if other == label)
        while left and right:
            apart_s = left[0] - right[0]
            pairs += abs(apart_s) <= tolerance_s
            if apart_s <= tolerance_s:
                left.pop(0)
            if apart_s >= -tolerance_s:
                right.pop(0)
    return pairs


def f1(pairs: int, truths: int, findings: int) -> float:
    """2 x pairs / (truths + findings); 1 where there was nothing to find and nothing was found."""
    return 1.0 if truths + findings == 0 else 2 * pairs / (truths + findings)
