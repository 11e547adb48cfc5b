"""What the daemon writes to standard error: one sentence a pass, for people or as JSON. Masks every password it knows.

Whatever was read once is masked from then on, in finished lines, tracebacks included; those show no values of variables. A line
that cannot be written (a full disk, a reader that went) is lost and troubles nobody.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from reconciler.pg import Secret, scrub
from reconciler.settings import Log

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_known: set[Secret] = set()


def mask(secrets: Iterable[Secret]) -> None:
    """From now on these appear in no line."""
    _known.update(secret for secret in secrets if secret)


def configure(log: Log) -> None:
    """Sets up structlog for the process. Colour only on a terminal."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if log.format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
    )

    def rendered(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        return scrub(str(renderer(logger, method, event)), *tuple(_known))

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[log.level]),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )


class _Lines:
    """Writes a line to standard error, if that is possible."""

    def __init__(self, *names: Any) -> None:
        pass

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(message + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = msg
