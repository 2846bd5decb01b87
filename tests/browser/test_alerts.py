"""The alerts page in a real browser: what comes is seen, every key does what it says, and two operators meet."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from contracts import topics
from contracts.messages import Feedback
from tests.browser.test_accessibility import findings
from tests.console_scene import now_ms
from tests.console_site import ConsoleSite

Opened = Callable[..., Page]
Shot = Callable[[Page, str], None]


def row(page: Page, alert_id: str):
    """The alert's row in the queue."""
    return page.locator(f'.alert[data-id="{alert_id}"]')


def mine(site: ConsoleSite, **changes: object) -> tuple[str, str]:
    """One alert that no other test looks at: its id, and a word that finds it."""
    word = "w" + uuid.uuid4().hex[:10]
    alert = site.alert(why=f"person entered lawn {word}", **changes)
    return alert.id, word


def feedback(site: ConsoleSite, alert_id: str, wanted: int) -> list[Feedback]:
    """What was answered to an alert, as it is on the topic."""
    found: list[Feedback] = []
    for _ in range(20):
        found = [one for one in site.read(topics.FEEDBACK, Feedback, 10_000, 2.0) if one.alert == alert_id]
        if len(found) >= wanted:
            break
    return found


def test_an_alert_is_seen_opened_and_explained(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    site.alert(camera="hall", zone="floor", rule="hall-closed", severity="critical", why="person entered floor")
    site.alert(zone="crossing", rule="loitering-at-the-crossing", severity="medium", why="person in crossing for 5 s")
    site.alert(zone="path", rule="path-in", kind="line_crossing", severity="low", why="person crossed path (in)")
    page = opened("/")
    expect(page.get_by_text("person entered floor").first).to_be_visible()
    alert = site.alert(why="person entered lawn just now")
    expect(row(page, alert.id)).to_be_visible()
    assert page.title().startswith("(")
    row(page, alert.id).locator("button.open").click()
    detail = page.locator(".detail")
    expect(detail.get_by_role("heading", name="person entered lawn just now")).to_be_visible()
    expect(detail.locator("svg.overlay polygon")).to_have_count(1)
    expect(detail.locator("svg.overlay .trail")).to_have_count(1)
    expect(detail.locator("svg.overlay text")).to_have_text("person 87 %")
    expect(detail.get_by_text("call the guard on 4711")).to_be_visible()
    expect(detail.get_by_role("row", name="confidence")).to_contain_text("≥ 0.50")
    expect(detail.get_by_text("detector@1")).to_be_visible()
    assert f"alert={alert.id}" in page.url
    assert page.locator(".detail img").evaluate("image => image.naturalWidth") == 480
    shot(page, "alerts")


def test_questions_stand_apart_with_a_picture_each_and_are_answered_with_yes_or_no(
    site: ConsoleSite, opened: Opened, shot: Shot
) -> None:
    word = "w" + uuid.uuid4().hex[:10]
    question = {"kind": "question", "rule": "question", "severity": "info", "state": "end", "trace": ()}
    why = f"is this a person? {word}"
    first, second = (site.alert(camera="hall", why=why, instructions="", **question) for _ in range(2))
    expect(opened(f"/?text={word}").get_by_role("heading", name="No alert matches these filters")).to_be_visible()
    page = opened(f"/?status=questions&text={word}")
    expect(page.locator(".alert .thumb")).to_have_count(2)  # no incident: each is about something else
    row(page, first.id).locator("button.open").click()
    answers = page.get_by_role("toolbar", name="Answers")
    expect(answers.get_by_role("button", name="Yes")).to_be_visible()
    expect(answers.get_by_role("button", name="Nuisance")).to_have_count(0)
    expect(page.get_by_role("heading", name="Why it fired")).to_have_count(0)
    assert findings(page) == []
    expect(page.get_by_text("Asked: " + why)).to_be_visible()
    expect(page.get_by_text("Ended: ")).to_have_count(0)
    page.keyboard.press("n")
    expect(page.get_by_text("A question is answered with yes (t) or no (f).")).to_be_visible()
    # No camera asks any more: what is open is there all the same.
    expect(opened("/").get_by_role("button", name="Questions")).to_be_visible()
    shot(page, "questions")
    answers.get_by_role("button", name="Yes").click()
    expect(row(page, first.id)).to_have_count(0)
    expect(row(page, second.id)).to_be_visible()
    expect(row(opened(f"/?status=answered&text={word}"), first.id)).to_contain_text("Yes")


LISTENING = """
    window.heard = { notes: 0, notifications: [] };
    const note = AudioContext.prototype.createOscillator;
    AudioContext.prototype.createOscillator = function () { window.heard.notes++; return note.call(this); };
    window.Notification = class extends Notification {
      constructor(title, options) { super(title, options); window.heard.notifications.push([title, options.body]); }
    };
    Object.defineProperty(document, "hidden", { get: () => window.away ?? false });
"""


def test_a_new_alert_calls(site: ConsoleSite, opened: Opened) -> None:
    page = opened("/", permissions=["notifications"], script=LISTENING)
    page.get_by_role("button", name="Browser notifications").click()
    page.evaluate("window.away = true")
    alert = site.alert(why="person entered lawn while nobody looked", severity="critical")
    expect(row(page, alert.id)).to_be_visible()
    heard = page.evaluate("window.heard")
    assert heard["notifications"] == [["Critical · Forecourt · lawn", "person entered lawn while nobody looked"]]
    assert heard["notes"] == 3
    assert re.match(r"\(\d+\+?\) Alerts", page.title())
    # in silence, when that is wanted, also after the page was loaded anew
    page.get_by_role("button", name="Sound for new alerts").click()
    page.reload()
    page.wait_for_selector("#content")
    expect(page.get_by_role("button", name="Sound for new alerts")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Shift")
    quiet = site.alert(why="person entered lawn in silence", severity="critical")
    expect(row(page, quiet.id)).to_be_visible()
    assert page.evaluate("window.heard.notes") == 0


def test_the_worst_is_first_and_an_incident_is_one(site: ConsoleSite, opened: Opened) -> None:
    word = "w" + uuid.uuid4().hex[:10]
    began_ms = now_ms() - 400_000
    ids = {
        name: site.alert(severity=name, camera=camera, why=f"{name} {word}", started_at_ms=began_ms, picture=False).id
        for name, camera in (("low", "gate-01"), ("critical", "gate-01"), ("medium", "gate-01"), ("high", "gate-02"))
    }
    later = site.alert(severity="info", camera="gate-01", why=f"later {word}", started_at_ms=began_ms + 200_000).id
    page = opened(f"/?text={word}")
    expect(page.locator(".alert")).to_have_count(5)
    shown = page.locator(".alert").evaluate_all("rows => rows.map(row => row.dataset.id)")
    assert shown == [ids["critical"], ids["medium"], ids["low"], ids["high"], later]
    assert page.locator(".group").count() == 3


def test_a_picture_that_comes_later_is_shown(site: ConsoleSite, opened: Opened) -> None:
    word = "w" + uuid.uuid4().hex[:10]
    page = opened(f"/?text={word}")
    coming = threading.Thread(target=lambda: site.alert(why=f"person entered lawn {word}", late_s=3.0))
    coming.start()
    expect(page.locator(".alert")).to_have_count(1)
    page.keyboard.press("j")
    expect(page.get_by_text("There is no picture of this alert.")).to_be_visible()
    coming.join()
    page.wait_for_function("document.querySelector('.detail img')?.naturalWidth > 0")
    page.wait_for_function("document.querySelector('.thumb img')?.naturalWidth > 0")


def test_filters_stand_in_the_address(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    alert_id, word = mine(site)
    other, _ = mine(site, camera="hall", zone="floor", severity="low")
    page = opened("/")
    page.get_by_role("searchbox").fill(word)
    expect(page.locator(".alert")).to_have_count(1)
    page.locator("summary", has_text="Camera").click()
    page.get_by_role("checkbox", name="Entrance hall").check()
    expect(page.get_by_role("heading", name="No alert matches these filters")).to_be_visible()
    shot(page, "alerts-filtered")
    assert "cameras=hall" in page.url
    assert f"text={word}" in page.url
    page.keyboard.press("Escape")
    page.goto(page.url.replace("cameras=hall", "cameras=forecourt"))
    expect(row(page, alert_id)).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(row(page, other)).to_be_visible()
    page.locator("summary", has_text="Time").click()
    page.get_by_role("button", name="Last hour").click()
    assert "last=1h" in page.url
    page.get_by_role("button", name="Answered", exact=True).click()
    expect(row(page, alert_id)).to_have_count(0)
    assert "status=answered" in page.url


@pytest.mark.parametrize(
    ("key", "said", "action", "verdict"),
    [
        ("a", "Acknowledged", "acknowledge", None),
        ("t", "True alarm", "verdict", "true"),
        ("f", "False alarm", "verdict", "false"),
        ("n", "Nuisance", "verdict", "nuisance"),
    ],
)
def test_one_key_answers(site: ConsoleSite, opened: Opened, key: str, said: str, action: str, verdict: str) -> None:
    alert_id, word = mine(site)
    page = opened(f"/?status=all&text={word}")
    page.keyboard.press("j")
    expect(page.locator(".detail h1")).to_contain_text(word)
    page.keyboard.press(key)
    expect(row(page, alert_id)).to_contain_text(said)
    expect(page.locator(".detail .history")).to_contain_text("maria")
    (answer,) = feedback(site, alert_id, 1)
    assert (answer.action, answer.verdict, answer.operator) == (action, verdict, "maria")


def test_keys_that_ask_first(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    site.cookie("otto")
    alert_id, word = mine(site, rule="path-in")
    page = opened(f"/?status=all&text={word}")
    page.keyboard.press("j")
    expect(page.locator(".detail h1")).to_contain_text(word)
    page.keyboard.press("c")
    page.get_by_label("Comment (Ctrl+Enter sends)").fill("a cat on the lawn: ask the neighbour")
    shot(page, "alerts-comment")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".detail .history")).to_contain_text("a cat on the lawn: ask the neighbour")
    page.keyboard.press("m")
    page.get_by_label("To whom").select_option("otto")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Assign", exact=True).last.click()
    expect(row(page, alert_id)).to_contain_text("→ otto")
    page.keyboard.press("e")
    page.get_by_label("To whom").select_option("maria")
    page.get_by_role("dialog").get_by_role("button", name="Escalate").click()
    expect(page.locator(".detail .headline")).to_contain_text("Escalated")
    page.keyboard.press("s")
    expect(page.get_by_role("dialog")).to_contain_text("1 hour")
    page.keyboard.press("2")
    expect(row(page, alert_id)).to_contain_text("Snoozed")
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    expect(row(page, alert_id)).not_to_contain_text("Snoozed")
    said = page.locator(".detail .history").get_by_text("snoozed the rule on this camera")
    for count, path, table in ((2, "/setup?tab=silenced", ".rules"), (3, "/handover", ".table")):
        page.keyboard.press("s")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("2")
        expect(said).to_have_count(count)
        listed = opened(path)
        snoozed = listed.locator(table).get_by_role("row", name="path-in").filter(has_text="maria")
        expect(snoozed).to_have_count(1)
        snoozed.scroll_into_view_if_needed()
        shot(listed, f"snoozed-{path[1:4]}")
        snoozed.get_by_role("button", name="End").click()
        expect(snoozed).to_have_count(0)
    answers = feedback(site, alert_id, 6)
    assert [one.action for one in answers] == ["comment", "assign", "escalate", *["snooze"] * 3]
    assert answers[3].until_ms - answers[3].at_ms == 3_600_000


def test_keys_that_move(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    word = "w" + uuid.uuid4().hex[:10]
    ids = [site.alert(camera=f"gate-{n + 5:02d}", why=f"person {n} {word}").id for n in range(3)][::-1]
    page = opened(f"/?text={word}")
    expect(page.locator(".alert")).to_have_count(3)
    for key, place in (("j", 0), ("j", 1), ("ArrowDown", 2), ("j", 2), ("k", 1), ("ArrowUp", 0)):
        page.keyboard.press(key)
        expect(row(page, ids[place]).locator("button.open")).to_have_attribute("aria-current", "true")
    expect(page.locator(".detail h1")).to_contain_text("person 2")
    page.keyboard.press("o")
    expect(page.locator("svg.overlay")).to_have_count(0)
    page.keyboard.press("o")
    page.keyboard.press("z")
    assert "scale" in (page.locator(".zoomer").get_attribute("style") or "")
    shot(page, "alerts-zoomed")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Nuisance: right, but not wanted")
    shot(page, "alerts-keys")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Choose an alert")).to_be_visible()
    # Answered with false, the next is opened: one key an alert.
    page.keyboard.press("j")
    expect(page.locator(".detail h1")).to_contain_text("person 2")
    page.keyboard.press("f")
    expect(page.locator(".detail h1")).to_contain_text("person 1")
    expect(row(page, ids[0])).to_have_count(0)


def test_many_are_answered_at_once(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    word = "w" + uuid.uuid4().hex[:10]
    ids = [site.alert(camera=f"gate-{n + 10:02d}", why=f"person {n} {word}").id for n in range(3)]
    page = opened(f"/?text={word}")
    expect(page.locator(".alert")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_text("2 chosen")).to_be_visible()
    shot(page, "alerts-chosen")
    page.get_by_role("button", name="All shown").click()
    expect(page.get_by_text("3 chosen")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator(".alert")).to_have_count(0)
    assert [feedback(site, one, 1)[0].verdict for one in ids] == ["nuisance"] * 3


def test_shift_answers_the_whole_incident(site: ConsoleSite, opened: Opened) -> None:
    word = "w" + uuid.uuid4().hex[:10]
    ids = [site.alert(camera="gate-20", why=f"person {n} {word}").id for n in range(5)]
    page = opened(f"/?text={word}")
    expect(page.get_by_text("2 more of this incident")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator(".detail h1")).to_contain_text(word)
    page.keyboard.press("Shift+F")
    expect(page.locator(".alert")).to_have_count(0)
    assert {feedback(site, one, 1)[0].verdict for one in ids} == {"false"}


def test_what_was_missed_is_shown_by_mouse_and_by_keys(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    alert_id, word = mine(site)
    page = opened(f"/?text={word}&alert={alert_id}")
    expect(page.locator(".detail img")).to_be_visible()
    page.keyboard.press("b")
    dialog = page.get_by_role("dialog", name="What was missed")
    expect(dialog.get_by_text("Draw a box first")).to_be_visible()
    area = dialog.get_by_role("application").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + area["width"] * 0.25, area["y"] + area["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + area["height"] * 0.75)
    page.mouse.up()
    dialog.get_by_label("What it is").select_option("dog")
    shot(page, "alerts-missed")
    assert findings(page) == []
    dialog.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status").get_by_text("Kept: dog")).to_be_visible()
    expect(page.locator(".history")).to_contain_text("showed what was missed: dog")

    page.get_by_role("button", name="Missed something?").click()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    dialog.get_by_label("What it is").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".history")).to_contain_text("showed what was missed: person")
    drawn, moved = feedback(site, alert_id, 2)
    assert (drawn.action, drawn.label, moved.label) == ("missed", "dog", "person")
    assert drawn.evidence is not None
    assert drawn.evidence.xyxy == pytest.approx((120, 180, 240, 270), abs=3)
    assert moved.evidence is not None
    assert moved.evidence.xyxy == pytest.approx((0.41 * 480, 0.35 * 360, 0.61 * 480, 0.66 * 360), abs=0.1)


def test_two_operators_see_each_other(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    alert_id, word = mine(site)
    first = opened(f"/?status=all&text={word}")
    second = opened(f"/?status=all&text={word}", "otto")
    first.keyboard.press("j")
    expect(row(second, alert_id)).to_contain_text("maria")
    second.keyboard.press("j")
    expect(first.get_by_text("otto is looking too")).to_be_visible()
    shot(first, "alerts-together")
    second.keyboard.press("t")
    expect(row(first, alert_id)).to_contain_text("True alarm")
    expect(first.locator(".detail .history")).to_contain_text("otto answered: true alarm")
    second.close()
    expect(first.get_by_text("otto is looking too")).to_have_count(0, timeout=60_000)


def test_a_new_revision_changes_what_is_open(site: ConsoleSite, opened: Opened) -> None:
    alert_id, word = mine(site)
    page = opened(f"/?text={word}")
    page.keyboard.press("j")
    expect(page.locator(".detail .headline")).to_contain_text("Going on")
    end_ms = now_ms()
    site.alert(
        id=alert_id, revision=2, state="end", ended_at_ms=end_ms, at_ms=end_ms, why=f"over {word}", picture=False
    )
    expect(page.locator(".detail h1")).to_contain_text("over")
    expect(page.locator(".detail .headline")).not_to_contain_text("Going on")


def test_a_viewer_looks_and_answers_nothing(site: ConsoleSite, opened: Opened) -> None:
    alert_id, word = mine(site)
    hidden = site.alert(camera="hall", zone="floor", why=f"hidden {word}").id
    site.cookie("vera", "viewer", ["forecourt"])
    page = opened(f"/?text={word}", "vera")
    expect(row(page, alert_id)).to_be_visible()
    expect(row(page, hidden)).to_have_count(0)
    page.keyboard.press("j")
    expect(page.locator(".detail h1")).to_contain_text(word)
    page.keyboard.press("t")
    expect(page.get_by_role("status").get_by_text("Your role may not do this.")).to_be_visible()
    expect(page.get_by_role("button", name="True")).to_be_disabled()
    page.goto(f"/?alert={hidden}")
    expect(page.get_by_role("status").get_by_text("there is no such alert")).to_be_visible()


def test_more_is_fetched_while_one_goes_on(site: ConsoleSite, opened: Opened) -> None:
    word = "w" + uuid.uuid4().hex[:10]
    began_ms = now_ms()
    for n in range(75):
        site.alert(why=f"{word} {n}", camera=f"gate-{n % 40:02d}", started_at_ms=began_ms - n * 700_000, picture=False)
    page = opened(f"/?text={word}")
    expect(page.locator(".queuebar")).to_contain_text("60+ shown")
    page.locator(".list").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    expect(page.locator(".queuebar")).to_contain_text("75 shown")


def test_the_queue_on_a_phone(site: ConsoleSite, opened: Opened, shot: Shot) -> None:
    alert_id, word = mine(site)
    page = opened(f"/?text={word}", width=390, height=844, has_touch=True, is_mobile=True)
    expect(row(page, alert_id)).to_be_visible()
    shot(page, "phone-queue")
    row(page, alert_id).locator("button.open").click()
    expect(page.locator(".detail h1")).to_contain_text(word)
    page.wait_for_function("document.querySelector('.detail img')?.naturalWidth > 0")
    shot(page, "phone-alert")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="False").click()
    expect(page.locator(".alert")).to_have_count(0)
