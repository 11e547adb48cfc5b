"""What a POST may ask for. This room checks who asks and what was sent, and hands it on; it decides nothing and touches no database.

Promises that nothing is done without the bearer token, which is read anew for each request (so that it can be rotated) and compared in
constant time; that a body is read only after that, up to a limit and for a limited time; that what is asked for runs in a thread of its
own, a few at a time, so that pages and metrics go on answering; and that no answer and no message holds anything of the token.

Failed tokens are not counted and nobody is locked out: a count by address locks out everybody behind the same proxy, one for all lets a
stranger lock out the owner. Instead a token that could be guessed is none: with 16 characters or more, and an answer per connection that
costs a round trip, trying does not lead anywhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from reconciler.errors import ReconcilerError, Stalled, Usage, Waiting
from reconciler.model import Json
from reconciler.pg import Secret
from reconciler.web.answers import Refusal, json_answer

BODY: Final = 16 * 1024
"""Bytes that a body may have."""
PATIENCE: Final = 10.0
"""Seconds until the whole body must have come."""
AT_ONCE: Final = 4
"""Actions that may be under way."""
SHORTEST: Final = 16
"""Characters of a token."""

Token = Callable[[], Secret | None]
Answer = Mapping[str, Json]


class Actions(Protocol):
    """Whoever does what is asked for. Each method is called in a thread that waits for nothing else, possibly several at once; it gives
    back what to answer, or None when there is no such database or version. `who` is who asks. Raises errors of our families: Usage becomes
    400, Stalled 409, Waiting 503."""

    def reconcile(self, database: str) -> Answer | None:
        """Asks for a pass; does not wait for it."""

    def suspend(self, database: str, reason: str, who: str) -> Answer | None: ...

    def resume(self, database: str, who: str) -> Answer | None: ...

    def approve(self, database: str, version: str, who: str, *, checksum: str = "") -> Answer | None:
        """Consents to the hazards of one pending file; with `checksum` only if the file is the one that has it."""


def routes(actions: Actions | None, token: Token) -> list[Route]:
    """The addresses that take a POST. Without `actions` or a token all of them refuse with 403."""
    busy = 0

    async def done(work: Callable[[], Answer | None]) -> Answer | None:
        nonlocal busy
        if busy >= AT_ONCE:
            raise Refusal(503, "too much is under way already: try again", {"retry-after": "5"})
        busy += 1
        try:
            return await _in_a_thread(work)
        finally:
            busy -= 1

    def route(path: str, act: Callable[[Actions, Request, _Sent], Answer | None], *keys: str, code: int = 200) -> Route:  # fmt: skip
        async def endpoint(request: Request) -> Response:
            if actions is None:
                raise _read_only()
            _require_token(request, token)
            sent = await _sent(request, keys)
            try:
                found = await done(lambda: act(actions, request, sent))
            except ReconcilerError as error:
                return _told(error)
            if found is None:
                raise Refusal(404, "there is no such database, or nothing of that version is pending")
            return json_answer({"format": 1, "database": request.path_params["name"], **found}, code)

        return Route(f"/api/v1/databases/{{name}}/{path}", endpoint, methods=["POST"])

    return [
        route("reconcile", lambda a, r, sent: a.reconcile(_name(r)), code=202),
        route("suspend", lambda a, r, sent: a.suspend(_name(r), sent.get("reason", ""), _who(r)), "reason"),
        route("resume", lambda a, r, sent: a.resume(_name(r), _who(r))),
        route(
            "plans/{version}/approve",
            lambda a, r, sent: a.approve(
                _name(r), r.path_params["version"], _who(r), checksum=sent.get("checksum", "")
            ),
            "checksum",
        ),
    ]


_Sent = Mapping[str, str]


def _read_only() -> Refusal:
    return Refusal(403, "no token is configured: this server is read-only", {"connection": "close"})


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _who(request: Request) -> str:
    """The address of the other end; behind a proxy it is the proxy's. What a header claims is not believed."""
    return f"http {request.client.host}" if request.client else "http"


def _require_token(request: Request, token: Token) -> None:
    """The body may be unread when this refuses: the connection ends with the answer."""
    try:
        wanted = token()
    except Usage:  # its message names a file of this machine, and who asks is a stranger yet
        raise Refusal(403, "the configured token cannot be read", {"connection": "close"}) from None
    if not wanted:
        raise _read_only()
    if len(wanted.reveal()) < SHORTEST:
        raise Refusal(
            403, f"the configured token has fewer than {SHORTEST} characters: it counts as none",
            {"connection": "close"},
        )  # fmt: skip
    given = [value for key, value in request.headers.raw if key == b"authorization"]
    scheme, _, shown = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    # Digests of one length: comparing texts would tell how long the right one is.
    right = hmac.compare_digest(_digest(shown.strip()), _digest(wanted.reveal().encode("utf-8", "replace")))
    if not right or scheme.lower() != b"bearer":
        raise Refusal(
            401, "this takes the bearer token", {"www-authenticate": "Bearer", "connection": "close"}
        )


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


async def _sent(request: Request, keys: tuple[str, ...]) -> _Sent:
    """The body: nothing, or a JSON object of texts."""
    try:
        body = await asyncio.wait_for(_body(request), PATIENCE)
    except TimeoutError:
        raise Refusal(408, "the body did not come in time", {"connection": "close"}) from None
    except ClientDisconnect:
        raise Refusal(400, "the body broke off", {"connection": "close"}) from None
    kind = request.headers.get("content-type")
    if (body or kind is not None) and (kind or "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "a body has to be application/json")
    if not body:
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Refusal(400, "the body has to be an object whose values are texts")
    if not found.keys() <= set(keys):
        raise Refusal(400, f"the body may hold {', '.join(keys) or 'nothing'}")
    return found


async def _body(request: Request) -> bytes:
    """Counted as it comes: what a header says of its length need not be true, and chunks have none."""
    length = request.headers.get("content-length", "")
    found = bytearray()
    if not length.isdecimal() or int(length[:20]) <= BODY:
        async for chunk in request.stream():
            found += chunk
            if len(found) > BODY:
                break
        else:
            return bytes(found)
    raise Refusal(413, f"the body may have {BODY} bytes", {"connection": "close"})


async def _in_a_thread(work: Callable[[], Answer | None]) -> Answer | None:
    """Not one of a pool: the end of the program waits for a pool's threads, and this may rehearse for minutes."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer | None] = loop.create_future()

    def tell(found: Answer | None, error: BaseException | None) -> None:
        if future.done():  # nobody waits any more
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(found)

    def run() -> None:
        found: Answer | None = None
        failed: BaseException | None = None
        try:
            found = work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failed = error
        with suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(tell, found, failed)

    threading.Thread(target=run, name="http-action", daemon=True).start()
    return await future


def _told(error: ReconcilerError) -> Response:
    code = {Usage: 400, Stalled: 409, Waiting: 503}
    found = next((number for family, number in code.items() if isinstance(error, family)), 500)
    headers = {"retry-after": "10"} if found == 503 else None
    return json_answer({"format": 1, "error": error.what, "hint": error.hint}, found, headers)
