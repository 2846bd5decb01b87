"""Does the exported file say what torch says: the same boxes and scores on the same real pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torchvision.ops import batched_nms

from training.export import LEAST_SCORE, MOST_BOXES, MOST_CELLS, NMS_IOU, Exported


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest differences over all boxes of all pictures, and how many boxes only one side has."""

    pictures: int
    boxes: int
    box_px: float
    score: float
    unmatched: int


def compare(model: Exported, session: onnxruntime.InferenceSession, pictures: Sequence[NDArray[np.uint8]]) -> Parity:
    """Compare on letterboxed pictures uint8[S,S,3]; a box has its partner if label and score (to 0.01) agree."""
    box_px, score, unmatched, count = 0.0, 0.0, 0, 0
    for picture in pictures:
        ours = torch_detect(model, picture)
        outputs = [output[0] for output in session.run(None, {"images": picture[None]})]
        found = outputs[1] > 0
        theirs = tuple(output[found] for output in outputs)
        free = np.ones(len(theirs[1]), bool)
        count += len(ours[1])
        for box, value, label in zip(*ours, strict=True):
            like = free & (theirs[2] == label) & (abs(theirs[1] - value) < 0.01)
            if not like.any():
                unmatched += 1
                continue
            partners = np.nonzero(like)[0]
            differences = abs(theirs[0][partners] - box).max(1)
            best = int(differences.argmin())
            free[partners[best]] = False
            box_px = max(box_px, float(differences[best]))
            score = max(score, abs(float(theirs[1][partners[best]]) - float(value)))
        unmatched += int(free.sum())
    return Parity(len(pictures), count, box_px, score, unmatched)


@torch.no_grad()
def torch_detect(
    model: Exported, picture: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """What the exported file computes, in torch with torchvision's suppression: boxes, scores, labels, best first."""
    boxes, scores = (output[0] for output in model(torch.from_numpy(picture)[None]))
    cells = scores.amax(1).topk(MOST_CELLS).indices
    rows, labels = (scores[cells] > LEAST_SCORE).nonzero(as_tuple=True)
    rows = cells[rows]
    values = scores[rows, labels]
    kept = batched_nms(boxes[rows], values, labels, NMS_IOU)[:MOST_BOXES]
    return boxes[rows][kept].numpy(), values[kept].numpy(), labels[kept].numpy()
