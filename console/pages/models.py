"""The models' page: what is in service where, versions with their figures and gates, promotion and rollback."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.pages import texts
from console.pages.desk import Visit, blocking
from console.pages.panel import Answer, Panel
from contracts.decoding import convert, from_json
from contracts.errors import VedetteError
from contracts.fields import Share, Stage
from contracts.manifest import ModelManifest
from vault import PublicKey, VaultError

Word = Annotated[str, Meta(max_length=1000)]

SETTING = (
    'models:\n  folder: /srv/models        # or s3: {bucket: vedette, prefix: models}\n  trusted_keys: ["ed25519:..."]'
)


class Models(Panel, component="models.js"):
    """Slots, versions, one of them beside, and what is asked before a promotion."""


class Wanted(msgspec.Struct, frozen=True):
    """What the form of a promotion says."""

    id: str
    stage: Stage
    cameras: tuple[str, ...]
    share: Share
    why: Word
    forced: Word


async def models_page(visit: Visit) -> None:
    """What is at /models; `version` in the address is the one that is looked at."""
    desk = visit.desk
    models, who = desk.parts.models, visit.who

    async def look() -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(await blocking(models.view, who))
        return found

    async def detail(id: str) -> dict[str, Any]:
        found = await blocking(models.detail, who, id)
        values = from_json(msgspec.json.encode(found), dict[str, Any])
        return values | {"signed": _fingerprint(found.manifest)}

    async def promote(**wanted: Any) -> dict[str, Any]:
        one = convert(wanted, Wanted)
        await blocking(
            models.promote, who, one.id, one.stage, one.cameras, share=one.share, why=one.why, forced=one.forced
        )
        return await look()

    async def rollback(slot: str, model: str, why: str) -> dict[str, Any]:
        await blocking(models.rollback, who, slot, why=convert(why, Word), model=model)
        return await look()

    try:
        seen, error = await look(), ""
    except VedetteError as away:
        seen, error = None, str(away)
    calls: dict[str, Answer] = {"look": look, "detail": detail, "promote": promote, "rollback": rollback}
    start = {
        "seen": seen,
        "error": error,
        "setting": SETTING,
        "cameras": [{"name": name, "title": desk.camera_name(name)} for name in desk.config.cameras if who.sees(name)],
        "sees_all": who.cameras is None,
        "may_force": who.may("force_model"),
        "version": visit.request.query_params.get("version", ""),
    }
    Models(calls, visit.check, visit.props(texts.MODELS, start))


def _fingerprint(manifest: ModelManifest) -> str:
    """The signer's key, short enough to be compared by eye."""
    if manifest.signature is None:
        return ""
    try:
        return PublicKey.parse(manifest.signature.key).fingerprint
    except VaultError:
        return manifest.signature.key[:40]
