"""`evaluate identity`: fused looks against single ones, and strangers of real clips against a gallery of others."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import numpy as np

from contracts.manifest import load_manifest
from stream.identity import calibration_of, cohort_of
from stream.vision.faces import FaceConfig, FaceEmbedder, FaceLocaliser, FaceLooker
from stream.vision.session import SessionOptions
from training.faces.clips import FaceTrack, Halves, IdentityRecipe, Strangers, follow, gallery_of, halves, strangers
from training.faces.evaluate import embed_with, enrol_with
from training.faces.fused import AFTER, Fusion, fusion_gain, passing
from training.faces.people import Faces, read_people
from training.faces.recipe import EmbedderRecipe
from training.faces.tracks import Floats, looks_of_any_size, looks_of_track
from training.predict import ExportedDetector
from training.yaml_file import read_yaml

RECIPES = Path(__file__).parents[1] / "recipes"
CPU = SessionOptions(device="cpu")
WALKS = {"of one size": looks_of_track, "each of a size of its own": looks_of_any_size}
"""How people pass in made-up tracks: far away all the time or near all the time, or now near and now far."""


def add_identity(parser: argparse.ArgumentParser) -> None:
    """The arguments of `evaluate_identity`."""
    parser.add_argument("--data", type=Path, required=True, help="the folder that the recipe's paths are relative to")
    parser.add_argument("--out", type=Path, required=True, help="identity.json and report.md go here")
    parser.add_argument("--config", type=Path, default=RECIPES / "identity.yaml", help="the clips")
    parser.add_argument("--models", type=Path, default=Path("models"), help="the folder of detector and face models")
    parser.set_defaults(run=evaluate_identity)


def evaluate_identity(options: argparse.Namespace) -> None:
    """Measure fusion on made-up tracks and on clips, and strangers on clips; writes identity.json and report.md."""
    recipe = read_yaml(options.config, IdentityRecipe)
    people = read_yaml(RECIPES / "face-embedder.yaml", EmbedderRecipe)
    manifest = load_manifest(options.models / "face-embedder.json")
    calibration, cohort = calibration_of(manifest), cohort_of(manifest, options.models)
    embedder = FaceEmbedder.open(manifest, options.models, CPU)
    faces = read_people(people.people, "test", options.data)
    options.out.mkdir(parents=True, exist_ok=True)
    gains = {
        name: fusion_gain(
            passing(faces, embed_with(embedder), enrol_with(embedder), people.degrade, walk), calibration, cohort
        )
        for name, walk in WALKS.items()
    }
    seen = follow_all(recipe, embedder, options)
    names, others = enrolled(faces, embedder, recipe.enrolled)
    found = strangers(seen, gallery_of(others, names, cohort), calibration)
    cut = halves(seen, others, calibration, cohort)
    figures = {"model": manifest.id, "made_up_tracks": gains, "clips": cut, "strangers": found}
    (options.out / "identity.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    (options.out / "report.md").write_text(page(manifest.id, gains, cut, found, recipe.enrolled))
    print((options.out / "report.md").read_text())


def follow_all(recipe: IdentityRecipe, embedder: FaceEmbedder, options: argparse.Namespace) -> list[FaceTrack]:
    """The face tracks of all clips, with the bundled detector and localiser."""
    detector = load_manifest(options.models / "detector.json")
    localiser = FaceLocaliser.open(load_manifest(options.models / "face-localiser.json"), options.models, CPU)
    looker = FaceLooker(localiser, embedder, FaceConfig())
    exported, person = ExportedDetector(options.models / detector.file), detector.labels.index("person")
    cache = options.out / "cache"
    return [track for clip in recipe.clips for track in follow(clip, exported, person, looker, options.data, cache)]


def enrolled(faces: Faces, embedder: FaceEmbedder, count: int) -> tuple[list[str], Floats]:
    """The first picture of so many people, spread over the alphabet: names and unit vectors [N,D]."""
    firsts = np.unique(faces.persons, return_index=True)[1]
    chosen = firsts[np.linspace(0, len(firsts) - 1, min(count, len(firsts))).round().astype(int)]
    vectors = [embedder.enrolled([faces.pictures[place]])[0][0] for place in chosen]
    return [faces.names[faces.persons[place]] for place in chosen], np.stack(vectors)


def page(name: str, gains: dict[str, Fusion], cut: Halves, found: Strangers, others: int) -> str:
    """The figures as a page."""
    rows = "\n".join(
        f"| made-up tracks of ten looks {walk}, 200 enrolled: missed where 1 % of strangers are named "
        f"| {gain.single} | {gain.fused} | {gain.named} | {gain.missed} | {gain.lent} |"
        for walk, gain in gains.items()
    )
    clips = ", ".join(f"{clip} {count}" for clip, count in found.by_clip.items())
    return f"""# {name}: identification over tracks

| | single looks | fused | in the stream: strangers named | missed | taken over: named {AFTER} looks later |
|---|---|---|---|---|---|
{rows}
| clips, {cut.tracks} tracks cut in two, {cut.tracks} + {others} enrolled: missed at the threshold for 1 % | \
{cut.single:.2%} of {cut.looks} looks | {cut.fused:.2%} of {cut.tracks} | | | |

"In the stream" is with all tests of a track. Of the clips' second halves {cut.others} were most like somebody else.

Strangers: {found.tracks} tracks ({found.looks} looks; {clips}) against {others} other people: {len(found.named)} named
{list(found.named) or ""}; with 95 % confidence fewer than {found.bound:.2%} of such tracks are.
"""
