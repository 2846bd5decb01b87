"""Whether each input of a config can be opened now and gives a picture, as the agent would open it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contracts.config import Config, Input
from contracts.config_check import missing_secrets
from contracts.errors import CameraError
from vedette.check import Check

AT_ONCE = 16
"""Each waits for its camera, 10 s at most where nothing else is configured."""
MEND = (
    "Look at the address, user and password (`ffplay` with the same address), and that this machine reaches the camera."
)
EXPORT_IT = "`export` it before `vedette up`, or have your service set it."


@dataclass(frozen=True)
class _Asked:
    path: str
    source: Input


def camera_checks(config: Config, secrets: Mapping[str, str]) -> list[Check]:
    """One check a camera's input; a secret that is not set is named with its path in the file."""
    missing = {fault.path: fault for fault in missing_secrets(config, secrets)}
    asked = [
        _Asked(f"cameras.{name}.inputs[{i}]", source)
        for name, camera in config.cameras.items()
        if camera.enabled
        for i, source in enumerate(camera.inputs)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda one: _look(one, missing.get(f"{one.path}.url"), secrets), asked))


def _look(asked: _Asked, fault: Exception | None, secrets: Mapping[str, str]) -> Check:
    if fault is not None:
        return Check(asked.path, "fail", str(fault), EXPORT_IT)
    # Imported here: OpenCV takes a third of a second that no other command should wait for.
    from edge.__main__ import set_up_opencv
    from edge.capture import OpenCvCapture
    from edge.urls import fill_secrets, redact

    set_up_opencv()
    try:
        capture = OpenCvCapture(asked.source, fill_secrets(asked.source.url, secrets))
        try:
            if not capture.grab():
                return Check(asked.path, "fail", "opened, but no picture came", MEND)
            height, width = capture.retrieve().shape[:2]
            return Check(asked.path, "ok", f"{width}x{height}")
        finally:
            capture.close()
    except CameraError as error:
        return Check(asked.path, "fail", redact(str(error)), MEND)
