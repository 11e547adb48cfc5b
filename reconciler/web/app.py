"""The routes. Every answer is made from one published value; no request touches a database.

Promises: no page runs a script, nothing is loaded from elsewhere, whatever a database calls its objects is shown
and never interpreted. POST is refused as long as no token can be configured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import reconciler
from reconciler.model import Status
from reconciler.web.metrics import registry
from reconciler.web.published import Published, severity, worst, worst_first
from reconciler.web.sides import attributes
from reconciler.web.view import as_json, conditions, in_sync, summary

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
_POSTS: Final = ("reconcile", "suspend", "resume", "plans/{version}/approve")


def application(read: Callable[[], Published], *, clock: Callable[[], float] = time.monotonic) -> ASGIApp:
    """The ASGI application over whatever `read` returns at the moment of a request. `clock` is monotonic."""
    pages = Environment(
        loader=PackageLoader("reconciler.web"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    pages.globals.update(
        version=reconciler.__version__,
        severity=severity,
        worst=worst,
        attributes=attributes,
        summary=summary,
        conditions=conditions,
        in_sync=in_sync,
    )
    metrics = registry(read)
    css = resources.files("reconciler.web").joinpath("style.css").read_bytes()

    def page(name: str, **values: Any) -> HTMLResponse:
        return HTMLResponse(pages.get_template(name).render(**values))

    def found(request: Request) -> Status:
        status = read().find(request.path_params["name"])
        if status is None:
            raise HTTPException(404)
        return status

    async def index(request: Request) -> Response:
        return page("index.html", statuses=worst_first(read().statuses))

    async def database(request: Request) -> Response:
        return page("database.html", status=found(request))

    async def style(request: Request) -> Response:
        return Response(css, media_type="text/css")

    async def healthz(request: Request) -> Response:
        if read().alive(clock()):
            return PlainTextResponse("ok\n")
        return PlainTextResponse("the loop has not reported in time\n", 503)

    async def readyz(request: Request) -> Response:
        if read().ready:
            return PlainTextResponse("ok\n")
        return PlainTextResponse("no observation yet\n", 503)

    async def exposition(request: Request) -> Response:
        return Response(generate_latest(metrics), headers={"content-type": CONTENT_TYPE_LATEST})

    async def api_status(request: Request) -> Response:
        return _json({"format": 1, "databases": [as_json(s) for s in worst_first(read().statuses)]})

    async def api_database(request: Request) -> Response:
        return _json({"format": 1, **as_json(found(request))})

    async def refuse(request: Request) -> Response:
        return _json({"format": 1, "error": "no token is configured: this server is read-only"}, 403)

    async def failed(request: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        says = {404: "there is no such page", 405: "this address does not take that method"}.get(
            code, "failed"
        )
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        if request.url.path.startswith("/api/"):
            return _json({"format": 1, "error": says}, code, headers)
        return PlainTextResponse(f"{says}\n", code, headers)

    routes = [
        Route("/", index),
        Route("/databases/{name}", database),
        Route("/style.css", style),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", exposition),
        Route("/api/v1/status", api_status),
        Route("/api/v1/databases/{name}", api_database),
        *(Route(f"/api/v1/databases/{{name}}/{verb}", refuse, methods=["POST"]) for verb in _POSTS),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: failed})
    app.router.redirect_slashes = False
    return _with_headers(app)


def _json(value: Any, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return Response(body, code, headers, media_type="application/json")


def _with_headers(app: ASGIApp) -> ASGIApp:
    """Every answer carries the security headers, errors included."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await app(scope, receive, with_headers)

    return wrapped
