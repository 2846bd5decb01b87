"""Which model a frame is for depends on its camera and its time alone."""

import pytest

from contracts.controls import WATCH_MS
from stream.rollout import Plan
from stream.rollout.plan import sampled
from tests.builders import DATA, manifest_of
from tests.rollout_tools import ended, frame_at, promoted, version_of

BASE = manifest_of(DATA / "bright_boxes.onnx", name="base")
EVERY = promoted("bright_boxes@2", 100)
SHADOW = promoted("bright_boxes@3", 200, stage="shadow", share=1.0)
CANARY = promoted("bright_boxes@4", 300, stage="canary", cameras=("gate",), share=1.0)
BASE_BEFORE = promoted("bright_boxes@2", 100, before=BASE, share=1.0)
FIRST_BEFORE = promoted("bright_boxes@2", 100, before=version_of("bright_boxes@1"), share=1.0)
BACK = ended("bright_boxes@2", 500, in_service=True)
NEXT = promoted("bright_boxes@5", 400)


def plan_of(*controls):
    """A process that began with `base@1` and has read these."""
    plan = Plan.of(BASE, str(DATA))
    for one in controls:
        plan = plan.take(one)
    return plan


def chosen(plan, at_ms, camera="gate", usable=lambda one: True):
    """(who serves, who looks beside) by the versions of bright_boxes, 0 is the base."""
    choice = plan.choose(frame_at(at_ms, camera), usable)
    return tuple(
        None if one is None else 0 if one.version < 0 else int(one.manifest.version)
        for one in (choice.serves, choice.beside)
    )


@pytest.mark.parametrize(
    ("controls", "at_ms", "camera", "expected"),
    [
        ((), 50, "gate", (0, None)),
        ((EVERY,), 99, "gate", (0, None)),  # its time has not come
        ((EVERY,), 100, "gate", (2, None)),  # it has
        ((EVERY, SHADOW), 199, "gate", (2, None)),
        ((EVERY, SHADOW), 200, "yard", (2, 3)),  # a shadow looks at all cameras and serves none
        ((EVERY, SHADOW, CANARY), 299, "gate", (2, 3)),  # still the shadow's time
        ((EVERY, SHADOW, CANARY), 300, "gate", (4, 2)),  # a canary serves, what is in service looks beside
        ((EVERY, SHADOW, CANARY), 300, "yard", (2, None)),  # and other cameras never see it
        ((EVERY, CANARY, NEXT), 399, "gate", (4, 2)),
        ((EVERY, CANARY, NEXT), 400, "gate", (5, None)),  # a promotion everywhere ends the candidate
        ((promoted("bright_boxes@2", 300), CANARY), 300, "gate", (4, 2)),  # both at once, as after a restart
        ((EVERY, CANARY, NEXT), 50, "gate", (0, None)),  # late frames are their time's model's
        ((EVERY, CANARY, ended("bright_boxes@4", 350)), 349, "gate", (4, 2)),
        ((EVERY, CANARY, ended("bright_boxes@4", 350)), 350, "gate", (2, None)),  # taken back
        ((EVERY, CANARY, ended("bright_boxes@3", 350)), 350, "gate", (4, 2)),  # another one is meant
        ((EVERY, CANARY, ended("bright_boxes@4", 250, 301)), 300, "gate", (2, None)),  # ended before it began
        ((NEXT, promoted("bright_boxes@2", 350, 500)), 450, "gate", (2, None)),  # the later word replaces what waits
        ((NEXT, promoted("bright_boxes@2", 350, 399)), 450, "gate", (5, None)),  # an older version says nothing
        ((NEXT, promoted("bright_boxes@2", 400, 500)), 400, "gate", (2, None)),  # at the same time
        ((EVERY, EVERY, SHADOW, SHADOW), 250, "gate", (2, 3)),  # repeats neither
        ((EVERY, promoted("bright_boxes@2", 200, stage="canary", share=1.0)), 250, "gate", (2, None)),  # itself
        ((BASE_BEFORE,), 99, "gate", (0, None)),
        ((BASE_BEFORE,), 100, "gate", (2, 0)),  # for an hour the one before looks on, at all cameras
        ((BASE_BEFORE,), 99 + WATCH_MS, "yard", (2, 0)),
        ((BASE_BEFORE,), 100 + WATCH_MS, "yard", (2, None)),
        ((FIRST_BEFORE,), 100, "gate", (2, 1)),  # though this process had never heard of it
        ((FIRST_BEFORE,), 99, "gate", (1, None)),
        ((BASE_BEFORE, CANARY), 300, "yard", (2, None)),  # a candidate is compared with what is in service
        ((BASE_BEFORE, CANARY, ended("bright_boxes@4", 350)), 350, "gate", (2, 0)),
        ((BASE_BEFORE, BACK), 499, "gate", (2, None)),
        ((BASE_BEFORE, BACK), 500, "gate", (1, None)),  # it did worse: the one before, against nothing
        ((FIRST_BEFORE, BACK), 500, "gate", (1, None)),
        ((BASE_BEFORE, BACK, BACK), 500, "gate", (1, None)),
        ((EVERY, ended("bright_boxes@2", 500, 99, in_service=True)), 500, "gate", (2, None)),  # said of an earlier time
        ((BASE_BEFORE, NEXT, BACK), 500, "gate", (5, None)),  # another one is in service by now
        (
            (BASE_BEFORE, BACK, promoted("bright_boxes@1", 600, name="base")),
            600,
            "gate",
            (1, None),
        ),  # as the registry says it then
    ],
)
def test_a_frame_is_for(controls, at_ms, camera, expected):
    assert chosen(plan_of(*controls), at_ms, camera) == expected


@pytest.mark.parametrize(
    ("unusable", "at_ms", "expected"),
    [
        ({"4"}, 300, (2, None)),  # a candidate that can't be used is none
        ({"2"}, 150, (0, None)),  # nor is what was promoted
        ({"2"}, 350, (4, 0)),
        ({"1"}, 50, (2, None)),  # what was then is let go: the oldest that is there
    ],
)
def test_what_can_not_be_used_leaves_the_one_before(unusable, at_ms, expected):
    usable = lambda one: one.manifest.version not in unusable  # noqa: E731
    assert chosen(plan_of(EVERY, CANARY), at_ms, usable=usable) == expected


def test_nothing_usable_is_no_choice():
    assert plan_of(EVERY).choose(frame_at(100), lambda one: False) is None


def test_who_stands_in_for_a_canary_that_fails():
    choice = plan_of(EVERY, CANARY).choose(frame_at(300), lambda one: True)
    assert [one.version for one in choice.instead] == [100, -1]
    assert choice.served_by_candidate


@pytest.mark.parametrize(
    ("since_ms", "works", "versions"),
    [
        (50, "all", [-1, 100, 400, 200, 300]),  # all are still to come
        (150, "all", [100, 400, 200, 300]),  # the base is over
        (350, "all", [100, 400, 300]),  # so is the shadow
        (450, "all", [400]),  # and with the promotion everywhere the canary
        (450, "not the last", [100]),  # what works stays
    ],
)
def test_what_is_needed_for_frames_from_then_on(since_ms, works, versions):
    good = lambda one: works == "all" or one.version != 400  # noqa: E731
    assert [one.version for one in plan_of(EVERY, SHADOW, CANARY, NEXT).needed(since_ms, good)] == versions


@pytest.mark.parametrize(
    ("since_ms", "works", "versions"),
    [
        (99, "all", [-1, 100]),
        (99 + WATCH_MS, "all", [-1, 100]),  # a look of the one before is still wanted
        (99 + WATCH_MS, "not the base", [100]),
        (100 + WATCH_MS, "all", [100]),
    ],
)
def test_what_is_needed_while_what_is_in_service_is_watched(since_ms, works, versions):
    good = lambda one: works == "all" or one.version >= 0  # noqa: E731
    assert [one.version for one in plan_of(BASE_BEFORE).needed(since_ms, good)] == versions


def test_a_plan_stays_small():
    plan = plan_of(*(promoted(f"bright_boxes@{number}", 100 * number) for number in range(1, 50)))
    assert [one.from_ms for one in plan.service] == [4600, 4700, 4800, 4900]


@pytest.mark.parametrize(("share", "frames"), [(0.0, 0), (0.25, 25), (0.3, 30), (1.0, 100)])
def test_a_sample_is_the_share_of_the_frames(share, frames):
    assert sum(sampled(index, share) for index in range(100)) == frames


def test_the_same_file_under_another_manifest_is_another_model():
    first, second = (plan_of(promoted("bright_boxes@2", 100, name=name)).service[-1] for name in ("a", "b"))
    assert first.key != second.key
