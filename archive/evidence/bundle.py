"""One file with all that is known of an alert, signed: whoever has the site's public key can check each byte of it.

A bundle is a zip (stored, not packed) that any program opens. What makes every byte count stands in its comment, the
last SEAL bytes of the file:

    entries ............ each with its header and content in `manifest.json`: where they lie, and their SHA-256
    manifest.json ...... the last entry; header and content by one SHA-256 in the seal
    directory .......... the zip's table of contents and end record, by one SHA-256 in the seal
    seal ............... where those two begin, their digests, the public key; Ed25519 signature under all that

So a change is in the seal (the signature is wrong), in the directory, in the manifest, or in one named entry.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from archive.evidence.chain import as_json, sha256
from contracts.decoding import from_json
from contracts.errors import VedetteError
from vault.signing import PUBLIC_BYTES, SIGNATURE_BYTES, PublicKey, Signer

MANIFEST = "manifest.json"
MAGIC = b"VEDETTE\x01"
_CONTEXT = b"vedette evidence bundle\n"
_SEAL = struct.Struct(f">8sQQ32s32s{PUBLIC_BYTES}s")
SEAL_BYTES = _SEAL.size + SIGNATURE_BYTES
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""A zip's least time: when it was made stands in the manifest, and the same content is the same file."""


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the zip: its header from `header_at`, its content from `content_at` to before `end` in the file."""

    name: str
    header_at: int
    content_at: int
    end: int
    header_sha256: str
    sha256: str


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the bundle is of, who asked for it, and when it was made."""

    alert: str
    site: str
    camera: str
    made_at_ms: int
    made_for: str
    rule: str
    rule_version: int
    model: str
    config_version: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`manifest.json`."""

    v: int = 1
    about: About
    entries: tuple[Region, ...]


class Verified(NamedTuple):
    """A bundle that is as it was signed."""

    about: About
    entries: tuple[Region, ...]
    key: PublicKey


class TamperedError(VedetteError):
    """Something of a bundle is not as it was signed; `where` says what, with its bytes in the file."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


def sealed(about: About, contents: Mapping[str, bytes], key: Signer) -> bytes:
    """The bundle of `contents` by name, in their order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name, content in contents.items():
            made.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        manifest_at = out.tell()
        regions = tuple(_regions(out.getvalue(), made.infolist(), manifest_at))
        made.writestr(zipfile.ZipInfo(MANIFEST, _EPOCH), as_json(Manifest(about=about, entries=regions)))
        directory_at = out.tell()
        made.comment = bytes(SEAL_BYTES)
    data = out.getvalue()[:-SEAL_BYTES]
    digests = _digest(data[manifest_at:directory_at]), _digest(data[directory_at:])
    seal = _SEAL.pack(MAGIC, manifest_at, directory_at, *digests, key.public.raw)
    return data + seal + key.sign(_CONTEXT + seal)


def verified(data: bytes, key: PublicKey | None = None) -> Verified:
    """Look at every byte of a bundle. Raises TamperedError.

    `key` is the site's, from elsewhere than this file; without it the bundle is only known to be as its maker, whoever
    that was, signed it.
    """
    inner = _seal_checked(data, key)
    _, manifest_at, directory_at, manifest_digest, directory_digest, raw = inner
    end = len(data) - SEAL_BYTES
    _same(data, "the zip's directory", directory_at, end, directory_digest)
    _same(data, MANIFEST, manifest_at, directory_at, manifest_digest)
    manifest = _manifest(data[manifest_at:directory_at])
    place = 0
    for region in manifest.entries:
        _same(
            data, f"header of {region.name}", region.header_at, region.content_at, bytes.fromhex(region.header_sha256)
        )
        _same(data, region.name, region.content_at, region.end, bytes.fromhex(region.sha256))
        if region.header_at != place:
            break
        place = region.end
    if place != manifest_at:
        raise TamperedError(f"{MANIFEST} (bytes {manifest_at}-{directory_at - 1})", f"says nothing of byte {place}")
    return Verified(manifest.about, manifest.entries, PublicKey(raw))


def _seal_checked(data: bytes, key: PublicKey | None) -> tuple[bytes, int, int, bytes, bytes, bytes]:
    """The seal's fields once the signature under them is known to be good."""
    at = len(data) - SEAL_BYTES
    if at < 0 or data[at : at + len(MAGIC)] != MAGIC:
        raise _without_seal(data)
    where = f"seal (bytes {at}-{len(data) - 1})"
    seal, signature = data[at : at + _SEAL.size], data[at + _SEAL.size :]
    fields = _SEAL.unpack(seal)
    inside = PublicKey(fields[-1])
    if not inside.signed(_CONTEXT + seal, signature):
        raise TamperedError(where, "its signature is wrong")
    if key is not None and key != inside:
        raise TamperedError(where, f"signed with another key: {inside.fingerprint}, not {key.fingerprint}")
    return fields


def _without_seal(data: bytes) -> TamperedError:
    """Why there is no seal where it should be."""
    found = data.rfind(MAGIC)
    if found < 0:
        last = max(len(data) - SEAL_BYTES, 0)
        return TamperedError(f"seal (bytes {last}-{max(len(data) - 1, 0)})", "is no seal, or no bundle at all")
    ends = found + SEAL_BYTES
    if ends < len(data):
        return TamperedError(f"bytes {ends}-{len(data) - 1}", "were added behind the end")
    return TamperedError(f"byte {len(data)}", f"the file ends here, {ends - len(data)} bytes too early")


def _same(data: bytes, name: str, first: int, end: int, digest: bytes) -> None:
    if not 0 <= first <= end or _digest(data[first:end]) != digest:
        raise TamperedError(f"{name} (bytes {first}-{end - 1})", "is not as it was signed")


def _manifest(entry: bytes) -> Manifest:
    """The manifest in its entry of the zip, whose bytes are known to be as they were signed."""
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack_from(entry)
    content: Manifest = from_json(entry[_LOCAL_HEADER.size + name_bytes + extra_bytes :], Manifest)
    return content


def _regions(data: bytes, entries: list[zipfile.ZipInfo], end: int) -> Iterator[Region]:
    """Where each entry lies: they follow each other without a gap."""
    ends = [*(one.header_offset for one in entries[1:]), end]
    for entry, until in zip(entries, ends, strict=True):
        _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack_from(data, entry.header_offset)
        content_at = entry.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        yield Region(
            name=entry.filename,
            header_at=entry.header_offset,
            content_at=content_at,
            end=until,
            header_sha256=sha256(data[entry.header_offset : content_at]),
            sha256=sha256(data[content_at:until]),
        )


def _digest(data: bytes) -> bytes:
    return bytes.fromhex(sha256(data))
