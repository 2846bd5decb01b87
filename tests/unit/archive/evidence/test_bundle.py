"""The bundle: any program opens it, and whichever byte of it is changed, verification fails and says where."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.evidence import bundle, paths
from archive.evidence.bundle import SEAL_BYTES, About, TamperedError, sealed, verified
from archive.evidence.chain import Chain
from archive.evidence.export import NoEvidenceError, exported
from archive.evidence.files import Folder
from contracts import codec
from tests.evidence_tools import AT_MS, KEY, alert, key

ABOUT = About(
    alert="0e7a",
    site="home",
    camera="gate",
    made_at_ms=AT_MS,
    made_for="anna",
    rule="yard",
    rule_version=2,
    model="m@1",
    config_version="c1",
)
CONTENTS = {
    "clip.mp4": random.Random(1).randbytes(3000),
    "snapshot.jpg": random.Random(2).randbytes(900),
    "empty.json": b"",
    "actions.json": b'{"answers": []}',
}
BUNDLE = sealed(ABOUT, CONTENTS, KEY)


def region_of(at: int) -> str:
    """What the byte at `at` belongs to, by the bundle as it was made."""
    with zipfile.ZipFile(io.BytesIO(BUNDLE)) as opened:
        directory_at, entries = opened.start_dir, opened.infolist()
    if at >= len(BUNDLE) - SEAL_BYTES:
        return "seal"
    if at >= directory_at:
        return "the zip's directory"
    (entry,) = [one for one in entries if one.header_offset <= at][-1:]
    if entry.filename == bundle.MANIFEST:
        return bundle.MANIFEST
    in_header = at < entry.header_offset + 30 + len(entry.filename)
    return f"header of {entry.filename}" if in_header else entry.filename


def where_of(data: bytes) -> str:
    """Where verification says that it was changed, without the bytes' numbers."""
    with pytest.raises(TamperedError) as found:
        verified(data, KEY.public)
    return found.value.where.partition(" (bytes")[0]


def test_any_program_opens_it_and_it_is_verified() -> None:
    with zipfile.ZipFile(io.BytesIO(BUNDLE)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in CONTENTS} == CONTENTS
        manifest = json.loads(opened.read(bundle.MANIFEST))
    digests = {entry["name"]: entry["sha256"] for entry in manifest["entries"]}
    assert digests == {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    found = verified(BUNDLE, KEY.public)
    assert (found.about, found.key) == (ABOUT, KEY.public)
    assert [entry.name for entry in found.entries] == list(CONTENTS)
    assert verified(BUNDLE).about == ABOUT
    assert sealed(ABOUT, CONTENTS, KEY) == BUNDLE


@settings(deadline=None)
@given(at=st.integers(0, len(BUNDLE) - 1), change=st.integers(1, 255))
def test_one_byte_changed_anywhere(at: int, change: int) -> None:
    changed = bytearray(BUNDLE)
    changed[at] ^= change
    assert where_of(bytes(changed)) == region_of(at)


def test_one_bit_of_each_byte() -> None:
    """Every single byte of the file, so that none is left to chance."""
    regions = set()
    for at in range(len(BUNDLE)):
        changed = BUNDLE[:at] + bytes([BUNDLE[at] ^ 1 << at % 8]) + BUNDLE[at + 1 :]
        assert where_of(changed) == region_of(at)
        regions.add(region_of(at))
    assert regions == {
        *(name for name in CONTENTS if name != "empty.json"),
        *(f"header of {name}" for name in CONTENTS),
        bundle.MANIFEST,
        "the zip's directory",
        "seal",
    }


@settings(deadline=None, max_examples=50)
@given(at=st.integers(0, len(BUNDLE)), more=st.binary(min_size=1, max_size=40))
def test_bytes_put_in_anywhere(at: int, more: bytes) -> None:
    with pytest.raises(TamperedError):
        verified(BUNDLE[:at] + more + BUNDLE[at:], KEY.public)


@settings(deadline=None, max_examples=50)
@given(first=st.integers(0, len(BUNDLE) - 1), count=st.integers(1, 5000))
def test_bytes_cut_out_anywhere(first: int, count: int) -> None:
    with pytest.raises(TamperedError):
        verified(BUNDLE[:first] + BUNDLE[first + count :], KEY.public)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (BUNDLE + b"x", f"bytes {len(BUNDLE)}-{len(BUNDLE)}: were added behind the end"),
        (BUNDLE[:-3], f"byte {len(BUNDLE) - 3}: the file ends here, 3 bytes too early"),
        (b"", "no bundle at all"),
        (b"no bundle at all" * 100, "no bundle at all"),
    ],
)
def test_what_is_no_whole_bundle_is_said(data: bytes, said: str) -> None:
    with pytest.raises(TamperedError, match=said):
        verified(data)


def test_another_sites_bundle_is_not_ours() -> None:
    other = sealed(ABOUT, CONTENTS, key())
    assert verified(other).about == ABOUT
    with pytest.raises(TamperedError, match="another key"):
        verified(other, KEY.public)


def test_a_bundle_that_is_signed_anew_has_another_key() -> None:
    """Whoever changes it can sign it again, with a key of their own only."""
    forged = sealed(ABOUT, CONTENTS | {"clip.mp4": b"nobody was there"}, key())
    assert where_of(forged) == "seal"


def test_all_that_is_known_of_an_alert_is_in_it(tmp_path: Path) -> None:
    files = Folder(tmp_path)
    chain = Chain(files, KEY, lambda: AT_MS)
    one = alert()
    place = paths.place_of(one)
    with pytest.raises(NoEvidenceError):
        exported(files, KEY, one, b"{}", made_at_ms=AT_MS, made_for="anna")
    chain.keep(place, {paths.FRAME: b"picture", paths.ALERT: codec.encode(one), paths.DECISIONS: b"[1]"}, "revision 1")
    chain.keep(paths.place_of(alert(id="other")), {paths.FRAME: b"x"}, "revision 1")
    chain.keep(place, {paths.CLIP: b"film", paths.CLIP_INFO: b"{}"}, "clip")
    data = exported(files, KEY, one, b'{"answers":["true"]}', made_at_ms=AT_MS, made_for="anna")
    found = verified(data, KEY.public)
    assert (found.about.alert, found.about.model, found.about.config_version) == ("0e7a", "m@1", "c1")
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        content = {name: opened.read(name) for name in opened.namelist()}
    assert content["clip.mp4"] == b"film"
    assert content["decisions.json"] == b"[1]"
    assert json.loads(content["actions.json"]) == {"answers": ["true"]}
    assert [entry["number"] for entry in json.loads(content["chain.json"])] == [3, 1]
    assert json.loads(content["chain-head.json"])["count"] == 3
    assert b"vedette evidence verify" in content["README.txt"]
