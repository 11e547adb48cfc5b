"""Names and texts as SQL, exactly as the server's own `quote_ident` and `quote_literal` would write them.

Promises safe SQL under `standard_conforming_strings` on and off. Never looks at a connection: the reserved
words of all supported versions are in `keywords.py`, so that SQL made for one major is also right on the
next.
"""

from __future__ import annotations

import re

from reconciler.pg.keywords import RESERVED

_BARE = re.compile(r"[a-z_][a-z0-9_]*\Z")


def ident(*parts: str) -> str:
    """A name, quoted only where PostgreSQL would quote it; parts are joined with dots.

    Empty parts are left out, so that `ident(schema, name)` also serves for what lives outside schemas.
    """
    names = [part for part in parts if part]
    if not names:
        raise ValueError("a name needs at least one character")
    return ".".join(_one(name) for name in names)


def literal(text: str) -> str:
    """A string constant. With a backslash it is an E'' constant: the same text whatever the server's
    setting.
    """
    _refuse_nul(text)
    inner = text.replace("'", "''")
    return "E'" + inner.replace("\\", "\\\\") + "'" if "\\" in text else f"'{inner}'"


def dollar(body: str, tag: str = "") -> str:
    """`body` between dollar quotes, with `tag` or the next like it that does not occur in the body.

    A body that *ends* like the beginning of the closing quote (`…$`) would close one character early, so the
    search is made in body and closing quote together.
    """
    _refuse_nul(body)
    if tag and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", tag):
        raise ValueError(f"not a dollar-quote tag: {tag!r}")
    delimiter, number = f"${tag}$", 0
    while (body + delimiter).index(delimiter) != len(body):
        number += 1
        delimiter = f"${tag or 'body'}{number}$"
    return delimiter + body + delimiter


def _one(name: str) -> str:
    _refuse_nul(name)
    if _BARE.match(name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def _refuse_nul(text: str) -> None:
    if "\0" in text:
        raise ValueError("PostgreSQL cannot hold the character NUL in a name or text")
