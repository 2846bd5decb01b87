"""The other side of the tracking bench, run in an environment of its own where `trackers` 2.6.1 is installed.

    python tracking_reference.py FOLDER

For each FOLDER/<clip>/ with `det.txt` and `gt.txt` in MOTChallenge text, writes <tracker>.txt for four trackers of the
package with their default settings, evaluates every tracker's file there and prints one JSON object of figures.
Nothing of this project is imported: the package brings an OpenCV of its own, which must not meet ours.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker, CBIoUTracker, OCSORTTracker, SORTTracker
from trackers.eval import evaluate_mot_sequence

TRACKERS = {"SORT": SORTTracker, "ByteTrack": ByteTrackTracker, "OC-SORT": OCSORTTracker, "C-BIoU": CBIoUTracker}


def follow(name, detections, last_frame):
    """MOTChallenge rows of one tracker over detections [N,7] (frame, -1, x, y, w, h, confidence)."""
    tracker, rows = TRACKERS[name](), []
    for frame in range(1, last_frame + 1):
        here = detections[detections[:, 0] == frame]
        xyxy = np.concatenate((here[:, 2:4], here[:, 2:4] + here[:, 4:6]), axis=1)
        boxes = sv.Detections(xyxy=xyxy, confidence=here[:, 6], class_id=np.zeros(len(here), dtype=int))
        tracked = tracker.update(boxes)
        for (x0, y0, x1, y1), track_id in zip(tracked.xyxy, tracked.tracker_id, strict=True):
            if track_id >= 0:
                rows.append((frame, track_id + 1, x0, y0, x1 - x0, y1 - y0, 1, 1, 1))
    return np.array(rows).reshape(-1, 9)


def figures(gt, tracked):
    """HOTA, CLEAR and Identity of one file of tracks."""
    result = evaluate_mot_sequence(gt, tracked, ["CLEAR", "HOTA", "Identity"])
    return {
        "MOTA": float(result.CLEAR.MOTA),
        "IDF1": float(result.Identity.IDF1),
        "IDSW": int(result.CLEAR.IDSW),
        "HOTA": float(result.HOTA.HOTA),
        "FP": int(result.CLEAR.CLR_FP),
        "FN": int(result.CLEAR.CLR_FN),
    }


def main(folder):
    report = {}
    for clip in sorted(path for path in folder.iterdir() if path.is_dir()):
        detections = np.loadtxt(clip / "det.txt", delimiter=",", ndmin=2)
        last_frame = int(np.loadtxt(clip / "gt.txt", delimiter=",", ndmin=2)[:, 0].max())
        for name in TRACKERS:
            np.savetxt(clip / f"{name}.txt", follow(name, detections, last_frame), delimiter=",", fmt="%.6g")
        others = sorted(path.stem for path in clip.glob("*.txt") if path.stem not in (*TRACKERS, "det", "gt"))
        report[clip.name] = {name: figures(clip / "gt.txt", clip / f"{name}.txt") for name in (*TRACKERS, *others)}
    print(json.dumps(report))


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the package warns of its own coming changes
    main(Path(sys.argv[1]))
