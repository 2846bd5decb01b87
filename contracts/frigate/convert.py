"""A config file of Frigate (0.14 to 0.16) as one of Vedette's, with a word on every key that is not taken over."""

from __future__ import annotations

from typing import Any

import msgspec

from contracts.config import Config, Rule, Site
from contracts.config.cameras import Camera
from contracts.config_check import check
from contracts.config_file import parse_yaml
from contracts.errors import ConfigError
from contracts.frigate.cameras import camera_of, detect_of, motion_of
from contracts.frigate.ledger import Ledger, Note, Part, leaves
from contracts.frigate.rules import rules_of
from contracts.frigate.shapes import name_of

WHY = {
    "record": "Vedette keeps the pictures of alerts (evidence), and records nothing continuously",
    "snapshots": "pictures of alerts are kept by the section `evidence`",
    "birdseye": "the console's page Live shows all cameras at once",
    "live": "the console's page Live shows what is looked at",
    "audio": "Vedette doesn't listen",
    "audio_transcription": "Vedette doesn't listen",
    "mqtt": "alerts are on the topic `alerts` and in the API; nothing is said by MQTT from here",
    "notifications": "who is told of alerts is set up in Vedette's own way",
    "detectors": "Vedette's jobs run their model with onnxruntime, on a GPU where there is one",
    "model": "Vedette comes with its own detector; another is named by stream.model",
    "ffmpeg": "Vedette opens cameras itself: arguments of ffmpeg have no counterpart",
    "go2rtc": "Vedette reads cameras itself and restreams nothing",
    "semantic_search": "Vedette has no search by words in pictures",
    "face_recognition": "people are enrolled in Vedette's own way, with other models",
    "lpr": "Vedette reads no number plates",
    "genai": "no picture leaves the site to be described",
    "classification": "Vedette has no classifiers of one's own",
    "onvif": "Vedette moves no cameras",
    "ui": "the console arranges itself",
    "camera_groups": "rights and filters are by camera",
    "timestamp_style": "nothing is written into pictures",
    "auth": "accounts are made in Vedette's console",
    "proxy": "see console.address for a proxy that speaks TLS",
    "tls": "see console.tls_certificate and console.tls_key",
    "database": "see console.database",
    "logger": "Vedette's logs have one level",
    "telemetry": "metrics are on the ports of edge, jobs and console",
    "environment_vars": "set them where Vedette's processes are started",
    "version": "it is Frigate's",
    "networking": "see the sections console and edge",
    "safe_mode": "there is none",
    "review": "a rule has its own words (`instructions`)",
    "detect": "Vedette's tracker keeps its own times",
    "motion": "Vedette's motion gate measures otherwise: its defaults are kept",
}
"""By the section of Frigate's file, or of a camera."""
SAID_ABOVE = "every camera says something else"


class Import(msgspec.Struct, frozen=True):
    """The result: Vedette's config, the paths of Frigate's keys that are in it, and what is to be said of others."""

    config: Config
    taken: tuple[str, ...]
    notes: tuple[Note, ...]


def is_frigate(text: str) -> bool:
    """Whether a text looks like Frigate's config: its cameras have `ffmpeg`. Raises ConfigError where it is no YAML."""
    raw = parse_yaml(text)
    cameras = raw.get("cameras") if isinstance(raw, dict) else None
    return isinstance(cameras, dict) and any(isinstance(one, dict) and "ffmpeg" in one for one in cameras.values())


def convert(text: str) -> Import:
    """Take Frigate's YAML over; raises ConfigError where it is no such file or names no camera that can be opened."""
    raw = parse_yaml(text)
    if not isinstance(raw, dict) or not isinstance(raw.get("cameras"), dict):
        raise ConfigError("cameras", "is missing: this is no config of Frigate")
    ledger = Ledger()
    file = Part(raw, "", ledger)
    cameras: dict[str, Camera] = {}
    rules: dict[str, Rule] = {}
    for name, own in file.part("cameras").parts():
        camera = camera_of(name, own, file)
        if camera is None:
            continue
        known = _free(name_of(name), cameras)
        if known != name:
            ledger.change(own.path + ".ffmpeg.inputs", f"the camera is called `{known}`: names have small letters only")
        cameras[known], made = rules_of(known, camera, own, file)
        rules |= made
    zone = file.part("ui").get("timezone")
    config = Config(
        cameras=cameras,
        site=Site(time_zone=str(zone)) if zone else Site(),
        detect=detect_of(file.part("detect")),
        motion=motion_of(file.part("motion")),
        rules={name: rule for name, rule in rules.items() if rule.labels},
    )
    check(config)
    _sweep(raw, ledger)
    return Import(config, tuple(sorted(ledger.taken)), tuple(_in_order(ledger.notes)))


def _free(name: str, taken: dict[str, Camera]) -> str:
    """The name, or the first with a number behind it that is not taken."""
    return next(one for one in (name, *(f"{name[:60]}-{n}" for n in range(2, 1000))) if one not in taken)


def _sweep(raw: dict[str, Any], ledger: Ledger) -> None:
    """Say why of every key that nobody has spoken of."""
    for path in list(leaves(raw)):
        if ledger.knows(path):
            continue
        parts = path.replace("[", ".[").split(".")
        section = parts[2] if parts[0] == "cameras" and len(parts) > 2 else parts[0]
        overridden = parts[0] in ("objects", "review", "detect", "motion") and _used_in_cameras(path, ledger)
        ledger.leave(path, SAID_ABOVE if overridden else WHY.get(section, "Vedette has nothing like it"))


def _used_in_cameras(path: str, ledger: Ledger) -> bool:
    return any(one.startswith("cameras.") and one.endswith(f".{path}") for one in ledger.taken)


def _in_order(notes: list[Note]) -> list[Note]:
    """Each word once; those of one key one after the other."""
    return sorted(dict.fromkeys(notes), key=lambda note: note.path)
