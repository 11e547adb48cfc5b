"""What stands around the application: security headers on every answer, and no way in but by the addresses as they are written.

Names of databases and versions hold letters, digits and `. _ -` only, so that an address never needs an escape: what is escaped, climbs
up or is long is not found, and nothing that a proxy in front let pass is read as another address behind it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.web.answers import refusal

_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_PLAIN: Final = re.compile(rb"/(?:[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?")
_LONGEST: Final = 256
"""Bytes of an address: a name has 63."""


def guarded(app: ASGIApp, *, local: bool) -> ASGIApp:
    """`local` says that the server listens on this machine's own address only. Then it must be asked for by a name of this machine: a
    page from elsewhere whose name was made to point here (DNS rebinding) is sent away."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
        hosts = [value for key, value in scope["headers"] if key == b"host"]
        if local and not all(map(of_this_machine, hosts)):
            says = "this server listens on this machine only: ask for it as localhost, or let the proxy do so"
            await refusal(scope["path"], 421, says)(scope, receive, with_headers)
        elif len(path) > _LONGEST or not _PLAIN.fullmatch(path):
            await refusal(scope["path"], 404, "there is no such page")(scope, receive, with_headers)
        else:
            await app(scope, receive, with_headers)

    return wrapped


def of_this_machine(host: bytes) -> bool:
    """Whether a Host header, with or without a port, names the machine that reads it."""
    name = re.sub(r":\d*$", "", host.decode("latin-1")).strip("[]").rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
