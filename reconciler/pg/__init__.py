"""Connections, quoting, and the one type for secrets. Knows PostgreSQL's wire and syntax, nothing of
schemas.
"""

from reconciler.pg import pooling
from reconciler.pg.connect import NEWEST, OLDEST, connect, major
from reconciler.pg.failures import connection_failure
from reconciler.pg.indent import indented
from reconciler.pg.notices import Notice, notices
from reconciler.pg.quote import dollar, ident, literal
from reconciler.pg.secret import MASK, Secret, scrub
from reconciler.pg.url import Url

__all__ = [
    "MASK",
    "NEWEST",
    "OLDEST",
    "Notice",
    "Secret",
    "Url",
    "connect",
    "connection_failure",
    "dollar",
    "ident",
    "indented",
    "literal",
    "major",
    "notices",
    "pooling",
    "scrub",
]
