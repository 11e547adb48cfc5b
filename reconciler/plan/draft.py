"""migra's proposal for the way from one database to another. The only file that knows migra.

migra runs here on psycopg alone: it wants a cursor that returns named rows and knows the server's version, and one function of
setuptools' `pkg_resources` to read its own query files. Privileges are left to the kinds, which also know column grants, grant
options and defaults. Promises nothing about the proposal: `adopt` and the rehearsal judge it.
"""

from __future__ import annotations

import importlib
import importlib.resources
import sys
import types
from typing import IO, Any

import psycopg
from psycopg.rows import namedtuple_row

from reconciler.pg import Url, connect

VERSION = "3.0.1663481299"


def draft(before: Url, after: Url, hidden: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """migra's statements, in its order, without semicolons. `hidden` schemas are left out.

    Both databases are scratch ones, read by a superuser: migra overlooks functions whose owner it is no member of. Raises
    DraftFailed when migra cannot describe the difference.
    """
    migra = _migra()
    with _open(before) as one, _open(after) as other:
        try:
            migration = migra.Migration(_Cursor(one), _Cursor(other), ignore_extension_versions=True)
            migration.set_safety(False)
            migration.add_all_changes(privileges=False)
            statements = [str(statement).strip().rstrip(";").strip() for statement in migration.statements]
        except _BREAKS as error:
            raise DraftFailed(f"migra failed: {type(error).__name__}: {error}".strip()) from error
    return tuple(s for s in statements if s and not any(f'"{schema}"' in s for schema in hidden))


_BREAKS = (
    psycopg.Error, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RuntimeError,
)  # fmt: skip
"""What migra has been seen to raise; a NotImplementedError is a RuntimeError."""


class DraftFailed(Exception):
    """migra could not write a draft. The message says why."""


class _Cursor:
    """What migra's inspector asks of its connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._cursor = connection.cursor(row_factory=namedtuple_row)
        self.connection = types.SimpleNamespace(server_version=connection.info.server_version)

    def execute(self, query: str) -> list[Any]:
        answer = self._cursor.execute(query.encode())
        return answer.fetchall() if answer.description else []


def _open(url: Url) -> psycopg.Connection[Any]:
    connection = connect(url)
    connection.execute("set search_path to ''")
    return connection


def _migra() -> Any:
    """The module, imported with a stand-in for the part of setuptools that newer versions no longer have."""
    if "migra" in sys.modules:
        return sys.modules["migra"]
    stand_in = types.ModuleType("pkg_resources")
    stand_in.resource_stream = _resource_stream  # type: ignore[attr-defined]
    real = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = stand_in
    try:
        return importlib.import_module("migra")
    finally:
        if real is None:
            del sys.modules["pkg_resources"]
        else:
            sys.modules["pkg_resources"] = real


def _resource_stream(package: str, path: str) -> IO[bytes]:
    module = sys.modules[package]
    home = package if hasattr(module, "__path__") else package.rpartition(".")[0]
    return importlib.resources.files(home).joinpath(path).open("rb")
