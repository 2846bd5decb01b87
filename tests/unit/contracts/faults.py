"""Configs for tests, and what is wrong with those that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.config_file import parse
from contracts.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "vedette.example.yaml"
SMALL = "cameras: {gate: {inputs: [{url: clip.mp4}]}}\n"


def fault(text: str) -> ConfigError:
    """The refusal of a config, which says where and why."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.path, f"no path: {caught.value}"
    assert caught.value.reason
    return caught.value
