"""What the types of the config can't say: that names refer to something and that shapes make sense."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from contracts.agents_check import check_agents
from contracts.broker import is_server
from contracts.config import (
    LABELS,
    S3,
    Anomaly,
    Camera,
    CameraDown,
    Config,
    EvidenceStore,
    Faces,
    Input,
    Kafka,
    KnownPerson,
    LineCrossing,
    Models,
    ReturningUnknown,
    Rule,
    Running,
    TamperRule,
    UnknownPerson,
    detect_of,
    uses_classifier,
)
from contracts.config.periods import check_periods
from contracts.console_check import check_console, console_secrets
from contracts.errors import ConfigError
from contracts.fields import QUESTION, Point
from contracts.polygons import polygon_is_simple

MAX_CORNERS = 200
"""A zone is drawn by hand; the check for crossings looks at every pair of edges."""

LEAST_SCORE = 0.01
"""Detectors tell of no box below this (see training/export.py)."""

SCHEMES = ("rtsp", "rtsps", "http", "https", "file")
_SECRET = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_USER_INFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#@:]*:(?P<password>[^/?#]*)@")
_SECRET_QUERY = re.compile(r"[?&](?:password|passwd|pwd|pass|token|key|secret|auth)=(?P<value>[^\s&#]+)", re.IGNORECASE)


def check(config: Config) -> None:
    """Raise ConfigError at the first value that can't be meant."""
    if not config.cameras:
        raise ConfigError("cameras", "at least one camera is needed")
    try:
        zoneinfo.ZoneInfo(config.site.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError("site.time_zone", f"`{config.site.time_zone}` is no time zone") from error
    check_periods(config.site.arming.schedule, "site.arming.schedule")
    zones = {zone for camera in config.cameras.values() for zone in camera.zones}
    for i, zone in enumerate(config.site.arming.disarmed_zones):
        if zone not in zones:
            raise ConfigError(f"site.arming.disarmed_zones[{i}]", f"no camera has a zone `{zone}`")
    slots: dict[int, str] = {}
    for name, camera in config.cameras.items():
        _camera(camera, f"cameras.{name}", bundled=not config.stream.model)
        _faces(config, name)
        _classifiers(config, name)
        if camera.slot is not None:
            other = slots.setdefault(camera.slot, name)
            if other != name:
                raise ConfigError(f"cameras.{name}.slot", f"camera `{other}` has slot {camera.slot} already")
    for name, rule in config.rules.items():
        if name == QUESTION:
            raise ConfigError(f"rules.{name}", "this name stands for questions (cameras.<name>.learning)")
        _rule(config, rule, f"rules.{name}")
    _brokers(config.kafka)
    check_agents(config)
    check_console(config)
    _evidence(config.evidence)
    _face_retention(config.faces)
    _models(config.models)
    _learning(config)
    _ports(config)


def missing_secrets(config: Config, secrets: Mapping[str, str]) -> list[ConfigError]:
    """Each {NAME} in the file that `secrets` lacks, with its path; those of parts that are off don't count."""
    texts = {
        f"cameras.{name}.inputs[{i}].url": source.url
        for name, camera in config.cameras.items()
        if camera.enabled
        for i, source in enumerate(camera.inputs)
    }
    if config.console.enabled:
        texts |= console_secrets(config.console)
    return [
        ConfigError(path, f"the secret {name[1:-1]} is not set in the environment")
        for path, text in texts.items()
        for name in _SECRET.findall(text)
        if name[1:-1] not in secrets
    ]


def check_camera(name: str, camera: Camera, *, bundled: bool) -> None:
    """Raise ConfigError at the first value of one camera that can't be meant; `bundled` is whose labels count."""
    _camera(camera, f"cameras.{name}", bundled=bundled)


def check_input(source: Input, path: str) -> None:
    """Raise ConfigError when the input can't be meant; `path` is where it stands."""
    _input(source, path)


def literal_password(url: str) -> bool:
    """Whether a password stands in the URL itself: before its host, or as a value of its query."""
    user_info = _USER_INFO.match(url)
    if user_info and user_info["password"] and not _SECRET.search(user_info["password"]):
        return True
    return any(not _SECRET.search(found["value"]) for found in _SECRET_QUERY.finditer(url))


def _camera(camera: Camera, path: str, *, bundled: bool) -> None:
    _inputs(camera.inputs, f"{path}.inputs")
    for name, mask in camera.masks.items():
        _polygon(mask.coordinates, f"{path}.masks.{name}.coordinates")
    for name, zone in camera.zones.items():
        _polygon(zone.coordinates, f"{path}.zones.{name}.coordinates")
        _labels(zone.objects, f"{path}.zones.{name}.objects", bundled=bundled)
    for name, line in camera.lines.items():
        _points(line.coordinates, f"{path}.lines.{name}.coordinates")
        if line.coordinates[0] == line.coordinates[1]:
            raise ConfigError(f"{path}.lines.{name}.coordinates", "the two points are the same")
        _labels(line.objects, f"{path}.lines.{name}.objects", bundled=bundled)
    _labels(camera.objects.track, f"{path}.objects.track", bundled=bundled)
    for label, rule in camera.objects.filters.items():
        _labels((label,), f"{path}.objects.filters", bundled=bundled)
        if rule.min_area > rule.max_area:
            raise ConfigError(f"{path}.objects.filters.{label}.min_area", "is greater than max_area")
        if 0 < rule.min_score <= camera.learning.ask_from:
            raise ConfigError(f"{path}.learning.ask_from", f"`{label}` counts from {rule.min_score} on: ask from less")
    if 0 < camera.learning.ask_from < LEAST_SCORE:
        raise ConfigError(f"{path}.learning.ask_from", f"no detector tells of boxes below {LEAST_SCORE}")


def _faces(config: Config, name: str) -> None:
    """To identify people needs a purpose, and frames that are large enough for faces."""
    faces, path = config.cameras[name].faces, f"cameras.{name}.faces"
    if not faces.identify:
        return
    if not faces.purpose.strip():
        raise ConfigError(f"{path}.purpose", "is missing: say for what people are identified here")
    if not detect_of(config, name).detail_fps:
        raise ConfigError(f"{path}.identify", "needs full-size frames, and this camera's detect.detail_fps is 0")
    if "person" not in config.cameras[name].objects.track:
        raise ConfigError(f"{path}.identify", "needs `person` in this camera's objects.track")


def _face_retention(faces: Faces) -> None:
    """What can't be read any more isn't kept for anybody."""
    classes = {f"groups.{group}": kept for group, kept in faces.retention.groups.items()}
    for name, kept in {**classes, "unknown": faces.retention.unknown}.items():
        if kept.seen_days is not None and kept.seen_days > faces.keep_days:
            raise ConfigError(
                f"faces.retention.{name}.seen_days", f"is more than faces.keep_days ({faces.keep_days:g})"
            )


def _inputs(inputs: Sequence[Input], path: str) -> None:
    for role in ("detect", "detail"):
        having = [i for i, source in enumerate(inputs) if role in source.roles]
        if len(having) > 1:
            raise ConfigError(f"{path}[{having[1]}].roles", f"only one input may have the role `{role}`")
        if role == "detect" and not having:
            raise ConfigError(path, "one input needs the role `detect`")
    for i, source in enumerate(inputs):
        _input(source, f"{path}[{i}]")


def _input(source: Input, path: str) -> None:
    if not source.url.strip():
        raise ConfigError(f"{path}.url", "is empty")
    if not source.roles:
        raise ConfigError(f"{path}.roles", "is empty; `detect`, `detail` or both")
    if "://" not in source.url:
        return
    try:
        parts = urlsplit(_SECRET.sub("x", source.url))
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{path}.url", f"no URL: {error}") from error
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"{path}.url", f"`{parts.scheme}` is none of {', '.join(SCHEMES)}")
    if parts.scheme != "file" and (not parts.hostname or port == 0):
        raise ConfigError(f"{path}.url", "has no host")
    if literal_password(source.url):
        name = re.sub(r"[^A-Z0-9]+", "_", path.split(".")[1].upper()) + "_PASSWORD"
        way = f"write {{{name}}} in its place, and set the environment variable {name} where the agent runs"
        raise ConfigError(f"{path}.url", f"holds a password, which must not travel: {way}")


def _evidence(evidence: EvidenceStore) -> None:
    for field in ("clip_first_s", "clip_max_s"):
        if (length_s := getattr(evidence, field)) <= evidence.pre_s:
            ends = f"{length_s:g} s end before an alert that {evidence.pre_s:g} s lead to"
            raise ConfigError(f"evidence.{field}", ends)
    _bucket(evidence.s3, evidence.folder, "evidence.s3")


def _models(models: Models) -> None:
    _bucket(models.s3, models.folder, "models.s3")
    for i, key in enumerate(models.trusted_keys):
        if not re.fullmatch(r"ed25519:[A-Za-z0-9+/]{43}=", key):  # 32 bytes in base64
            raise ConfigError(f"models.trusted_keys[{i}]", f"`{key[:60]}` is no public key: ed25519: and base64")


def _bucket(s3: S3 | None, folder: str, path: str) -> None:
    if s3 is None:
        return
    if folder:
        raise ConfigError(path, f"there is a folder already: {path.partition('.')[0]} is kept in one place")
    if s3.endpoint and not re.fullmatch(r"https?://[^/?#@\s]+", s3.endpoint):
        raise ConfigError(f"{path}.endpoint", f"`{s3.endpoint[:60]}` is not http(s)://HOST[:PORT]")
    if not re.fullmatch(r"(?:[A-Za-z0-9][A-Za-z0-9_.-]*(?:/(?!$)|$))*", s3.prefix):
        raise ConfigError(f"{path}.prefix", f"`{s3.prefix[:60]}` is not like NAME/NAME")


def _brokers(kafka: Kafka) -> None:
    for i, server in enumerate(kafka.bootstrap_servers):
        if not is_server(server):
            raise ConfigError(f"kafka.bootstrap_servers[{i}]", f"`{server}` is not host:port")
    tls = kafka.tls
    if tls is not None and not kafka.bootstrap_servers:
        raise ConfigError("kafka.tls", "the embedded broker speaks to this machine only: TLS needs bootstrap_servers")
    if tls is not None and bool(tls.certificate) != bool(tls.key):
        raise ConfigError("kafka.tls", "certificate and key belong together")


def _ports(config: Config) -> None:
    """Each on this machine is another; 0 means none."""
    for part, host in (("edge", config.edge.metrics_host), ("stream", config.stream.metrics_host)):
        if not re.fullmatch(r"[A-Za-z0-9._:-]+", host):
            raise ConfigError(f"{part}.metrics_host", "no host; 127.0.0.1 for this machine only, 0.0.0.0 for all")
    taken = {} if config.kafka.bootstrap_servers else {config.kafka.port: "kafka.port"}
    for path, port in (
        ("edge.metrics_port", config.edge.metrics_port),
        ("stream.metrics_port", config.stream.metrics_port),
        ("evidence.metrics_port", config.evidence.metrics_port),
        ("history.metrics_port", config.history.metrics_port),
        ("console.port", config.console.port if config.console.enabled else 0),
    ):
        other = taken.setdefault(port, path) if port else path
        if other != path:
            raise ConfigError(path, f"{port} is {other} already")


def _polygon(points: Sequence[Point], path: str) -> None:
    if len(points) < 3:
        raise ConfigError(path, f"a polygon needs three points at least, got {len(points)}")
    if len(points) > MAX_CORNERS:
        raise ConfigError(path, f"a polygon has {MAX_CORNERS} points at most, got {len(points)}")
    _points(points, path)
    if not polygon_is_simple(points):
        raise ConfigError(path, "the polygon crosses itself, repeats a point or has no area")


def _points(points: Iterable[Point], path: str) -> None:
    for i, (x, y) in enumerate(points):
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ConfigError(f"{path}[{i}]", f"({x:g}, {y:g}) is outside the picture; coordinates are 0-1")


def _labels(labels: Iterable[str], path: str, *, bundled: bool) -> None:
    for i, label in enumerate(labels):
        if bundled and label not in LABELS:
            raise ConfigError(f"{path}[{i}]", f"`{label}` is none of {', '.join(LABELS)}")


def _rule(config: Config, rule: Rule, path: str) -> None:
    for i, camera in enumerate(rule.cameras):
        if camera not in config.cameras:
            raise ConfigError(f"{path}.cameras[{i}]", f"there is no camera `{camera}`")
    check_periods(rule.schedule, f"{path}.schedule")
    _labels(rule.labels, f"{path}.labels", bundled=not config.stream.model)
    if isinstance(rule, CameraDown | TamperRule | Anomaly | ReturningUnknown) and rule.attributes:
        raise ConfigError(f"{path}.attributes", "this kind of rule speaks of no single thing that is looked at")
    if isinstance(rule, CameraDown | TamperRule):
        return
    names = rule.cameras or tuple(config.cameras)
    _followed(rule.labels, [config.cameras[name] for name in names], f"{path}.labels")
    _identified(config, rule, path)
    _classified(config, rule, path)
    if isinstance(rule, LineCrossing):
        _exists({n: config.cameras[n].lines for n in names}, rule.line, rule.cameras, f"{path}.line", "line")
    elif zone := getattr(rule, "zone", ""):
        _exists({n: config.cameras[n].zones for n in names}, zone, rule.cameras, f"{path}.zone", "zone")
    if isinstance(rule, Running) and rule.unit == "metres":
        for name in names:
            if config.cameras[name].metres_per_pixel is None:
                raise ConfigError(f"{path}.unit", f"camera `{name}` has no metres_per_pixel")


def _identified(config: Config, rule: Rule, path: str) -> None:
    """Rules about people need a camera that says who they are: each that is named, or one at least."""
    if not isinstance(rule, KnownPerson | UnknownPerson | ReturningUnknown):
        return
    blind = [name for name in rule.cameras or config.cameras if not config.cameras[name].faces.identify]
    if (rule.cameras and blind) or len(blind) == len(config.cameras):
        raise ConfigError(f"{path}.cameras", f"camera `{blind[0]}` identifies nobody: its faces.identify is off")


def _classified(config: Config, rule: Rule, path: str) -> None:
    """Rules about attributes need a classifier of each, on each camera that is named, or on one at least."""
    for attribute in rule.attributes:
        spec = config.classifiers.get(attribute)
        if spec is None:
            raise ConfigError(f"{path}.attributes.{attribute}", "no such classifier is in `classifiers`")
        blind = [name for name in rule.cameras or config.cameras if not uses_classifier(config, name, attribute)]
        if (rule.cameras and blind) or len(blind) == len(config.cameras):
            raise ConfigError(f"{path}.attributes.{attribute}", f"camera `{blind[0]}` doesn't use this classifier")


def _classifiers(config: Config, name: str) -> None:
    """A camera's classifiers are those of the file, and need frames that are large enough."""
    path = f"cameras.{name}.classifiers"
    for attribute in config.cameras[name].classifiers:
        if attribute not in config.classifiers:
            raise ConfigError(f"{path}.{attribute}", "no such classifier is in `classifiers`")
        if config.cameras[name].classifiers[attribute].enabled and not detect_of(config, name).detail_fps:
            raise ConfigError(
                f"{path}.{attribute}.enabled", "needs full-size frames, and this camera's detect.detail_fps is 0"
            )


def _learning(config: Config) -> None:
    for attribute in config.learning.classifiers:
        if attribute not in config.classifiers:
            raise ConfigError(f"learning.classifiers.{attribute}", "no such classifier is in `classifiers`")


def _followed(labels: Sequence[str], cameras: Sequence[Camera], path: str) -> None:
    for i, label in enumerate(labels):
        if not any(label in camera.objects.track for camera in cameras):
            raise ConfigError(f"{path}[{i}]", f"`{label}` is followed by none of the rule's cameras")


def _exists(
    having: Mapping[str, Mapping[str, object]], wanted: str, named: tuple[str, ...], path: str, kind: str
) -> None:
    missing = [camera for camera, things in having.items() if wanted not in things]
    if (named and missing) or len(missing) == len(having):
        raise ConfigError(path, f"camera `{missing[0]}` has no {kind} `{wanted}`")
