"""Expressions that PostgreSQL prints in one way and reads back in another.

`status in ('a', 'b')` over a varchar column is stored as one cast of the whole list and printed as
`(status)::text = ANY ((ARRAY['a'::character varying, …])::text[])`; reading that, PostgreSQL casts each element by itself, and a
definition made from it never equals the one it was taken from. Without the two casts it is stored as it was.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.model import Statement

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_ITEM = r"E?'(?:[^']|'')*'::character varying"
_ONE_OF = re.compile(
    rf"\((?P<value>{_NAME}(?:\.{_NAME})*)\)::text (?P<operator>\S+ (?:ANY|ALL)) "
    rf"\(\(ARRAY\[(?P<items>{_ITEM}(?:, {_ITEM})*)\]\)::text\[\]\)"
)
_VERBATIM = ("comment on ", "create or replace function", "create or replace procedure")
"""Statements that hold a person's own text."""


def faithful(statement: Statement) -> Statement:
    """The statement with such expressions written so that PostgreSQL stores them as they were printed."""
    sql = statement.sql
    if "])::text[])" not in sql or sql.startswith(_VERBATIM):
        return statement
    return replace(statement, sql=_ONE_OF.sub(r"\g<value> \g<operator> (ARRAY[\g<items>])", sql))
