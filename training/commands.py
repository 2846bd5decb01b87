"""The commands of fine-tuning, students, the appearance head and tracking: what to read, what to run, where it goes."""

from __future__ import annotations

import argparse
from pathlib import Path

from archive.collection.store import Collection
from archive.evidence.files import Folder
from training.appearance import AppearanceRecipe, train
from training.finetune import FinetuneRecipe, finetune
from training.gate.sets import NOTHING, frozen_pictures
from training.network import open_detector
from training.predict import ExportedDetector
from training.recipe import read_recipe
from training.reid import ReidTeachers
from training.student import StudentRecipe, train_student
from training.tracking import Followed, Footage, measure, read_boxes, read_mot
from training.tracking_report import write_report
from training.tracklets import gather
from training.yaml_file import read_yaml

RECIPES = Path(__file__).parent / "recipes"
RECIPE = RECIPES / "appearance.yaml"
FINETUNE = RECIPES / "finetune.yaml"
STUDENT = RECIPES / "detector-int8.yaml"


def train_appearance(options: argparse.Namespace) -> Path:
    """Cut the looks out of the recipe's clips with a bundled detector, and train a head for it."""
    recipe = load_recipe(options.config or RECIPE)
    manifest, net = open_detector(options.manifest)
    file = options.manifest.parent / manifest.file
    teachers = ReidTeachers(recipe.teachers, options.data, recipe.threads)
    clips = tuple(clip for clip in recipe.clips if clip.role == "train")
    looks = gather(clips, ExportedDetector(file), manifest.labels, teachers, options.data, options.out / "cache")
    return train(recipe, looks, net, manifest.input.width, options.out)


def load_recipe(path: Path) -> AppearanceRecipe:
    """Read the head's recipe; ConfigError says which key of it is wrong."""
    return read_yaml(path, AppearanceRecipe)


def finetune_detector(options: argparse.Namespace) -> Path:
    """Fine-tune the manifest's detector on a version of a collection; returns the candidate's manifest."""
    collection = Collection(Folder(options.collection))
    recipe = read_recipe(options.config or FINETUNE, FinetuneRecipe)
    version = collection.load(options.version)
    frozen = frozen_pictures(options.gate) if options.gate is not None else NOTHING
    learnt_from = collection, version, options.data, options.out
    return finetune(recipe, options.manifest, *learnt_from, frozen, options.since, options.small)


def train_student_detector(options: argparse.Namespace) -> Path:
    """Train the recipe's smaller detector to do what the manifest's does."""
    recipe = read_recipe(options.config or STUDENT, StudentRecipe)
    return train_student(recipe, options.manifest, options.data, options.out)


def evaluate_tracking(options: argparse.Namespace) -> None:
    """Hold what `vedette replay --mot --detections` wrote against the truth, beside four other trackers."""
    clip = Followed(
        options.tracks.stem,
        read_mot(options.truth),
        read_mot(options.tracks, options.scale),
        read_boxes(options.detections, options.label, options.scale),
        Footage(options.video, options.scale) if options.video is not None else None,
    )
    figures = measure([clip], options.trackers_python)
    write_report(figures, [clip], options.out)
    print((options.out / "report.md").read_text())


def add_tracking(parser: argparse.ArgumentParser) -> None:
    """The arguments of `evaluate_tracking`."""
    parser.add_argument("--tracks", type=Path, required=True, help="the text that `vedette replay --mot` wrote")
    parser.add_argument("--detections", type=Path, required=True, help="what `vedette replay --detections` wrote")
    parser.add_argument("--truth", type=Path, required=True, help="the ground truth as MOTChallenge text")
    parser.add_argument("--scale", type=float, default=1.0, help="from the clip's pixels to the truth's")
    parser.add_argument("--label", default="person", help="what the truth is of")
    parser.add_argument("--out", type=Path, required=True, help="metrics.json, report.md and plots go here")
    parser.add_argument("--video", type=Path, help="the clip: its worst frames are drawn into the report")
    parser.add_argument("--trackers-python", type=Path, required=True, help="Python that has trackers==2.6.1")
    parser.set_defaults(run=evaluate_tracking)
