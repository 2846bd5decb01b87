"""Tracks against the truth: what is read, what the other side is given, and faults that say where they are."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from contracts.errors import ConfigError
from contracts.messages import Detection, FrameDetections, FrameRef
from training.tracking import Followed, figures_of, measure, read_boxes, read_mot, table, write_clip, write_report

pytestmark = pytest.mark.training

FIGURES = {"yard": {"SORT": {"MOTA": 0.5, "IDF1": 0.25, "IDSW": 7, "HOTA": 0.4, "FP": 1, "FN": 2}}}


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


def test_the_report_is_json_and_a_table(tmp_path: Path) -> None:
    write_report(FIGURES, tmp_path / "out")
    assert msgspec.json.decode((tmp_path / "out/metrics.json").read_bytes()) == FIGURES
    assert "| SORT | 0.500 | 0.250 | 7 | 0.400 | 1 | 2 |" in (tmp_path / "out/report.md").read_text()
    assert table(FIGURES).startswith("## yard")
