"""Answers, and refusals, as bytes. Knows nothing of what is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response


class Refusal(HTTPException):
    """Ends a request with a sentence of ours."""

    def __init__(self, code: int, says: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, says, dict(headers or {}))


def json_answer(value: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Compact JSON in UTF-8. A half of a surrogate pair, which a file name may hold, is escaped: it has no bytes of its own."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    try:
        content = body.encode()
    except UnicodeEncodeError:
        content = json.dumps(value, separators=(",", ":"), default=str).encode()
    return Response(content, code, headers, media_type="application/json")


def refusal(path: str, code: int, says: str, headers: Mapping[str, str] | None = None) -> Response:
    """As JSON to a program, as a line to a person."""
    if path.startswith("/api/"):
        return json_answer({"format": 1, "error": says}, code, headers)
    return PlainTextResponse(f"{says}\n", code, headers)
