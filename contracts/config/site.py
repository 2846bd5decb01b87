"""The whole file, and the values that are in force for a camera."""

from __future__ import annotations

from typing import Literal, TypeVar

from contracts.broker import BrokerAddress
from contracts.config.base import Name, Spec
from contracts.config.cameras import Camera, Detect, Motion
from contracts.config.classifiers import Attribute, Classifier
from contracts.config.evidence import EvidenceStore, History
from contracts.config.faces import Faces
from contracts.config.learning import Learning
from contracts.config.models import Models
from contracts.config.rules import Rule
from contracts.config.services import Analytics, Console, Edge, Kafka, Site, Stream
from contracts.errors import ConfigError


class Config(Spec, frozen=True, kw_only=True):
    """The whole file."""

    cameras: dict[Name, Camera]
    site: Site = Site()
    detect: Detect = Detect()
    motion: Motion = Motion()
    rules: dict[Name, Rule] = {}
    kafka: Kafka = Kafka()
    edge: Edge = Edge()
    stream: Stream = Stream()
    models: Models = Models()
    faces: Faces = Faces()
    classifiers: dict[Attribute, Classifier] = {}
    analytics: Analytics = Analytics()
    evidence: EvidenceStore = EvidenceStore()
    history: History = History()
    learning: Learning = Learning()
    console: Console = Console()
    version: Literal[1] = 1


DETECT = Detect(fps=10.0, detail_fps=2.0, height=480, jpeg_quality=85, heartbeat_s=5.0)
MOTION = Motion(enabled=True, threshold=16.0, area=0.0005, linger_s=3.0)
"""`threshold` is MOG2's own default for its squared distance; `area` 0.0005 of 640x480 is a 12-pixel square."""

S = TypeVar("S", bound=Spec)


def overlaid(*layers: S) -> S:
    """The first value that is set, field by field: what a camera says before what the file says before the default."""
    values = {
        name: next((value for layer in layers if (value := getattr(layer, name)) is not None), None)
        for name in layers[0].__struct_fields__
    }
    return type(layers[0])(**values)


def detect_of(config: Config, camera: str) -> Detect:
    """The camera's `detect` with every value set."""
    return overlaid(config.cameras[camera].detect, config.detect, DETECT)


def motion_of(config: Config, camera: str) -> Motion:
    """The camera's `motion` with every value set."""
    return overlaid(config.cameras[camera].motion, config.motion, MOTION)


def uses_classifier(config: Config, camera: str, name: str) -> bool:
    """Whether a camera uses the classifier: as it says, else as the file says for all."""
    return config.cameras[camera].uses(name, everywhere=config.classifiers[name].enabled)


def broker_address(kafka: Kafka) -> BrokerAddress | None:
    """The broker that the file names; None for the embedded one."""
    if not kafka.bootstrap_servers:
        return None
    servers, tls = ",".join(kafka.bootstrap_servers), kafka.tls
    return BrokerAddress(servers, tls.ca, tls.certificate, tls.key) if tls is not None else BrokerAddress(servers)


def bootstrap_of(config: Config, given: str) -> str:
    """The broker's address: as `given` on the command line, else as the file names it; raises ConfigError."""
    address = BrokerAddress.parse(given) if given else broker_address(config.kafka)
    if address is None:
        raise ConfigError("kafka.bootstrap_servers", "no broker is named here, and none by --bootstrap")
    return str(address)
