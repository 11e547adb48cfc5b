"""Subscriptions in scratch databases: CREATE DATABASE copies none, and DROP DATABASE stops at one.

They are kept for the whole server, each with the database it belongs to (manual: pg_subscription). Promises that a copied one is
made disabled and contacts no publisher, and that taking one away leaves its slot alone, which belongs to the original.
"""

from __future__ import annotations

from typing import Any

import psycopg

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.kinds import KINDS, Context
from reconciler.catalog.kinds.reading import HERE
from reconciler.catalog.kinds.subscription import SECRET_CONNECTION
from reconciler.catalog.scope import Scope
from reconciler.pg import Url, connect, ident, literal
from reconciler.run.placeholders import STANDIN, withheld

Connection = psycopg.Connection[Any]
_OWN = f"pg_catalog.pg_subscription as s where s.subdbid = {HERE}"


def copied(admin: Connection, template: Url, copy: Url) -> None:
    """Gives a scratch database the subscriptions of the one it was copied from."""
    row = admin.execute(
        "select count(*) from pg_catalog.pg_subscription as s join pg_catalog.pg_database as d on d.oid = s.subdbid"
        " where d.datname = %s",
        (template.database,),
    ).fetchone()
    if row is None or not row[0]:
        return
    with connect(template) as connection:
        found = catalog.read(connection, Scope(connections=readable(connection)))
    with connect(copy) as connection:
        context = Context(found, found, connection.info.user)
        for fact in found.by_kind.get("subscription", ()):
            for statement in KINDS["subscription"].create(fact, context, ()):
                connection.execute(withheld(statement.sql).encode())


def readable(connection: Connection) -> bool:
    """Whether this role may see connection strings."""
    row = connection.execute(
        "select pg_catalog.has_column_privilege('pg_catalog.pg_subscription', 'subconninfo', 'select')"
    ).fetchone()
    return bool(row and row[0])


def disarmed(database: Url, scope: Scope) -> None:
    """Of a dumped copy: nobody who enables one reaches the publisher, whose slot belongs to the original. Where connections are
    compared, only those that hold a secret are overwritten."""
    which = f" and {SECRET_CONNECTION}" if scope.connections else ""
    with connect(database) as connection:
        names = connection.execute(f"select s.subname from {_OWN}{which} order by 1".encode()).fetchall()
        for (name,) in names:
            connection.execute(f"alter subscription {ident(name)} connection {literal(STANDIN)}")


def removed(database: Url) -> None:
    """Takes them out of a scratch database (manual: DROP SUBSCRIPTION, Notes)."""
    with connect(database) as connection:
        names = connection.execute(f"select s.subname from {_OWN} order by 1".encode()).fetchall()
        for (name,) in names:
            connection.execute(f"alter subscription {ident(name)} disable")
            connection.execute(f"alter subscription {ident(name)} set (slot_name = none)")
            connection.execute(f"drop subscription {ident(name)}")
