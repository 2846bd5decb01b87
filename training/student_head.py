"""The teacher's appearance head for a student: the same vectors out of the student's features, by least squares.

The student's stages are nearly the teacher's, and the head is linear. So what is missing is a small change of its
weights, found in closed form on the boxes that the teacher sees in training pictures; a ridge keeps it small.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.appearance import AppearanceNet, points
from training.export import LEAST_LOOK_SCORE
from training.network import DetectorNet
from training.predict import ExportedDetector

# The ridge, in parts of the features' mean variance over all boxes.
RIDGE = 0.1


@torch.no_grad()
def adapted(
    head: AppearanceNet,
    teacher: tuple[DetectorNet, ExportedDetector],
    student: DetectorNet,
    pictures: Sequence[NDArray[np.uint8]],
) -> AppearanceNet:
    """The head for the student, from letterboxed pictures uint8[S,S,3]; the teacher is given as network and as file."""
    seen = [_features(teacher, student, picture) for picture in pictures]
    theirs, ours = (torch.cat(side).double() for side in zip(*seen, strict=True))
    weight, bias = head.vector.weight.double(), head.vector.bias.double()
    missing = (theirs - ours) @ weight.T
    apart, wanted = ours - ours.mean(0), missing - missing.mean(0)
    alike = apart @ apart.T  # by boxes: there are hardly more of them than features
    ridge = RIDGE * alike.diagonal().mean() * torch.eye(len(alike), dtype=alike.dtype)
    change = (apart.T @ torch.linalg.solve(alike + ridge, wanted)).T
    fitted = copy.deepcopy(head)
    fitted.vector.weight.copy_(weight + change)
    fitted.vector.bias.copy_(bias + missing.mean(0) - change @ ours.mean(0))
    return fitted


def _features(
    teacher: tuple[DetectorNet, ExportedDetector], student: DetectorNet, picture: NDArray[np.uint8]
) -> tuple[Tensor, Tensor]:
    """The points [K,D] in the boxes that the teacher is sure of: the teacher's, and the student's."""
    net, detector = teacher
    boxes, scores = (output[0] for output in detector.session.run(["boxes", "scores"], {"images": picture[None]}))
    looked = torch.from_numpy(boxes[scores >= LEAST_LOOK_SCORE])
    rows = torch.cat((torch.zeros(len(looked), 1), looked), 1)
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    theirs, ours = (points(*one.look(pixels).stages, rows) for one in (net, student))
    return theirs, ours
