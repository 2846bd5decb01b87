"""From a frame's JPEG to the objects in it: OpenCV and onnxruntime, nothing of Kafka or Flink. Start at `detector`."""

from stream.vision.batcher import BatchConfig, Batcher
from stream.vision.detector import Detector
from stream.vision.session import ModelSlot, Session, SessionOptions

__all__ = ["BatchConfig", "Batcher", "Detector", "ModelSlot", "Session", "SessionOptions"]
