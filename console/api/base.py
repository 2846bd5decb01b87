"""What all endpoints share: who asks, bodies and replies as msgspec structs, errors as answers, and their OpenAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException as StarletteHTTPException

from archive.evidence.export import NoEvidenceError
from archive.history.export import Format
from archive.history.search import PlaceError
from archive.registry import NoVersionError, RegistryError
from console.agents import AgentsOffError, NoAgentError, RefusedError
from console.answers import NoAlertError, NoPersonError
from console.auth.gate import AccountError, LoginError, TooOftenError
from console.auth.guard import Caller, caller_of
from console.changes import ConflictError, NoObjectError
from console.errors import BusyError
from console.missed import NoFrameError
from console.models.desk import RegistryAwayError
from console.notify.notifier import NoChannelError
from console.parts import Parts
from console.people.errors import NobodyError, PeopleOffError
from console.plan import PlanError
from console.rights import ForbiddenError, Permission, Who
from console.signer.signing import SignerError
from console.silencing import NoSuppressionError
from console.snoozes import NoSnoozeError
from console.store.rows import CursorError
from contracts.decoding import json_decoder
from contracts.errors import ConfigError, ModelError, VedetteError
from vault import VaultError

JSON = "application/json"
MEDIA: dict[Format, str] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
T = TypeVar("T")


class Problem(msgspec.Struct, frozen=True):
    """What was wrong with a request."""

    error: str


STATUS: dict[type[VedetteError], int] = {
    LoginError: 401,
    ForbiddenError: 403,
    RefusedError: 403,
    NoAgentError: 404,
    NoAlertError: 404,
    NoEvidenceError: 404,
    NoChannelError: 404,
    NoObjectError: 404,
    NobodyError: 404,
    NoSuppressionError: 404,
    NoSnoozeError: 404,
    NoFrameError: 404,
    NoVersionError: 404,
    RegistryError: 409,
    ModelError: 409,
    RegistryAwayError: 503,
    ConflictError: 409,
    PeopleOffError: 409,
    AgentsOffError: 409,
    SignerError: 503,
    VaultError: 409,
    ConfigError: 422,
    CursorError: 422,
    PlaceError: 422,
    PlanError: 422,
    NoPersonError: 422,
    AccountError: 422,
    TooOftenError: 429,
    BusyError: 429,
}
WORDS = {
    401: "Nobody is signed in, or the credentials are wrong",
    403: "Not allowed",
    404: "There is none",
    409: "It was changed meanwhile",
    413: "Too large",
    415: "Not application/json",
    416: "There are no such bytes",
    422: "Something in the request is wrong",
    429: "Too often",
    503: "The database, or what else is needed, is away",
}

_documented: dict[str, Any] = {}


YAML = "application/yaml"


def _form(gives: Any, media: str) -> dict[str, Any]:
    """What a body of this media type holds: a struct as JSON, a mapping as YAML, else text or bytes."""
    if media == JSON:
        return _reference(gives)
    return {"type": "object" if media == YAML else "string"}


def spec(
    gives: Any = None,
    *,
    takes: Any = None,
    errors: tuple[int, ...] = (),
    status: int = 200,
    media: str | tuple[str, ...] = JSON,
) -> dict[str, Any]:
    """What a route's decorator needs: the forms of body and reply for OpenAPI, and which errors may come.

    `gives` None is no body at all (204).
    """
    good: dict[str, Any] = {"description": "Done" if gives is None else "What was asked for"}
    if gives is not None:
        kinds = (media,) if isinstance(media, str) else media
        good["content"] = {kind: {"schema": _form(gives, kind)} for kind in kinds}
    responses: dict[int | str, dict[str, Any]] = {status: good}
    for code in sorted({401, 403, 422, 429, 503, *errors, *((413, 415) if takes else ())}):
        responses[code] = {"description": WORDS[code], "content": {JSON: {"schema": _reference(Problem)}}}
    extra: dict[str, Any] = {}
    if takes is not None:
        extra["requestBody"] = {"required": True, "content": {JSON: {"schema": _reference(takes)}}}
    return {
        "status_code": status,
        "response_class": Response,
        "response_model": None,
        "responses": responses,
        "openapi_extra": extra,
    }


def reply(value: Any, status: int = 200) -> Response:
    """A struct as JSON."""
    return Response(msgspec.json.encode(value), status, media_type=JSON)


def download(pieces: Iterator[bytes], name: str, form: Format) -> Response:
    """A file to keep, sent as it is read."""
    headers = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    return StreamingResponse(pieces, media_type=MEDIA[form], headers=headers)


def body(kind: type[T]) -> Callable[[Request], Awaitable[T]]:
    """A dependency that reads the request's body as `kind`."""
    decoder = json_decoder(kind)

    async def read(request: Request) -> T:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise HTTPException(415, f"the body must be {JSON}")
        try:
            return decoder.decode(await request.body())
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise HTTPException(422, str(error)) from error

    return read


def parts_of(request: Request) -> Parts:
    """The console's parts."""
    parts: Parts = request.app.state.parts
    return parts


def caller_in(request: Request) -> Caller:
    """Who calls; a 401 where nobody is signed in."""
    caller = caller_of(request)
    if caller.who is None:
        raise HTTPException(401, "sign in first, or send a token", {"www-authenticate": "Bearer"})
    return caller


def needs(permission: Permission) -> Callable[[Request], Who]:
    """A dependency: the person, if they may do that."""

    def who(request: Request) -> Who:
        found = caller_in(request).who
        assert found is not None
        found.need(permission)
        return found

    return who


WithParts = Annotated[Parts, Depends(parts_of)]
Signed = Annotated[Caller, Depends(caller_in)]


def install(app: FastAPI) -> None:
    """Errors as answers, and the description of the API."""

    async def ours(_: Request, error: Exception) -> Response:
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 422)
        found = reply(Problem(str(error)), status)
        if isinstance(error, TooOftenError):
            found.headers["retry-after"] = str(max(1, round(error.wait_s)))
        return found

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)
        found = reply(Problem(str(error.detail)), error.status_code)
        found.headers.update(error.headers or {})
        return found

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        said = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return reply(Problem(said), 422)

    async def away(_: Request, error: Exception) -> Response:
        return reply(Problem(f"the database is away: {type(error).__name__}"), 503)

    async def beyond(_: Request, error: Exception) -> Response:
        return reply(Problem("something in the request can be in no column of the database, as a zero byte"), 422)

    app.add_exception_handler(VedetteError, ours)
    app.add_exception_handler(StarletteHTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(OperationalError, away)
    app.add_exception_handler(DataError, beyond)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]


def _reference(kind: Any) -> dict[str, Any]:
    """The form of a struct by its name; of anything else as it is."""
    (found,), components = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    _documented.update(components)
    return dict(found)


def _described(app: FastAPI) -> dict[str, Any]:
    """OpenAPI with the structs' forms, and validation errors as they really look."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    _reference(Problem)
    components = schema.setdefault("components", {})
    components["schemas"] = dict(_documented)
    components["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": "vedette_session"},
        "token": {"type": "http", "scheme": "bearer"},
    }
    schema["security"] = [{"session": []}, {"token": []}]
    app.openapi_schema = schema
    return schema
