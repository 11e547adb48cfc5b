"""What pydantic found wrong, in sentences with file and line (or variable, or option) and a suggestion.

Promises never to repeat a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ValidationError

from reconciler.errors import Source, Usage
from reconciler.settings.audit import Audit, AuditIdentity, Exemption
from reconciler.settings.document import Document, Place
from reconciler.settings.fields import closest
from reconciler.settings.model import SECTIONS, Config, GitSource

_WITHIN: Final[Mapping[Place, type[BaseModel]]] = {
    ("source",): GitSource,
    ("audit",): Audit,
    ("audit", "identities"): AuditIdentity,
    ("audit", "exemptions"): Exemption,
}
"""The sections inside that of a database."""


def explained(error: ValidationError, document: Document, labels: Mapping[Place, str]) -> Usage:
    """pydantic's findings in our words, all of them, the first as the message."""
    said: list[tuple[Source | None, str]] = []
    for finding in error.errors(include_url=False, include_input=True):
        place: Place = tuple(finding["loc"])
        key = str(place[-1]) if place else ""
        shown = ".".join(str(part) for part in place)
        if finding["type"] == "extra_forbidden":
            keys = _keys_at(place[:-1])
            # a colon forgotten after a key makes the value part of it
            named = f" {key}" if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", key) else ""
            says = f"unknown key{named}{closest(key, keys)}"
        elif finding["type"] == "missing":
            says = f"{shown} is missing"
        elif finding["type"] == "literal_error":
            known = tuple(re.findall(r"'([^']*)'", str(finding["ctx"]["expected"])))
            near = closest(finding["input"], known) if isinstance(finding["input"], str) else ""
            says = f"{shown} must be one of {', '.join(known)}{near}"
        elif finding["type"] == "value_error":
            says = f"{shown} {finding['ctx']['error']}"
        else:
            says = f"{shown}: {finding['msg'][0].lower()}{finding['msg'][1:]}"
        label = labels.get(place)
        said.append((None, f"{label}: {says}") if label else (document.source(place), says))
    source, first = said[0]
    more = "".join(f"\n{f'{where}: ' if where else ''}{says}" for where, says in said[1:])
    return Usage(first + more, hint="reconciler schema prints every key", sources=(source,) if source else ())


def _keys_at(place: Place) -> tuple[str, ...]:
    if not place:
        return tuple(Config.model_fields)
    section = SECTIONS.get(str(place[0]))
    if place[0] == "databases" and len(place) > 2:
        section = _WITHIN.get(tuple(part for part in place[2:] if isinstance(part, str)))
    return tuple(section.model_fields) if section else ()
