"""Does the exported file say what torch says: the same boxes and scores on the same real pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torchvision.ops import batched_nms

from training.appearance import AppearanceNet
from training.export import LEAST_LOOK_SCORE, LEAST_SCORE, MOST_BOXES, MOST_CELLS, Exported

# A box whose score is this near to the least may be there on one side and not on the other, as last bits differ.
AT_THE_BOUND = LEAST_SCORE + 1e-5


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest differences over all boxes of all pictures, and how many boxes only one side has.

    `cosine` is the least of a box's two appearance vectors (1 without a head).
    """

    pictures: int
    boxes: int
    box_px: float
    score: float
    unmatched: int
    cosine: float = 1.0


def compare(
    model: Exported,
    session: onnxruntime.InferenceSession,
    pictures: Sequence[NDArray[np.uint8]],
    head: AppearanceNet | None = None,
) -> Parity:
    """Compare on letterboxed pictures uint8[S,S,3]; a box has its partner if label and score (to 0.01) agree."""
    box_px, score, unmatched, count, cosine = 0.0, 0.0, 0, 0, 1.0
    for picture in pictures:
        ours = torch_detect(model, picture)
        looks = torch_looks(model, head, picture, ours[0]) if head is not None else None
        outputs = [output[0] for output in session.run(None, {"images": picture[None]})]
        found = outputs[1] > 0
        theirs = tuple(output[found] for output in outputs)
        free = np.ones(len(theirs[1]), bool)
        count += len(ours[1])
        for place, (box, value, label) in enumerate(zip(*ours, strict=True)):
            like = free & (theirs[2] == label) & (abs(theirs[1] - value) < 0.01)
            if not like.any():
                unmatched += int(value > AT_THE_BOUND)
                continue
            partners = np.nonzero(like)[0]
            differences = abs(theirs[0][partners] - box).max(1)
            best = int(differences.argmin())
            free[partners[best]] = False
            box_px = max(box_px, float(differences[best]))
            score = max(score, abs(float(theirs[1][partners[best]]) - float(value)))
            # At the bound itself one side may have looked and the other not.
            if looks is not None and value > LEAST_LOOK_SCORE + score:
                cosine = min(cosine, float(looks[place] @ theirs[3][partners[best]]))
        unmatched += int((free & (theirs[1] > AT_THE_BOUND)).sum())
    return Parity(len(pictures), count, box_px, score, unmatched, cosine)


@torch.no_grad()
def torch_looks(
    model: Exported, head: AppearanceNet, picture: NDArray[np.uint8], boxes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The appearance [N,64] of boxes [N,4] in torch."""
    _, _, *stages = model(torch.from_numpy(picture)[None])
    rows = torch.cat((torch.zeros(len(boxes), 1), torch.from_numpy(boxes)), 1)
    return np.asarray(head(*stages, rows).numpy())


@torch.no_grad()
def torch_detect(
    model: Exported, picture: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """What the exported file computes, in torch with torchvision's suppression: boxes, scores, labels, best first."""
    boxes, scores = (output[0] for output in model(torch.from_numpy(picture)[None])[:2])
    cells = scores.amax(1).topk(MOST_CELLS).indices
    rows, labels = (scores[cells] > LEAST_SCORE).nonzero(as_tuple=True)
    rows = cells[rows]
    values = scores[rows, labels]
    kept = batched_nms(boxes[rows], values, labels, model.nms_iou)[:MOST_BOXES]
    return boxes[rows][kept].numpy(), values[kept].numpy(), labels[kept].numpy()
