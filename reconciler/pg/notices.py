"""What the server says beside its answers: NOTICE, WARNING, INFO.

psycopg hands notices to handlers and prints none; this collects them for as long as somebody wants to read
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.errors import Diagnostic


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. `severity` is never localised: NOTICE, WARNING, INFO, LOG, DEBUG; `code` is the
    SQLSTATE.
    """

    severity: str
    code: str
    message: str
    detail: str = ""
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.severity}: {self.message}"


@contextmanager
def notices(connection: psycopg.Connection[Any]) -> Iterator[list[Notice]]:
    """Collects what `connection` is told inside the `with` block, in order, into the list it yields."""
    collected: list[Notice] = []

    def receive(said: Diagnostic) -> None:
        collected.append(
            Notice(
                severity=said.severity_nonlocalized or said.severity or "NOTICE",
                code=said.sqlstate or "",
                message=said.message_primary or "",
                detail=said.message_detail or "",
                hint=said.message_hint or "",
            )
        )

    connection.add_notice_handler(receive)
    try:
        yield collected
    finally:
        connection.remove_notice_handler(receive)
