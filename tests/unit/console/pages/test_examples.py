"""What pages show as an example for the configuration file can be put there."""

from __future__ import annotations

import pytest

from console.pages import models, notifications
from contracts.config_file import parse

CAMERAS = "cameras: {gate: {inputs: [{url: clip.mp4}]}}\n"

KEY = "A" * 43 + "="


@pytest.mark.parametrize("example", [models.SETTING, notifications.EXAMPLE], ids=["a registry", "whom to tell"])
def test_an_example_is_a_config(example: str) -> None:
    assert "gate" in parse(CAMERAS + example.replace('..."', f'{KEY}"')).cameras
