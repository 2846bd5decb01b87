"""Writes the golden files of each sample that has none: `python -m tests.golden.write`. Never writes one again.

The bytes are what once stood on the wire; the values are what they meant, with every default of that day.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from contracts.codec import VERSION, encode
from contracts.messages import Alert, Event, Feedback, Message
from tests.golden.samples import SAMPLES

FOLDER = Path(__file__).parent


def path_of(name: str, message: Message) -> Path:
    """The golden file of a sample."""
    return FOLDER / f"{name}.v{message.v}.{'json' if isinstance(message, Event | Alert | Feedback) else 'msgpack'}"


def values_path_of(name: str, message: Message) -> Path:
    """The golden values of a sample."""
    return FOLDER / f"{name}.v{message.v}.values.json"


def values(value: Any) -> Any:
    """A message as plain JSON values with every field, also those that the wire leaves out."""
    match value:
        case msgspec.Struct():
            fields = {name: values(getattr(value, name)) for name in value.__struct_fields__}
            tag = value.__struct_config__.tag
            return fields | ({"(tag)": tag} if tag else {})
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(key): values(item) for key, item in value.items()}
        case tuple() | list():
            return [values(item) for item in value]
        case _:
            return value


def main() -> int:
    """Write what is missing; returns 1 when nothing was."""
    missing = {name: message for name, message in SAMPLES.items() if not path_of(name, message).exists()}
    for name, message in missing.items():
        if message.v != VERSION:
            raise ValueError(f"{name}: this code writes version {VERSION}")
        with path_of(name, message).open("xb") as file:  # x: refuses a file that is there
            file.write(encode(message))
        with values_path_of(name, message).open("x") as file:
            file.write(json.dumps(values(message), indent=1, ensure_ascii=False) + "\n")
        print(path_of(name, message).name)
    return 0 if missing else 1


if __name__ == "__main__":
    sys.exit(main())
