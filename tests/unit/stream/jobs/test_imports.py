"""Only the detect operator's own `open()` may import what asks for a thread's state: elsewhere it hangs Flink."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["sort", "detect", "decide", "analytics", "site", "rollout"])
def test_operators_unpickle_without_onnxruntime_and_opencv(module: str) -> None:
    script = f"import sys, stream.jobs.{module}; print([m for m in ('onnxruntime', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
