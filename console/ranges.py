"""A part of a file as HTTP asks for it (RFC 9110, 14): what a player needs to jump in a film."""

from __future__ import annotations

import re

from fastapi import HTTPException, Response

from console.evidence import EvidenceReader
from console.rights import Who

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def clip_answer(
    evidence: EvidenceReader, who: Who, alert_id: str, asked: str, now_ms: int, headers: dict[str, str]
) -> Response:
    """The alert's clip, or with a header `Range` (`asked`) the first part that it names; 404 where there is none.

    Several ranges at once are answered by the whole file, as is a header that is none.
    """
    found = _RANGE.fullmatch(asked.strip())
    first, last = found.groups() if found is not None else ("", "")
    if not first and not last:
        data = evidence.read(who, alert_id, "clip", now_ms)
        if data is None:
            raise HTTPException(404, "there is no clip of this alert (any more, or yet)")
        return Response(data, media_type="video/mp4", headers={"accept-ranges": "bytes", **headers})
    if not first:  # the last so many bytes
        whole = evidence.part(who, alert_id, "clip", 0, 0, now_ms)
        first, last = (str(max(0, whole.size - int(last))), "") if whole is not None else ("0", "")
    part = evidence.part(who, alert_id, "clip", int(first), int(last) + 1 if last else None, now_ms)
    if part is None:
        raise HTTPException(404, "there is no clip of this alert (any more, or yet)")
    if not part.data:
        raise HTTPException(416, "the clip has no such bytes", {"content-range": f"bytes */{part.size}"})
    said = f"bytes {part.first}-{part.first + len(part.data) - 1}/{part.size}"
    return Response(
        part.data, 206, media_type="video/mp4", headers={"accept-ranges": "bytes", "content-range": said, **headers}
    )
