"""What the agent runs: the console and each status are told."""

from importlib.metadata import version

VERSION = version("vedette")
