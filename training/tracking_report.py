"""A tracking evaluation as a folder that a person can read: figures, bars, who was followed when, the worst frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib import pyplot
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from contracts.errors import ConfigError
from training.dataset import Picture
from training.tiles import GREEN, MAGENTA, RED, YELLOW, tile, write_sheet
from training.tracking import COLUMNS, OURS, Figures, Followed, Footage
from training.tracking_errors import MISSED, Frame, frames_of, worst

WORST = 6
COLOURS = "missed yellow, false red, taken over by another track magenta, right green"
SHARES = ("MOTA", "IDF1", "HOTA")
KINDS = {"absent": "white", "followed": "tab:green", "missed": "gold", "switch": "magenta", "false": "tab:red"}
ABSENT, FOLLOWED, LOST, SWITCH, FALSE = range(len(KINDS))


def write_report(figures: Figures, clips: Sequence[Followed], out: Path) -> None:
    """`metrics.json`, `report.md` and pictures in the folder; ConfigError when a clip's video can't be read."""
    mpl.use("Agg")
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    _plot_bars(figures, out / "figures.png")
    lines = ["# Tracking", "", "![figures](figures.png)", ""]
    for clip in clips:
        frames = frames_of(clip.truth, clip.tracks)
        _plot_course(clip.name, frames, out / f"{clip.name}-course.png")
        lines += [table({clip.name: figures[clip.name]}), told(frames), "", f"![course]({clip.name}-course.png)"]
        if clip.footage is not None and (chosen := worst(frames, WORST)):
            _draw_worst(chosen, clip.footage, out / f"{clip.name}-worst.jpg")
            numbers = ", ".join(str(frame.number) for frame in chosen)
            lines += [f"![worst]({clip.name}-worst.jpg)", "", f"Frames {numbers}: {COLOURS}."]
        lines.append("")
    (out / "report.md").write_text("\n".join(lines))


def table(figures: Figures) -> str:
    """The comparison as Markdown, a table a clip."""
    lines = []
    for clip, trackers in figures.items():
        lines += [f"## {clip}", "", f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
        for name, row in trackers.items():
            cells = (f"{row[c]:.3f}" if c in SHARES else f"{row[c]:.0f}" for c in COLUMNS)
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def told(frames: Sequence[Frame]) -> str:
    """One sentence about a clip's errors: how many of each, and where most of them lie."""
    missed, false = (sum(counts) for counts in _counts(frames))
    switches = sum(int(frame.switched.sum()) for frame in frames)
    objects = sum(len(frame.objects) for frame in frames)
    said = f"{OURS}: {missed} of {objects} boxes missed, {false} false ones, {switches} switches"
    if not missed + false + switches:
        return f"{said}."
    tenth = max(1, len(frames) // 10)
    starts = range(0, len(frames), tenth)
    most = max(starts, key=lambda start: sum(frame.errors for frame in frames[start : start + tenth]))
    errors = sum(frame.errors for frame in frames[most : most + tenth])
    last = min(len(frames), most + tenth)
    return f"{said}; most errors in frames {most + 1} to {last}: {errors}."


def course(frames: Sequence[Frame]) -> tuple[list[str], NDArray[np.uint8]]:
    """Who was followed when [R,F]: a row for each object, by its first frame, then for each track that met none.

    With the rows' names: the object's number in the truth, or the track's.
    """
    met = {int(track) for frame in frames for track in frame.tracks}
    objects = dict.fromkeys(int(one) for frame in frames for one in frame.objects)
    ghosts = dict.fromkeys(int(one) for frame in frames for one in frame.false if int(one) not in met)
    place_of = {("object", one): place for place, one in enumerate(objects)}
    place_of |= {("ghost", one): len(objects) + place for place, one in enumerate(ghosts)}
    rows = np.full((max(1, len(place_of)), len(frames)), ABSENT, np.uint8)
    for column, frame in enumerate(frames):
        for one, track, switched in zip(frame.objects, frame.tracks, frame.switched, strict=True):
            kind = LOST if track == MISSED else SWITCH if switched else FOLLOWED
            rows[place_of["object", int(one)], column] = kind
        for one in frame.false:
            if (place := place_of.get(("ghost", int(one)))) is not None:
                rows[place, column] = FALSE
    return [*map(str, objects), *(f"track {one}" for one in ghosts)], rows


def _counts(frames: Sequence[Frame]) -> tuple[list[int], list[int]]:
    """How many are missed, and how many boxes are false, in each frame."""
    return [int(frame.missed.sum()) for frame in frames], [len(frame.false) for frame in frames]


def _plot_bars(figures: Figures, path: Path) -> None:
    """MOTA, IDF1 and HOTA of each tracker, a group a clip."""
    names = list(dict.fromkeys(name for trackers in figures.values() for name in trackers))
    figure, axes = pyplot.subplots(1, len(SHARES), figsize=(5 * len(SHARES), 4), sharey=True)
    places = np.arange(len(figures))
    for axis, share in zip(axes, SHARES, strict=True):
        for number, name in enumerate(names):
            values = [trackers.get(name, {}).get(share, np.nan) for trackers in figures.values()]
            axis.bar(places + number / (len(names) + 1), values, 1 / (len(names) + 1), label=name)
        axis.set(title=share, ylim=(min(0.0, axis.get_ylim()[0]), 1))
        axis.set_xticks(places + (len(names) - 1) / 2 / (len(names) + 1), list(figures), rotation=20)
        axis.grid(True, axis="y", alpha=0.3)
    axes[-1].legend(fontsize=8, loc="upper right", ncols=2)
    _save(figure, path)


def _plot_course(title: str, frames: Sequence[Frame], path: Path) -> None:
    """Who was followed when, and how many were missed and false over time."""
    names, rows = course(frames)
    height = 1 + 0.18 * min(120, len(rows))
    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(12, height + 2.5), sharex=True, height_ratios=(height, 2), layout="constrained"
    )
    colours = ListedColormap(list(KINDS.values()))
    span = (0.5, len(frames) + 0.5, len(rows) + 0.5, 0.5)
    above.imshow(rows, colours, aspect="auto", interpolation="nearest", vmin=0, vmax=FALSE, extent=span)
    above.set(title=title, ylabel="objects, then tracks of nothing")
    above.set_yticks(np.arange(1, len(names) + 1), names, fontsize=7)
    above.legend(
        handles=[Patch(color=colour, label=kind) for kind, colour in KINDS.items() if kind != "absent"],
        loc="upper right",
        fontsize=8,
    )
    missed, false = _counts(frames)
    numbers = [frame.number for frame in frames]
    below.step(numbers, missed, where="mid", color=KINDS["missed"], label=f"missed ({sum(missed)})")
    below.step(numbers, false, where="mid", color=KINDS["false"], label=f"false ({sum(false)})")
    switches = [frame.number for frame in frames for _ in range(int(frame.switched.sum()))]
    below.plot(
        switches,
        np.zeros(len(switches)),
        "^",
        color=KINDS["switch"],
        label=f"switches ({len(switches)})",
        clip_on=False,
    )
    below.set(xlabel="frame", ylabel="boxes", ylim=(0, None))
    below.legend(loc="upper right", fontsize=8)
    _save(figure, path)


def _draw_worst(frames: Sequence[Frame], footage: Footage, path: Path) -> None:
    pictures = _pictures(footage, [frame.number for frame in frames])
    tiles = []
    for frame, picture in zip(frames, pictures, strict=True):
        marked = [(box, RED) for box in frame.false_xyxy]
        for box, missed, switched in zip(frame.xyxy, frame.missed, frame.switched, strict=True):
            marked.append((box, YELLOW if missed else MAGENTA if switched else GREEN))
        tiles.append(tile(picture, [(box / footage.scale, colour) for box, colour in marked]))
    write_sheet(tiles, path)


def _pictures(footage: Footage, numbers: Sequence[int]) -> list[Picture]:
    """The pictures of these frames, in order; ConfigError where the video ends before."""
    capture = cv2.VideoCapture(str(footage.video))
    wanted, found, at = {(number - 1) * footage.step for number in numbers}, [], 0
    try:
        while wanted and at <= max(wanted):
            if not capture.grab():
                raise ConfigError("video", f"{footage.video.name} ends after {at} frames, the tracks go on")
            if at in wanted:
                found.append(np.asarray(capture.retrieve()[1], np.uint8))
            at += 1
    finally:
        capture.release()
    return found


def _save(figure: Figure, path: Path) -> None:
    if figure.get_layout_engine() is None:
        figure.tight_layout()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
