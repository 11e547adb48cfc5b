"""What the daemon writes to standard error: one sentence a pass, for people or as JSON. Masks every password it knows.

A password that was read from a file and changed since is known too: whatever was asked for once is masked from then on.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, MutableMapping
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
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    tracebacks = [structlog.processors.format_exc_info] if log.format == "json" else []
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *tracebacks,
            _masked,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[log.level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _masked(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = scrub(value, *_known)
    return event
