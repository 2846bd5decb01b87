"""The health page: agents and cameras, the jobs by what they do, what waits, and the disk."""

from __future__ import annotations

from nicegui import ui

from console.live.wall import LATE_MS, State
from console.notify.notifier import ChannelView
from console.pages import parts
from console.pages.desk import Visit, blocking
from console.pages.texts import HEALTH, LIVE
from console.pages.times import delayed, lasting, stamp
from contracts.edge_messages import EdgeStatus

EVERY_S = 2.0
QUIET_MS = 10_000
"""The alert reader speaks with the broker several times a second: silent for so long, it is cut off."""

TONE = {"live": "good", "waiting": "warn", "old": "warn"}


async def health_page(visit: Visit) -> None:
    """What is at /health. While it is open, pictures and tracks are read: their times tell how the jobs do."""
    visit.desk.reader.watch()
    ui.context.client.on_delete(visit.desk.reader.leave)
    with parts.element("div", classes="page"):
        with parts.element("header"):
            parts.element("h1", HEALTH["title"])
            if visit.who.may("manage_agents"):
                parts.element("span", classes="grow")
                parts.element("a", HEALTH["agents"], "button", href="/agents")
        body = parts.element("div", classes="stack", aria_live="off")

    async def show() -> None:
        await _show(visit, body)

    await show()
    visit.every(EVERY_S, show)


async def _show(visit: Visit, body: ui.element) -> None:
    desk = visit.desk
    now_ms = desk.now_ms()
    waiting = await blocking(desk.store.answers.unsent_count)
    disk = await blocking(desk.parts.files.space)
    channels = await blocking(desk.parts.notifier.channels)
    states = {name: desk.wall.state(name, now_ms) for name in desk.wall.cameras() if visit.who.sees(name)}
    body.clear()
    with body:
        with parts.element("div", classes="cards figures"):
            heard = desk.parts.consumer.alive_at_ms
            well = now_ms - heard < QUIET_MS
            _part(HEALTH["broker"], well, HEALTH["broker_ok"] if well else _since("broker_bad", heard, desk.zone))
            _jobs(list(states.values()))
            _part(HEALTH["outbox"], waiting == 0, str(waiting))
            if disk is not None:
                _part(HEALTH["disk"], disk[0] > 2 * 1024**3, _gigabytes(*disk))
        if channels:
            with parts.card(HEALTH["channels"]):
                _channels(channels, desk.zone)
        with parts.card(HEALTH["cameras"]):
            _cameras(visit, states)


def _part(title: str, well: bool, text: str) -> None:
    with parts.element("section", classes="card"):
        parts.element("h3", title)
        with parts.element("p", classes="row whole"):
            parts.element("span", classes=f"dot {'good' if well else 'bad'}")
            parts.element("span", text)


def _since(name: str, at_ms: int, zone: str) -> str:
    return HEALTH[name].format(time=stamp(at_ms, zone))


def _jobs(states: list[State]) -> None:
    delays = [state.delay_ms for state in states if state.delay_ms is not None]
    if delays:
        late = max(delays) > LATE_MS
        _part(HEALTH["jobs"], not late, HEALTH["jobs_late" if late else "jobs_ok"].format(time=delayed(max(delays))))
    elif any(state.standing == "live" for state in states):
        _part(HEALTH["jobs"], False, HEALTH["jobs_bad"])
    else:
        _part(HEALTH["jobs"], False, HEALTH["jobs_none"])


def _cameras(visit: Visit, states: dict[str, State]) -> None:
    rows = []
    for name, state in states.items():
        status = state.status
        tampered = [LIVE[f"tamper_{one}"] for one in status.tamper] if status else []
        said = ", ".join(
            [HEALTH[f"standing_{state.standing}"], *([status.reason] if status and status.reason else []), *tampered]
        )
        tone = "bad" if tampered else TONE.get(state.standing, "bad")
        fps = HEALTH["fps"]
        rows.append(
            (
                visit.desk.camera_name(name),
                (said, tone),
                lasting(state.age_ms) if state.picture_at_ms else "–",
                fps.format(value=f"{status.captured_fps:.1f}") if status else "–",
                fps.format(value=f"{status.sent_fps:.1f}") if status else "–",
                delayed(state.delay_ms),
                str(sum(status.counters.dropped.values())) if status else "–",
                f"{status.spool_bytes / 1e6:.1f} MB" if status else "–",
                f"{status.clock_offset_ms} ms" if status and status.clock_offset_ms is not None else "–",
                _agent(status) if status else "–",
            )
        )
    names = ("camera", "state", "age", "captured", "sent", "delay", "dropped", "spool", "clock", "agent")
    parts.table([HEALTH[name] for name in names], rows, numbers=range(2, 9), caption=HEALTH["cameras"])


def _agent(status: EdgeStatus) -> str:
    """Its name and what it runs, where it says that."""
    return HEALTH["agent_runs"].format(agent=status.agent, version=status.version) if status.version else status.agent


def _channels(channels: list[ChannelView], zone: str) -> None:
    rows = []
    for view in channels:
        failing, on = view.standing.failing_since_ms, view.channel.enabled
        said = HEALTH["channel_failing" if failing else "channel_ok" if on else "channel_off"]
        rows.append(
            (
                view.name,
                (said.format(time=stamp(failing, zone)), "bad" if failing else "good" if on else ""),
                view.count.waiting,
                stamp(view.count.last_sent_at_ms, zone),
                view.standing.error,
            )
        )
    names = ("channel", "state", "waiting", "last_sent", "error")
    parts.table([HEALTH[name] for name in names], rows, numbers=(2,), caption=HEALTH["channels"])


def _gigabytes(free: int, total: int) -> str:
    return HEALTH["free"].format(free=f"{free / 1e9:.0f}", total=f"{total / 1e9:.0f}")
