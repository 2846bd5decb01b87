"""The tracker on made-up scenes: who keeps which id, what is reported, what is remembered."""

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from stream.tracking import Detections, Tracker, TrackerConfig, TrackerState

CONFIG = TrackerConfig()


def frame(at_ms, boxes, confidence=0.9, labels="person", embeddings=None, picture=None):
    """One frame's detections: boxes as (cx, cy, w, h); one confidence and label for all, or a list."""
    count = len(boxes)
    cxcywh = np.array(boxes, dtype=np.float64).reshape(count, 4)
    return Detections(
        captured_at_ms=at_ms,
        xyxy=np.concatenate((cxcywh[:, :2] - cxcywh[:, 2:] / 2, cxcywh[:, :2] + cxcywh[:, 2:] / 2), axis=1),
        confidence=np.array(confidence if isinstance(confidence, list) else [confidence] * count, dtype=np.float64),
        labels=tuple(labels) if isinstance(labels, list) else (labels,) * count,
        embeddings=None if embeddings is None else np.array(embeddings, dtype=np.float32),
        picture=picture,
    )


def run(frames, config=CONFIG, state=None):
    """The last state and the tracks of every frame."""
    tracker, state, reported = Tracker(config), state or TrackerState(), []
    for one in frames:
        state, tracks = tracker.step(state, one)
        reported.append(tracks)
    return state, reported


def walk(start_ms=0, frames=20, interval_ms=100, x=100.0, speed=60.0, **kwargs):
    """A person of 30x80 px who walks to the right at `speed` px/s."""
    return [
        frame(start_ms + k * interval_ms, [(x + speed * k * interval_ms / 1000, 200, 30, 80)], **kwargs)
        for k in range(frames)
    ]


def ids(tracks):
    return [track.track_id for track in tracks]


@pytest.mark.parametrize("interval_ms", [40, 100, 200, 500])  # 25, 10, 5 and 2 frames a second
def test_one_walker_is_one_track_at_any_frame_rate(interval_ms):
    _, reported = run(walk(interval_ms=interval_ms))
    assert {track.track_id for tracks in reported for track in tracks} == {1}
    assert all(len(tracks) == 1 for tracks in reported[2:])


def test_irregular_frames_and_a_gap_keep_the_id():
    times_ms = [0, 40, 80, 300, 340, 1000, 1040, 1900, 2000]
    _, reported = run([frame(at_ms, [(100 + 0.06 * at_ms, 200, 30, 80)]) for at_ms in times_ms])
    assert ids(reported[-1]) == [1]


def test_speed_is_in_pixels_and_heights_a_second():
    _, reported = run(walk(frames=60))
    (track,) = reported[-1]
    assert track.speed == pytest.approx(60, rel=0.15)
    assert track.speed_heights == pytest.approx(60 / 80, rel=0.15)
    assert track.velocity[0] > 0


def test_a_track_names_the_box_that_it_took_and_when_it_was_seen():
    _, reported = run([frame(at_ms, [(400, 200, 30, 80), (100, 200, 30, 80)]) for at_ms in (1000, 1100, 1200)])
    assert [(track.track_id, track.detection) for track in reported[-1]] == [(1, 0), (2, 1)]
    assert {(track.first_seen_at_ms, track.last_seen_at_ms) for track in reported[-1]} == {(1000, 1200)}


def test_a_single_box_is_reported_at_once_only_when_it_is_beyond_doubt():
    sure, unsure = CONFIG.confirm_evidence + 0.01, CONFIG.confirm_evidence - 0.01
    assert [ids(run(walk(frames=1, confidence=value))[1][0]) for value in (sure, unsure)] == [[1], []]


def test_a_single_unsure_box_is_never_reported_and_soon_forgotten():
    once = frame(0, [(100, 200, 30, 80)], confidence=CONFIG.confirm_evidence - 0.01)
    state, reported = run([once, frame(100, []), frame(1000, [])])
    assert reported == [(), (), ()]
    assert state.tracks == ()


def test_doubtful_boxes_start_no_track_but_keep_one_alive():
    doubtful = CONFIG.low_confidence + 0.01
    assert run(walk(confidence=doubtful))[1][-1] == ()
    state, _ = run(walk())
    _, reported = run(walk(start_ms=2000, x=220.0, confidence=doubtful), state=state)
    assert [ids(tracks) for tracks in reported] == [[1]] * 20
    assert all(track.detection == 0 for tracks in reported for track in tracks)


def test_boxes_below_the_low_confidence_do_nothing():
    state, _ = run(walk())
    _, reported = run(walk(start_ms=2000, x=220.0, confidence=CONFIG.low_confidence - 0.01), state=state)
    assert all(track.detection is None for tracks in reported for track in tracks)


def test_a_hidden_track_coasts_on_its_way_then_is_silent_then_gone():
    alone = [frame(100 * k, [(266 + 2 * k, 200, 30, 80), (350, 205, 60, 100)]) for k in range(38)]
    state, reported = run(alone)
    before = reported[-1][0]
    hiding = [frame(3800 + 100 * k, [(350, 205, 60, 100)]) for k in range(60)]
    state, reported = run(hiding, state=state)
    coasting = reported[0][0]
    assert (coasting.track_id, coasting.detection, coasting.last_seen_at_ms) == (1, None, 3700)
    assert coasting.xyxy[0] > before.xyxy[0]
    reported_until_ms = max(
        one.captured_at_ms for one, tracks in zip(hiding, reported, strict=True) if 1 in ids(tracks)
    )
    assert reported_until_ms == 3700 + CONFIG.coast_hidden_ms
    assert [track.track_id for track in state.tracks] == [2]


def test_a_track_that_left_the_picture_does_not_coast():
    config = TrackerConfig(coast_ms=500, coast_evidence=1.0)
    for width, expected in ((1000.0, [1]), (225.0, [])):  # the walker's right edge comes to 229
        _, reported = run([*walk(picture=(width, 480.0)), frame(2000, [], picture=(width, 480.0))], config)
        assert ids(reported[-1]) == expected


def test_a_doubtful_thing_that_keeps_its_place_is_not_reported_but_one_that_moves_is():
    confidence = (CONFIG.still_confidence + CONFIG.moving_confidence) / 2
    standing = walk(speed=0.0, frames=60, confidence=CONFIG.start_confidence)[:5] + walk(
        start_ms=500, speed=0.0, frames=200, confidence=confidence
    )
    walking = walk(frames=5, confidence=CONFIG.start_confidence) + walk(
        start_ms=500, x=130.0, frames=200, confidence=confidence
    )
    assert ids(run(standing)[1][-1]) == []
    assert ids(run(walking)[1][-1]) == [1]


def test_the_time_of_the_last_move_is_told():
    stands = [frame(2000 + 100 * k, [(214, 200, 30, 80)]) for k in range(30)]
    _, reported = run([*walk(), *stands])
    (track,) = reported[-1]
    assert 1000 < track.moved_at_ms <= 2000


def test_a_walker_who_comes_out_from_behind_a_pillar_is_the_same():
    hidden = [one if not 10 <= k < 20 else frame(one.captured_at_ms, []) for k, one in enumerate(walk(frames=40))]
    _, reported = run(hidden)
    assert ids(reported[-1]) == [1]


def test_two_who_pass_each_other_keep_their_ids():
    frames = [frame(100 * k, [(100 + 6 * k, 200, 30, 80), (340 - 6 * k, 210, 32, 86)]) for k in range(40)]
    merged = [  # for half a second the detector sees only the nearer one
        frame(100 * k, [(340 - 6 * k, 210, 32, 86)]) if 18 <= k <= 22 else one for k, one in enumerate(frames)
    ]
    for scene in (frames, merged):
        _, reported = run(scene)
        places = {track.track_id: track.xyxy[0] for track in reported[-1]}
        assert places[1] > places[2]
        assert set(places) == {1, 2}


def test_a_person_never_takes_the_track_of_a_car():
    state, reported = run([*walk(labels="car"), *walk(start_ms=2000, x=220.0, labels="person")])
    assert {(track.track_id, track.label) for tracks in reported for track in tracks} == {(1, "car"), (2, "person")}
    assert len(state.tracks) == 2


def test_labels_are_voted_within_a_group():
    labels = ["car"] * 10 + ["truck"] * 4 + ["car"] * 6
    _, reported = run([one for k, label in enumerate(labels) for one in walk(labels=label)[k : k + 1]])
    assert {(track.track_id, track.label) for tracks in reported for track in tracks} == {(1, "car")}


def test_a_second_box_on_a_taken_one_starts_no_track():
    state, _ = run([frame(100 * k, [(100, 200, 30, 80), (101, 201, 30, 80)]) for k in range(5)])
    assert len(state.tracks) == 1


def test_appearance_tells_who_is_who_after_an_occlusion():
    red, blue = [1.0, 0.0], [0.0, 1.0]
    apart = [frame(100 * k, [(100, 200, 30, 80), (150, 200, 30, 80)], embeddings=[red, blue]) for k in range(10)]
    # hidden for a second, then both stand at places from which either could have come
    back = [frame(2000 + 100 * k, [(118, 200, 30, 80), (132, 200, 30, 80)], embeddings=[blue, red]) for k in range(3)]
    _, reported = run([*apart, *back])
    assert {track.track_id: track.detection for track in reported[-1]} == {1: 1, 2: 0}


def test_boxes_without_an_embedding_are_matched_by_place():
    mixed = [frame(100 * k, [(100, 200, 30, 80)], embeddings=[[0.0, 0.0] if k % 2 else [1.0, 0.0]]) for k in range(10)]
    assert ids(run(mixed)[1][-1]) == [1]


def test_an_embedding_of_another_width_is_a_new_model_and_replaces_the_old():
    old = [frame(100 * k, [(100, 200, 30, 80)], embeddings=[[1.0, 0.0]]) for k in range(5)]
    new = [frame(500 + 100 * k, [(100, 200, 30, 80)], embeddings=[[0.0, 1.0, 0.0]]) for k in range(5)]
    state, reported = run([*old, *new])
    assert ids(reported[-1]) == [1]
    assert len(state.tracks[0].embedding) == 3 * 2


def test_reported_boxes_stay_within_the_picture():
    _, reported = run([frame(100 * k, [(5, 200, 30, 80)], picture=(640.0, 220.0)) for k in range(5)])
    assert reported[-1][0].xyxy[0] == 0.0
    assert reported[-1][0].xyxy[3] == 220.0


@pytest.mark.parametrize(
    ("back_ms", "ids_after"),
    [
        (5, [1]),  # jitter of a clock: the same scene
        (CONFIG.lost_ms + 1, [2]),  # set back: what was is of no use
    ],
)
def test_a_clock_that_goes_back(back_ms, ids_after):
    state, _ = run(walk(start_ms=10_000))
    _, reported = run([frame(11_900 - back_ms, [(214, 200, 30, 80)])], state=state)
    assert ids(reported[-1]) == ids_after


def test_ids_are_never_used_twice():
    state, _ = run([frame(0, [(100, 200, 30, 80), (300, 200, 30, 80)])])
    assert state.next_id == 3
    state, _ = run([frame(60_000, [(100, 200, 30, 80)])], state=state)
    assert [track.track_id for track in state.tracks] == [3]


def scene(seed=7, frames=60):
    """Five walkers with misses and noise, some with an appearance."""
    rng = np.random.default_rng(seed)
    for k in range(frames):
        boxes = [(50 + 90 * n + 3 * k, 200 + 5 * n, 30, 80) for n in range(5) if rng.random() > 0.2]
        noisy = [tuple(np.array(box) + rng.normal(0, 1.5, 4)) for box in boxes]
        yield frame(int(100 * k), noisy, confidence=rng.uniform(0.2, 0.95, len(boxes)).tolist())


def test_the_state_survives_its_encoding_at_every_frame():
    tracker, plain, coded = Tracker(), TrackerState(), TrackerState()
    for one in scene():
        plain, expected = tracker.step(plain, one)
        coded, tracks = tracker.step(coded, one)
        assert tracks == expected
        coded = msgspec.msgpack.decode(msgspec.msgpack.encode(coded), type=TrackerState)
        assert msgspec.msgpack.encode(coded) == msgspec.msgpack.encode(plain)


def test_two_runs_give_the_same_bytes():
    first, second = (run(scene()) for _ in range(2))
    assert msgspec.msgpack.encode(first) == msgspec.msgpack.encode(second)


def test_step_leaves_the_state_that_it_was_given_alone():
    state, _ = run(walk())
    before = msgspec.msgpack.encode(state)
    Tracker().step(state, frame(2000, [(220, 200, 30, 80)]))
    assert msgspec.msgpack.encode(state) == before


def test_the_state_is_small():
    state, _ = run(scene())
    assert len(msgspec.msgpack.encode(state)) / len(state.tracks) < 300


def test_the_state_does_not_grow_in_an_hour_of_passers_by():
    tracker, state, largest = Tracker(), TrackerState(), 0
    for k in range(0, 3_600, 4):  # one person every four seconds, seen three times, elsewhere each time
        for step in range(3):
            place = (50 + (k * 37) % 600 + 4 * step, 200, 30, 80)
            state, _ = tracker.step(state, frame(1000 * k + 100 * step, [place]))
        largest = max(largest, len(state.tracks))
    assert largest <= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": np.zeros(3)}, "1 boxes, but"),  # more confidences than boxes
        ({"labels": ()}, "1 boxes, but"),  # no labels
        ({"xyxy": np.zeros((1, 5))}, r"must have the shape \[N, 4\]"),  # not boxes
        ({"xyxy": np.array([[0, 0, np.nan, 1]])}, "finite"),  # not a number
        ({"embeddings": np.zeros((2, 8), dtype=np.float32)}, "1 boxes, but embeddings"),  # one too many
    ],
)
def test_detections_that_do_not_fit_together_are_refused(change, message):
    good = {"captured_at_ms": 0, "xyxy": np.array([[0.0, 0, 1, 1]]), "confidence": np.ones(1), "labels": ("person",)}
    Detections(**good)
    with pytest.raises(ValueError, match=message):
        Detections(**(good | change))


def certain(frames, *least):
    return [dataclasses.replace(one, certain=np.array(least, dtype=np.float64)) for one in frames]


@pytest.mark.parametrize(
    ("least", "starts"),
    [
        (0.7, False),  # what the model is calibrated to is above the box: it starts nothing
        (0.6, True),
        (0.3, True),  # and below the tracker's own 0.55 a box starts one all the same
        (math.nan, False),  # not calibrated: the tracker's own
    ],
)
def test_a_model_says_from_where_on_its_boxes_count(least, starts):
    confidence = 0.65 if least >= 0.6 else 0.5
    _, reported = run(certain(walk(confidence=confidence), least))
    assert any(reported) == starts


def test_a_box_below_the_models_threshold_keeps_a_track_alive():
    sure, doubtful = walk(frames=10), walk(start_ms=1000, frames=10, x=160.0, confidence=0.55)
    state, reported = run(certain(sure + doubtful, 0.8))
    assert {track.track_id for tracks in reported for track in tracks} == {1}
    assert state.tracks[0].last_seen_at_ms == 1900


def test_certain_is_one_number_a_box():
    with pytest.raises(ValueError, match="certain"):
        certain(walk(frames=1), 0.5, 0.5)


RED_BLUE = np.eye(8, dtype=np.float32)[:2]


def seen_for(seconds, x, look, start_ms=0):
    """A person standing at x, ten frames a second, with this appearance."""
    return [frame(start_ms + 100 * k, [(x, 200, 30, 80)], embeddings=[look]) for k in range(10 * seconds)]


@pytest.mark.parametrize(
    ("x", "away_ms", "look", "same"),
    [
        (160, 5000, 0, True),  # later than motion can say, near, looks the same
        (160, 5000, 1, False),  # somebody else
        (900, 5000, 0, False),  # nobody walks ten heights in five seconds
        (160, 11_000, 0, False),  # too long ago
    ],
)
def test_a_lost_track_is_found_again_by_its_looks(x, away_ms, look, same):
    state, before = run(seen_for(1, 100, RED_BLUE[0]))
    state, _ = run([frame(2000, [])], state=state)
    _, after = run(seen_for(1, x, RED_BLUE[look], start_ms=900 + away_ms), state=state)
    assert (ids(after[-1]) == ids(before[-1])) == same


def test_what_stands_in_front_is_not_remembered_as_ones_own_looks():
    state, _ = run(seen_for(1, 100, RED_BLUE[0]))
    boxes = [(100, 200, 30, 80), (118, 206, 40, 80)]
    covered = [frame(1000 + 100 * k, boxes, embeddings=[RED_BLUE[1], RED_BLUE[1]]) for k in range(20)]
    uncovered = [frame(1000 + 100 * k, boxes[:1], embeddings=[RED_BLUE[1]]) for k in range(20)]
    kept, changed = (
        np.frombuffer(run(frames, state=state)[0].tracks[0].embedding, "<f2") for frames in (covered, uncovered)
    )
    assert kept[0] > 0.9
    assert changed[0] < 0.5
