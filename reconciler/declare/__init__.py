"""Declarations: files under `schema/` become SQL statements that know where they were written.

Knows YAML, SQL's surface and the author's hints. Never connects to a database: what a declaration means is for
PostgreSQL to say.
"""

from reconciler.declare.json_schema import json_schema
from reconciler.declare.read import content, read, read_file
from reconciler.declare.roles import roles_named
from reconciler.declare.sql_file import read_sql, split
from reconciler.declare.values import (
    Budget,
    Declarations,
    DeclaredFile,
    DeclaredStatement,
    Invariant,
    Rename,
    TriggerDesign,
)

__all__ = [
    "Budget",
    "Declarations",
    "DeclaredFile",
    "DeclaredStatement",
    "Invariant",
    "Rename",
    "TriggerDesign",
    "content",
    "json_schema",
    "read",
    "read_file",
    "read_sql",
    "roles_named",
    "split",
]
