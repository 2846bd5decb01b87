"""Whether explanations show what counted: the fall of the score when the hottest 15 % are deleted, and when others are.

    python -m tests.bench.explain_bench --shared DIR [--classifier MANIFEST]

The bundled detector by occlusion on Penn-Fudan's pictures; a classifier of ImageNet's classes (its manifest, as
`vedette train classifier` writes one) by class activation and by occlusion on the sample of ImageNet.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from contracts.manifest import load_manifest, model_bytes
from stream.vision.detector import detections
from stream.vision.explain import around, box_score, class_activation, class_score, occlusion
from stream.vision.image import fit, letterbox
from stream.vision.session import Session, SessionOptions, open_runtime
from tests.faithfulness import falls

MODEL = Path("models/detector.json")
CPU = SessionOptions(device="cpu")
Row = tuple[float, float, float]
"""The fall with the hottest part, with others, and the seconds that the explanation took."""


def detector(shared: Path) -> Iterator[Row]:
    """Each picture's most confident box."""
    session = Session.open(load_manifest(MODEL), MODEL.parent, CPU)
    for path in sorted((shared / "data/detection/PennFudanPed/PNGImages").glob("*.png")):
        image = cv2.imread(str(path))
        size = fit((image.shape[1], image.shape[0]), session.input_size)
        canvas = letterbox(image, size, session.input_size, session.manifest.input.letterbox)
        first = detections(session.read(session.infer([canvas])[0]), session.label_names, size, size)[0]
        window, score = around(first.xyxy, *size), box_score(session, first.label, first.xyxy)
        began_s = time.monotonic()
        heat = occlusion(score, canvas, window).values
        yield *falls(score, canvas, window, heat), time.monotonic() - began_s


def classifier(shared: Path, file: Path, *, activation: bool) -> Iterator[Row]:
    """Each picture's likeliest class."""
    manifest = load_manifest(file)
    model = model_bytes(manifest, file.parent)
    opened, side = open_runtime(manifest, model, CPU), manifest.input.width
    for path in sorted((shared / "data/classification/imagenet_sample_1000").glob("*.JPEG"))[::4]:
        picture = cv2.resize(cv2.imread(str(path)), (side, side), interpolation=cv2.INTER_AREA)
        place = int(np.argmax(opened.run(None, {manifest.input.name: picture[None]})[0]))
        score, window = class_score(opened, manifest, place), (0, 0, side, side)
        began_s = time.monotonic()
        if activation:
            heat = cv2.resize(class_activation(manifest, model, picture[None], place, CPU), (side, side))
        else:
            heat = occlusion(score, picture, window).values
        yield *falls(score, picture, window, heat), time.monotonic() - began_s


def main() -> None:
    """Print a row a method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--classifier", type=Path, metavar="MANIFEST")
    given = parser.parse_args()
    methods: dict[str, Callable[[], Iterator[Row]]] = {"detector, occlusion": lambda: detector(given.shared)}
    if given.classifier:
        for name, activation in (("class activation", True), ("occlusion", False)):
            methods[f"classifier, {name}"] = lambda activation=activation: classifier(
                given.shared, given.classifier, activation=activation
            )
    print("| method | hottest part counts for more | fall, hottest | fall, others | s |\n|---|---|---|---|---|")
    for name, rows in methods.items():
        found = np.array(list(rows()))
        ahead = int((found[:, 0] > found[:, 1]).sum())
        hot, other, took_s = found.mean(axis=0)
        print(f"| {name} | {ahead} of {len(found)} | {hot:.3f} | {other:.3f} | {took_s:.2f} |")


if __name__ == "__main__":
    main()
