"""From a frame's JPEG to the objects in it: OpenCV and onnxruntime, nothing of Kafka or Flink. Start at `detector`."""

from stream.vision.batcher import BatchConfig, Batcher
from stream.vision.beside import Beside
from stream.vision.detector import Detector
from stream.vision.service import DetectService
from stream.vision.session import Session, SessionOptions
from stream.vision.slot import ModelSlot, Slot

__all__ = [
    "BatchConfig",
    "Batcher",
    "Beside",
    "DetectService",
    "Detector",
    "ModelSlot",
    "Session",
    "SessionOptions",
    "Slot",
]
