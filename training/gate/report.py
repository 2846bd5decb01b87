"""The gate's report for people, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from training.gate.judge import Figures, Report
from training.gate.worst import Worst


def markdown(report: Report) -> str:
    """The verdict first, then why, then all figures."""
    verdict = "let through" if report.passed else "refused"
    parts = [f"# {report.candidate} {verdict}, against {report.against}", ""]
    parts += [f"- **{reason.text}**" for reason in report.refusals]
    parts += [f"- {reason.text}" for reason in report.doubts]
    if report.passed:
        parts.append(f"- {report.why}")
    parts += ["", *(_sets(report)), ""]
    if report.overall is not None and report.at_thresholds is not None:
        rows = [("AP50, mean of classes", report.overall), ("F1 at its own thresholds", report.at_thresholds)]
        rows += [(f"AP50 against {one.model}, which is larger", one.overall) for one in report.bounds]
        parts += _table("figure", rows)
        parts += _table("AP50 of", [(_name(one), one) for one in report.places])
        parts += [
            f"Calibration error {report.calibration[0]:.3f} before, {report.calibration[1]:.3f} after; "
            f"{report.ms[0]:.1f} ms a picture before, {report.ms[1]:.1f} after; "
            f"{report.size_bytes[0]:,} bytes before, {report.size_bytes[1]:,} after.",
            "",
        ]
    if report.worst:
        parts += ["Boxes of which it is less certain, the worst first:", ""]
        parts += [f"- {where}" for where in map(lost_at, report.worst)] + [""]
    limits = report.limits
    parts.append(
        f"Allowed: {limits.tolerance:g} less AP50 or F1 (each bound with {limits.confidence:.0%} confidence, by "
        f"{limits.resamples} resamples of the pictures), {limits.calibration:g} more calibration error, "
        f"{limits.slowdown:g} times the time (with {limits.smaller:.0%} less time or size it need not be better, but "
        "surely no worse, nor than the larger ones that it comes from or that smaller ones have replaced), "
        f"{limits.contradicted:.0%} of people's new words contradicted."
    )
    return "\n".join(parts) + "\n"


def lost_at(one: Worst) -> str:
    """One of the worst as a sentence."""
    return f"{one.label} at {one.camera}: {one.before:.2f} -> {one.after:.2f}, in {one.picture} of {one.set}"


def _sets(report: Report) -> Iterable[str]:
    return (f"Set `{one.name}`: {one.pictures} pictures, sha256 `{one.sha256}`" for one in report.sets)


def _name(one: Figures) -> str:
    return f"{one.label} at {one.camera}" if one.camera else f"{one.label}, all cameras"


def _table(title: str, rows: list[tuple[str, Figures]]) -> list[str]:
    lines = [f"| {title} | boxes | before | after | change | surely between |", "| --- | --- | --- | --- | --- | --- |"]
    for name, one in rows:
        change = f"{one.after - one.before:+.3f} | {one.low:+.3f} and {one.high:+.3f}"
        lines.append(f"| {name} | {one.boxes} | {one.before:.3f} | {one.after:.3f} | {change} |")
    return [*lines, ""]
