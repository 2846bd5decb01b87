"""What machines cost, as `python -m vedette.scaling_page --prices FILE` reads it (vedette/prices.yaml has ours)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from contracts.decoding import from_yaml
from contracts.errors import ConfigError

ASSUMED = Path(__file__).parent / "prices.yaml"
Price = Annotated[float, msgspec.Meta(ge=0)]


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In euros: a core's hour, a GPU's, and a month of a GB on disk and in a bucket."""

    core_hour: Price
    gpu_hour: Price
    disk_gb_month: Price
    bucket_gb_month: Price


def read(file: Path = ASSUMED) -> Prices:
    """The prices of a file. Raises ConfigError, OSError."""
    try:
        return from_yaml(file.read_bytes(), Prices)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ConfigError(str(file), str(error)) from error
