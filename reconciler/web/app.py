"""The routes. Every page is made from one published value; no request of this room touches a database.

Promises: no page runs a script, nothing is loaded from elsewhere, whatever a database calls its objects is shown
and never interpreted. What a POST may ask for stands in `actions`, what keeps strangers out in `guard`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

import reconciler
from reconciler.model import MEANINGS, Status
from reconciler.web import actions as posts
from reconciler.web.answers import Refusal, json_answer, refusal
from reconciler.web.guard import guarded
from reconciler.web.metrics import registry
from reconciler.web.published import Published, severity, worst, worst_first
from reconciler.web.sides import attributes
from reconciler.web.view import STAGES, as_json, conditions, in_sync, moment, reached, rows, summary


def application(
    read: Callable[[], Published],
    *,
    actions: posts.Actions | None = None,
    token: posts.Token = lambda: None,
    local: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """The ASGI application over whatever `read` returns at the moment of a request. Whoever shows what `token` returns may have `actions`
    do something. `local` says that it is for this machine only; `clock` is monotonic."""
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
        meaning=lambda verb: MEANINGS.get(verb, verb),
        moment=moment,
        reached=reached,
        rows=rows,
        stages=STAGES,
    )
    metrics = registry(read)
    css = resources.files("reconciler").joinpath("style.css").read_bytes()

    pens = asyncio.Semaphore(2)

    async def page(name: str, **values: Any) -> HTMLResponse:
        """In a thread, and few at a time: a page of ten thousand differences must not keep /healthz waiting."""
        async with pens:
            text = await asyncio.to_thread(pages.get_template(name).render, **values)
        return HTMLResponse(text)

    def found(request: Request) -> Status:
        status = read().find(request.path_params["name"])
        if status is None:
            raise HTTPException(404)
        return status

    async def index(request: Request) -> Response:
        again = "again" in request.query_params
        return await page("index.html", statuses=worst_first(read().statuses), again=again)

    async def database(request: Request) -> Response:
        return await page("database.html", status=found(request))

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
        return json_answer({"format": 1, "databases": [as_json(s) for s in worst_first(read().statuses)]})

    async def api_database(request: Request) -> Response:
        return json_answer({"format": 1, **as_json(found(request))})

    async def failed(request: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        says = {404: "there is no such page", 405: "this address does not take that method"}.get(
            code, "failed"
        )
        if isinstance(error, Refusal):
            says = error.detail
        return refusal(request.url.path, code, says, getattr(error, "headers", None))

    routes = [
        Route("/", index),
        Route("/databases/{name}", database),
        Route("/style.css", style),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", exposition),
        Route("/api/v1/status", api_status),
        Route("/api/v1/databases/{name}", api_database),
        *posts.routes(actions, token),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: failed, Exception: failed})
    app.router.redirect_slashes = False
    return guarded(app, local=local)
