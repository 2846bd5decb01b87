"""Which metrics and labels an expression of PromQL names, held against what the code declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from contracts.metrics import ALL, Metric

OF_TARGETS = frozenset({"namespace", "job", "instance"})
"""Labels that every series has from its target, beside those that the code gives it."""

PARTS = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}

_SERIES = {metric.name + part: metric for metric in ALL for part in PARTS[metric.kind]}


def faults(expression: str, recorded: Mapping[str, frozenset[str]]) -> list[str]:
    """What is wrong with the `vedette_*` and recorded `vedette:*` names and the labels of an expression."""
    found: list[str] = []
    known = set(OF_TARGETS)
    for name, selector in re.findall(r"\b(vedette[_:][\w:]+)\s*(\{[^}]*\})?", expression):
        labels = _labels(name, recorded)
        if labels is None:
            found.append(f"{name} is not declared")
            continue
        known |= labels
        found += [f"{name} has no label {label}" for label in _selected(selector) if label not in labels | OF_TARGETS]
    if known > OF_TARGETS and not re.search(r"\b(flink|kubelet|container|strimzi)_|\bALERTS\b", expression):
        found += [f"no series here has the label {label}" for label in _grouped(expression) if label not in known]
    return found


def recorded_labels(rules: Iterable[Mapping[str, str]]) -> dict[str, frozenset[str]]:
    """The labels of each recorded series: those that it is summed by."""
    return {rule["record"]: frozenset(_grouped(rule["expr"])) for rule in rules if "record" in rule}


def _labels(name: str, recorded: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    if name in recorded:
        return recorded[name]
    metric: Metric | None = _SERIES.get(name)
    if metric is None:
        return None
    return frozenset((*metric.labels, "le") if name.endswith("_bucket") else metric.labels)


def _selected(selector: str) -> list[str]:
    return re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", selector))


def _grouped(expression: str) -> list[str]:
    groups = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression)
    return [label for group in groups for label in re.findall(r"\w+", group)]
