"""Frigate's inputs: which stream is looked at, which gives the large pictures, and what go2rtc stands between."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from contracts.config import Input
from contracts.config_check import SCHEMES, literal_password
from contracts.frigate.ledger import Part
from contracts.frigate.shapes import name_of

RESTREAM = re.compile(r"rtsp://(?:127\.0\.0\.1|localhost|frigate):8554/(?P<name>[^?#]+)")
_USER_INFO = re.compile(r"^(?P<before>[a-z][a-z0-9+.-]*://[^/?#@:]*:)(?P<password>[^/?#]*)(?P<after>@)")
_QUERY = re.compile(r"(?P<before>[?&](?:password|passwd|pwd|pass|token|key|secret|auth)=)(?P<value>[^&#]+)", re.I)


def inputs_of(camera: str, part: Part, streams: Part) -> tuple[Input, ...]:
    """The camera's inputs; empty when none can be looked at. `streams` are go2rtc's."""
    ffmpeg = part.part("ffmpeg")
    given = ffmpeg.values.get("inputs")
    made: list[Input] = []
    roles_taken: set[str] = set()
    for i, value in enumerate(given if isinstance(given, list) else []):
        one = Part(value, f"{ffmpeg.at('inputs')}[{i}]", part.ledger)
        roles = _roles(one, roles_taken)
        if not roles:
            one.leave("path", "no picture of it is needed: it is neither looked at nor the one of full size")
            continue
        url = _address(camera, one, streams)
        if url:
            roles_taken.update(roles)
            made.append(Input(url=url, roles=roles))
    if not any("detect" in one.roles for one in made):
        return ()
    if not any("detail" in one.roles for one in made):
        made = [Input(url=one.url) for one in made if "detect" in one.roles]
    return tuple(made)


def _roles(one: Part, taken: set[str]) -> tuple[Any, ...]:
    """`detect` stays, `record`, Frigate's stream of full size, becomes `detail`; each stands once."""
    given = one.values.get("roles") or []
    mine = [{"detect": "detect", "record": "detail"}.get(str(role), "") for role in given]
    roles = tuple(role for role in dict.fromkeys(mine) if role and role not in taken)
    others = [str(role) for role in given if role not in ("detect", "record")]
    if others and roles:
        one.change("roles", f"without {', '.join(others)}: Vedette doesn't listen and doesn't broadcast")
    elif others:
        one.leave("roles", f"{', '.join(others)}: Vedette doesn't listen and doesn't broadcast")
    elif "record" in given:
        one.change(
            "roles", "`record` becomes `detail`: the stream that gives pictures of full size; nothing is recorded"
        )
    else:
        one.get("roles")
    return roles


def _address(camera: str, one: Part, streams: Part) -> str:
    """The stream's address without any password in it; "" when Vedette can't open it."""
    url = str(one.get("path") or "")
    restream = RESTREAM.match(url)
    if restream:
        url = _behind(one, streams, restream["name"]) or url
    scheme = urlsplit(re.sub(r"\{[A-Za-z0-9_]*\}", "x", url)).scheme
    if "://" in url and scheme not in SCHEMES:
        one.leave("path", f"{scheme}:// is none of {', '.join(SCHEMES)}")
        return ""
    return _without_password(camera, one, url)


def _behind(one: Part, streams: Part, name: str) -> str:
    """What go2rtc reads under that name: Vedette reads the camera itself. "" where that is no plain address."""
    given = streams.values.get(name)
    for text in given if isinstance(given, list) else [given]:
        source = str(text or "").removeprefix("ffmpeg:").split("#")[0]
        if "://" in source and source.split("://")[0] in SCHEMES:
            streams.ledger.take(streams.at(name))
            one.change("path", f"go2rtc's stream `{name}` is read from the camera itself")
            return source
    one.change("path", f"go2rtc's stream `{name}` is no address that Vedette can open: go2rtc has to run on")
    return ""


def _without_password(camera: str, one: Part, url: str) -> str:
    if not literal_password(url):
        return url
    name = name_of(camera).upper().replace("-", "_") + "_PASSWORD"
    one.change("path", f"the password is not taken over: set the environment variable {name} where the agent runs")
    url = _USER_INFO.sub(lambda m: m["before"] + f"{{{name}}}" + m["after"], url) if _USER_INFO.match(url) else url
    return _QUERY.sub(lambda m: m[0] if m["value"].startswith("{") else m["before"] + f"{{{name}}}", url)
