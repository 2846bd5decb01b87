"""The gate's report as a page on this machine: beside its words the pictures in which the candidate loses most.

Where both models look is shown by heat maps. The page has pictures of the frozen sets, so it stays here, and the next
gate writes over it; the registry keeps the words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import cv2

from archive.explain.explaining import OPTIONS, explain_box, explain_crop
from contracts.errors import ConfigError
from stream.vision.image import jpeg_size
from stream.vision.session import Session
from training.gate.judge import Figures, Report
from training.gate.predict import Model
from training.gate.report import lost_at
from training.gate.sets import GateSet, read_config, read_sets
from training.gate.worst import Worst
from vedette.heats import Heats, heats
from vedette.html_page import encoded, img, page, small

GREEN = (80, 220, 80)
NOWHERE = "<p>Nowhere much.</p>"


def write_gate_page(report: Report, sets: Path, before: Model, after: Model, file: Path) -> None:
    """Write the page; what can't be explained is said there. Raises OSError, or ConfigError for a set that is gone."""
    judged = read_sets(read_config(sets), sets.parent) if report.worst else ()
    jpegs = [_file(one, judged).read_bytes() for one in report.worst]
    seen = [heats(_explained(model, report.worst, jpegs)) for model in (before, after)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_page(report, jpegs, seen), encoding="utf-8")


def _file(one: Worst, sets: Sequence[GateSet]) -> Path:
    """The picture that has the box: several sets may be called alike, as a collection's are, and pictures too."""
    for each in sets:
        for picture, file in zip(each.pictures, each.files, strict=True):
            named = (each.frozen.name, picture.name, picture.camera) == (one.set, one.picture, one.camera)
            if named and (one.label, [*one.xyxy]) in zip(
                picture.truth.labels, picture.truth.xyxy.tolist(), strict=True
            ):
                return file
    raise ConfigError(f"set {one.set}", f"has no {one.label} in {one.picture} any more")


def _explained(model: Model, worst: Sequence[Worst], jpegs: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where the model looks for each box, as JPEGs by their place."""
    manifest, folder = model
    session = Session.open(manifest, folder, OPTIONS) if manifest.task == "detector" and worst else None
    for place, (one, jpeg) in enumerate(zip(worst, jpegs, strict=True)):
        if session is None:
            yield place, explain_crop(manifest, folder, jpeg, one.label, one.xyxy).overlay
        else:
            yield place, explain_box(session, jpeg, jpeg_size(jpeg), one.label, one.xyxy).overlay


def _page(report: Report, jpegs: Sequence[bytes], seen: Sequence[Heats[int]]) -> str:
    title = f"{report.candidate} {'let through' if report.passed else 'refused'}, against {report.against}"
    reasons = "".join(f"<li>{escape(one.text)}</li>" for one in (*report.refusals, *report.doubts))
    names = report.against, report.candidate
    lacking = "".join(
        f"<p>{escape(f'Where {name} looks is not shown everywhere: {heat.lacking}')}</p>"
        for name, heat in zip(names, seen, strict=True)
        if heat.lacking
    )
    lost = "".join(
        _lost(one, jpegs[place], [(name, heat.jpegs.get(place)) for name, heat in zip(names, seen, strict=True)])
        for place, one in enumerate(report.worst)
    )
    return page(
        title,
        f"<h1>{escape(title)}</h1><ul>{reasons}</ul><p>{escape(report.why) if report.passed else ''}</p>"
        f"{_figures(report)}{f'<h2>Where it loses most</h2>{lacking}{lost or NOWHERE}' if report.overall else ''}",
    )


def _lost(one: Worst, jpeg: bytes, heats: Sequence[tuple[str, bytes | None]]) -> str:
    """A box in its picture, and where both models look for it."""
    words = escape(lost_at(one))
    shown = [img(words, _boxed(jpeg, one))]
    shown += [_looked(name, heat) for name, heat in heats if heat is not None]
    return f"<h3>{words}</h3><div class='grid'>{''.join(f'<figure>{each}</figure>' for each in shown)}</div>"


def _looked(name: str, heat: bytes) -> str:
    words = escape(f"Where {name} looks")
    return f"{img(words, encoded(small(heat)))}<figcaption>{words}</figcaption>"


def _boxed(jpeg: bytes, one: Worst) -> bytes:
    picture, (width, height) = small(jpeg), jpeg_size(jpeg)
    across, down = picture.shape[1] / width, picture.shape[0] / height
    x1, y1, x2, y2 = (round(value * scale) for value, scale in zip(one.xyxy, (across, down) * 2, strict=True))
    cv2.rectangle(picture, (x1, y1), (x2, y2), GREEN, 2)
    return encoded(picture)


def _figures(report: Report) -> str:
    if report.overall is None:
        return ""
    rows = [("all", report.overall), *((f"against {one.model}", one.overall) for one in report.bounds)]
    rows += [(f"{one.label} at {one.camera or 'all cameras'}", one) for one in report.places]
    heads = "".join(f"<th class='n'>{name}</th>" for name in ("boxes", "before", "after", "surely between"))
    body = "".join(f"<tr><th scope='row'>{escape(name)}</th>{_cells(one)}</tr>" for name, one in rows)
    return f"<table><thead><tr><th>AP50</th>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _cells(one: Figures) -> str:
    values = f"{one.boxes}", f"{one.before:.3f}", f"{one.after:.3f}", f"{one.low:+.3f} and {one.high:+.3f}"
    return "".join(f"<td class='n'>{value}</td>" for value in values)
