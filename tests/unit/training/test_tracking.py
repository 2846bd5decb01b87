"""Tracks against the truth: what is read, what the other side is given, and faults that say where they are."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from contracts.errors import ConfigError
from contracts.messages import Detection, FrameDetections, FrameRef
from stream.geometry import Floats
from training.tracking import Followed, Footage, figures_of, measure, read_boxes, read_mot, write_clip
from training.tracking_errors import frames_of, worst
from training.tracking_report import ABSENT, FALSE, FOLLOWED, LOST, SWITCH, course, table, write_report

pytestmark = pytest.mark.training

FIGURES = {"yard": {"SORT": {"MOTA": 0.5, "IDF1": 0.25, "IDSW": 7, "HOTA": 0.4, "FP": 1, "FN": 2}}}


def rows_of(places: list[tuple[int, int, int]]) -> Floats:
    """MOTChallenge rows of boxes of 20 by 40 px: (frame, identity, left)."""
    return np.array([(frame, one, left, 10, 20, 40) for frame, one, left in places], np.float64).reshape(-1, 6)


def line_of(*boxes: Detection) -> bytes:
    """One frame as `vedette replay --detections` writes it."""
    frame = FrameDetections(
        site="s",
        camera="c",
        lane="live",
        session=1,
        index=0,
        captured_at_ms=0,
        detected_at_ms=0,
        width=100,
        height=100,
        detail=True,
        motion=0.0,
        ref=FrameRef("frames", 0, 0),
        model="m@1",
        detections=boxes,
    )
    return msgspec.json.encode(frame) + b"\n"


def test_tracks_are_read_in_the_truths_pixels(tmp_path: Path) -> None:
    path = tmp_path / "tracks.txt"
    path.write_text("1,7,10,20,30,40,0.9,-1,-1,-1\n")
    assert read_mot(path, 1.6).tolist() == [[1, 7, 16, 32, 48, 64]]


@pytest.mark.parametrize("text", ["1,2,3\n", "one,2,3,4,5,6\n"])
def test_a_file_that_is_no_motchallenge_text_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tracks.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"tracks\.txt: is not MOTChallenge text"):
        read_mot(path)


def test_the_others_get_the_boxes_that_our_tracker_gets(tmp_path: Path) -> None:
    path = tmp_path / "detections.jsonl"
    person = Detection(xyxy=(10, 20, 30, 60), confidence=0.9, label="person", embedding=b"\x00\x3c")
    double = Detection(xyxy=(11, 20, 31, 60), confidence=0.5, label="person")
    path.write_bytes(line_of(person, double, Detection(xyxy=(0, 0, 5, 5), confidence=0.8, label="dog")) + line_of())
    frames = read_boxes(path, "person", 2.0)
    assert [frame.shape for frame in frames] == [(1, 5), (0, 5)]
    assert frames[0][0] == pytest.approx([20, 40, 60, 120, 0.9])


def test_a_clip_is_written_as_the_evaluation_wants_it(tmp_path: Path) -> None:
    rows = np.array([[1, 3, 10, 20, 30, 40]], dtype=np.float64)
    write_clip(tmp_path / "yard", rows, [np.array([[10, 20, 40, 60, 0.5]])], rows)
    assert (tmp_path / "yard/gt.txt").read_text() == "1,3,10,20,30,40,1,1,1\n"
    assert (tmp_path / "yard/Vedette.txt").read_text() == "1,3,10,20,30,40,1,1,1\n"
    assert (tmp_path / "yard/det.txt").read_text() == "1,-1,10,20,30,40,0.5\n"


def test_a_python_that_can_not_evaluate_is_named(tmp_path: Path) -> None:
    clip = Followed("yard", np.ones((1, 6)), np.ones((1, 6)), [np.ones((1, 5))])
    with pytest.raises(ConfigError, match=r"trackers-python: .*none can't be run"):
        measure([clip], tmp_path / "none")
    false = tmp_path / "false"
    false.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    false.chmod(0o755)
    with pytest.raises(ConfigError, match=r"needs trackers==2\.6\.1.*no such module"):
        figures_of(tmp_path, false)


@pytest.mark.parametrize(
    ("tracks", "told"),
    [
        ([(1, 7, 0), (2, 7, 0), (3, 7, 0)], [(0, 0, 0)] * 3),  # followed throughout
        ([(1, 7, 0), (3, 7, 0)], [(0, 0, 0), (1, 0, 0), (0, 0, 0)]),  # lost in the second frame, found again
        ([(1, 7, 0), (3, 8, 0)], [(0, 0, 0), (1, 0, 0), (0, 0, 1)]),  # found again as somebody else
        ([(1, 7, 0), (2, 7, 4), (2, 8, 0), (3, 8, 0)], [(0, 0, 0), (0, 1, 0), (0, 0, 1)]),  # 7 stays while it overlaps
        ([(1, 7, 0), (2, 7, 50), (3, 7, 0)], [(0, 0, 0), (1, 1, 0), (0, 0, 0)]),  # somewhere else for a moment
        ([(4, 9, 0)], [(1, 0, 0)] * 3 + [(0, 1, 0)]),  # a track after the object has gone
    ],
)
def test_each_frames_errors_are_those_that_clear_counts(
    tracks: list[tuple[int, int, int]], told: list[tuple[int, int, int]]
) -> None:
    frames = frames_of(rows_of([(1, 1, 0), (2, 1, 0), (3, 1, 0)]), rows_of(tracks))
    assert [(int(one.missed.sum()), len(one.false), int(one.switched.sum())) for one in frames] == told


def test_who_was_followed_when_is_a_row_for_each_object_and_for_each_track_of_nothing() -> None:
    truth = rows_of([(frame, 1, 0) for frame in (1, 2, 3)] + [(3, 2, 60)])
    tracks = rows_of([(1, 7, 0), (2, 9, 200), (3, 8, 0), (3, 9, 200)])
    names, rows = course(frames_of(truth, tracks))
    assert names == ["1", "2", "track 9"]
    assert rows.tolist() == [
        [FOLLOWED, LOST, SWITCH],
        [ABSENT, ABSENT, LOST],
        [ABSENT, FALSE, FALSE],
    ]


def test_the_worst_frames_are_not_neighbours() -> None:
    everywhere = rows_of([(frame, frame, 100) for frame in range(1, 41)])
    frames = frames_of(rows_of([(frame, 1, 0) for frame in range(1, 41)]), everywhere)
    assert [one.number for one in worst(frames, 3)] == [1, 3, 5]  # a twentieth of 40 frames apart


def test_the_report_is_json_a_table_and_plots(tmp_path: Path) -> None:
    video = tmp_path / "yard.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (80, 60))
    for grey in (20, 20, 200, 200):
        writer.write(np.full((60, 80, 3), grey, np.uint8))
    writer.release()
    truth, tracks = rows_of([(1, 1, 0), (2, 1, 0)]), rows_of([(1, 7, 0), (2, 7, 60)])
    clip = Followed("yard", truth, tracks, [], Footage(video, scale=2.0, step=2))
    write_report(FIGURES, [clip], tmp_path / "out")
    assert msgspec.json.decode((tmp_path / "out/metrics.json").read_bytes()) == FIGURES
    report = (tmp_path / "out/report.md").read_text()
    assert "| SORT | 0.500 | 0.250 | 7 | 0.400 | 1 | 2 |" in report
    assert "1 of 2 boxes missed, 1 false ones, 0 switches; most errors in frames 2 to 2: 2." in report
    for name in re.findall(r"\]\((.+?)\)", report):
        assert cv2.imread(str(tmp_path / "out" / name)) is not None, name
    shown = cv2.imread(str(tmp_path / "out/yard-worst.jpg"))
    assert shown[200, 300].min() > 150  # the third frame of the video is the second of the truth
    assert table(FIGURES).startswith("## yard")


def test_a_video_that_is_shorter_than_the_tracks_is_named(tmp_path: Path) -> None:
    clip = Followed("yard", rows_of([(1, 1, 0)]), rows_of([]), [], Footage(tmp_path / "none.avi"))
    with pytest.raises(ConfigError, match=r"video: none\.avi ends after 0 frames"):
        write_report(FIGURES, [clip], tmp_path / "out")
