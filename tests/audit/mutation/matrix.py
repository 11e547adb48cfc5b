"""Brute force: who sees, changes, adds and removes which rows of the other tenant, asked of PostgreSQL row by row.

Shares the made-up world with the audit, and nothing else: no attack, no rule. A fact is something that an identity of A reached in the
world with B and could not have in the world without; two schemas with the same facts are equivalent.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from catalog import PLATFORM, SCHEMAS
from psycopg import sql

from reconciler.model import ObjectId
from reconciler.pg import Url, connect, ident
from reconciler.shadow.tenants.values import Identity, World

Fact = tuple[str, ...]
State = dict[tuple[str, str], str]
"""(table, the row with its xmin) → whose it is."""


class Bench:
    """One database of a world, with a superuser's session in it."""

    def __init__(self, session: psycopg.Connection, world: World) -> None:
        self.session = session
        self.tables = {
            ident(id.schema, id.name): owned
            for id, owned in world.tenancy.tables.items()
            if id.schema not in PLATFORM
        }
        self.theirs = {world.keys["B"], *world.users["B"]} - {world.keys["A"], *world.users["A"]}
        parts = [
            f"select {sql.Literal(name).as_string(session)}, x::text || ' ' || x.xmin::text, ({owned.owner or 'null'})::text from only {name} as x"
            for name, owned in self.tables.items()
            if not self._partitioned(name)
        ]
        self._state = " union all ".join(parts)
        self.base = self.state()

    def _partitioned(self, name: str) -> bool:
        row = self.session.execute(
            "select relkind = 'p' from pg_class where oid = %s::regclass", (name,)
        ).fetchone()
        return bool(row and row[0])

    def state(self) -> State:
        return {(table, row): owner for table, row, owner in self.session.execute(self._state).fetchall()}

    def touched(self) -> set[tuple[str, str]]:
        """Rows of B that are gone or changed, and rows that have become B's, as (table, what)."""
        now = self.state()
        gone = {
            ("gone", table)
            for (table, row), owner in self.base.items()
            if owner in self.theirs and (table, row) not in now
        }
        new = {
            ("new", table)
            for (table, row), owner in now.items()
            if owner in self.theirs and (table, row) not in self.base
        }
        return gone | new


def facts(world: World, both: Url, alone: Url) -> frozenset[Fact]:
    """What identities of A reach of B in `both`, a copy of the world's database with the schema that is to be judged; `alone` is the same
    without B."""
    acting = [one for one in world.identities if "B" not in one.sides and not one.name.startswith("owner")]
    with connect(both) as there, connect(alone) as here:
        bench, other = Bench(there, world), Bench(here, world)
        found: set[Fact] = set()
        for identity in acting:
            found |= {
                ("see", identity.name, *one)
                for one in _seen(there, identity, world.keys["B"]) - _seen(here, identity, world.keys["B"])
            }
            found |= {
                ("call", identity.name, *one)
                for one in _called(bench, world, identity) - _called(other, world, identity)
            }
            if not identity.bypasses:
                found |= {("write", identity.name, *one) for one in _written(bench, world, identity)}
        return frozenset(found)


@contextmanager
def _undone(session: psycopg.Connection) -> Iterator[None]:
    with session.transaction(force_rollback=True):
        yield


def _become(session: psycopg.Connection, identity: Identity) -> None:
    for name, value in identity.settings.items():
        session.execute("select set_config(%s, %s, true)", (name, value))
    session.execute(f"set local role {ident(identity.role)}".encode())


def _try(session: psycopg.Connection, statement: str) -> list[tuple] | None:
    """Its rows, an empty list where it gives none, None where it is refused."""
    try:
        with session.transaction():
            cursor = session.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []
    except psycopg.Error:
        return None


def _relations(session: psycopg.Connection) -> list[str]:
    return [
        name for (name,) in session.execute(
            "select format('%I.%I', n.nspname, c.relname) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1"
        ).fetchall()
    ]  # fmt: skip


def _seen(session: psycopg.Connection, identity: Identity, key: str) -> set[tuple[str, str]]:
    """Row by row, also without any claim and with what a user may write into their own."""
    found = set()
    for relation in _relations(session):
        columns = _columns(session, relation)
        for settings in _ways(identity, key):
            with _undone(session):
                for name, value in settings.items():
                    session.execute("select set_config(%s, %s, true)", (name, value))
                session.execute(f"set local role {ident(identity.role)}".encode())
                rows = _try(session, f"select x::text from {relation} as x")
                if rows is None:
                    for column in columns:
                        found |= {
                            (relation, f"{column}={v}")
                            for (v,) in _try(session, f"select {ident(column)}::text from {relation}") or []
                        }
                found |= {(relation, row[0]) for row in rows or []}
    return found


def _ways(identity: Identity, key: str) -> Iterator[dict[str, str]]:
    """As who they are; without claims; with the other tenant's key in the part of the token that users write."""
    yield dict(identity.settings)
    yield dict.fromkeys(identity.settings, "")
    claims = identity.settings.get("request.jwt.claims")
    if claims:
        forged = dict.fromkeys(("org_id", "workspace_id", "tenant_id"), key)
        yield {"request.jwt.claims": json.dumps({**json.loads(claims), "user_metadata": forged})}


def _columns(session: psycopg.Connection, relation: str) -> list[str]:
    return [
        name for (name,) in session.execute(
            "select attname::text from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''"
            " order by attnum", (relation,),
        ).fetchall()
    ]  # fmt: skip


def _written(bench: Bench, world: World, identity: Identity) -> set[Fact]:
    """What every command of theirs does to rows of B, with foreign keys and without."""
    session, found = bench.session, set()
    for id, owned in world.tenancy.tables.items():
        table = ident(id.schema, id.name)
        if id.schema in PLATFORM:
            continue
        columns = _columns(session, table)
        statements = [f"delete from {table}", f"truncate {table}", f"truncate {table} cascade"]
        statements += [f"update {table} set {ident(column)} = {ident(column)}" for column in columns]
        statements += [
            f"update {table} set {ident(column)} = {_quoted(key)}"
            for column in owned.columns
            for key in sorted(bench.theirs)
        ]
        for keyless, statement in itertools.product((False, True), statements):
            if keyless and statement.startswith("truncate"):
                continue  # that a key forbids it does not hang on the rows there are
            found |= {(statement, *one) for one in _effect(bench, identity, statement, keyless)}
        for statement, prepare in _inserts(world, id, columns):
            found |= {
                (f"insert into {table}", *one) for one in _effect(bench, identity, statement, True, prepare)
            }
    return found


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _inserts(world: World, id: ObjectId, columns: list[str]) -> Iterator[tuple[str, str]]:
    """Rows of B and of A, taken out and put in again: (the insert, what makes room for it)."""
    table = ident(id.schema, id.name)
    names = ", ".join(ident(column) for column in columns)
    for side in ("B", "A"):
        for row in world.rows[side].get(id, ())[:2]:
            held = {column: row.values.get(column) for column in columns}
            where = " and ".join(
                f"x.{ident(column)}::text is not distinct from {'null' if value is None else _quoted(value)}"
                for column, value in held.items()
            )
            values = ", ".join("null" if value is None else _quoted(value) for value in held.values())
            yield (
                f"insert into {table} ({names}) overriding system value values ({values})",
                f"delete from {table} as x where {where}",
            )


def _effect(
    bench: Bench, identity: Identity, statement: str, keyless: bool, prepare: str = ""
) -> set[tuple[str, str]]:
    session = bench.session
    with _undone(session):
        if keyless:
            _without_keys(session)
        if prepare:
            session.execute("set local session_replication_role = replica")
            session.execute(prepare.encode())
            session.execute("set local session_replication_role = origin")
            before, bench.base = bench.base, bench.state()
        with session.transaction():
            _become(session, identity)
            done = _try(session, statement)
            session.execute("reset role")
        touched = bench.touched() if done is not None else set()
        if prepare:
            bench.base = before
        return touched


def _without_keys(session: psycopg.Connection) -> None:
    for table, name in session.execute(
        "select conrelid::regclass::text, quote_ident(conname) from pg_constraint where contype = 'f' and conparentid = 0 order by 1, 2"
    ).fetchall():
        session.execute(f"alter table {table} drop constraint {name}".encode())


def _called(bench: Bench, world: World, identity: Identity) -> set[Fact]:
    """Every function they may call, with the keys of both tenants for its arguments: what comes back, and what becomes of B's rows."""
    session, found = bench.session, set()
    functions = session.execute(
        "select quote_ident(n.nspname) || '.' || quote_ident(p.proname), p.proargnames[1:p.pronargs], (select array_agg(format_type(t, null) order by o) from unnest(p.proargtypes) with"
        " ordinality as a(t, o)), p.pronargs, p.prosrc from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace where p.prokind = 'f' and p.prorettype <> 'trigger'::regtype"
        f" and {SCHEMAS} and has_function_privilege(%s, p.oid, 'execute') order by 1, 3",
        (identity.role,),
    ).fetchall()
    for name, arguments, types, count, body in functions:
        pools = [
            _pool(world, argument, type, body)
            for argument, type in zip(arguments or [""] * count, types or [], strict=True)
        ]
        for values in itertools.islice(itertools.product(*pools), 64):
            call = f"select x::text from {name}({', '.join(values)}) as x"
            with _undone(session):
                with session.transaction():
                    _become(session, identity)
                    rows = _try(session, call)
                    session.execute("reset role")
                if rows is None:
                    continue
                found |= {(name, *values, _known(world, str(row[0]))) for row in rows}
                found |= {(name, *values, *one) for one in bench.touched()}
    return found


def _known(world: World, text: str) -> str:
    """A result without the keys that were made up while the call ran."""
    known = {
        value
        for side in world.rows.values()
        for rows in side.values()
        for row in rows
        for value in row.values.values()
    }
    return re.sub(
        r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda m: m[0] if m[0] in known else "?", text
    )


def _pool(world: World, argument: str, type: str, body: str) -> list[str]:
    """A's and B's keys that an argument of this name may mean; all there are where it says nothing. A document holds one under each name that the body asks for."""
    if type in ("json", "jsonb"):
        names = set(re.findall(r"->>?\s*'(\w+)'", body))
        return [
            f"'{json.dumps(dict.fromkeys(names, key))}'::{type}"
            for key in ["", *_keys(world)]
            if names or not key
        ]
    if type in ("uuid", "bigint", "integer"):
        word = re.sub(r"^p_|_id$", "", argument or "")
        found = []
        for side in ("A", "B"):
            if word in ("org", "workspace", "tenant"):
                found.append(world.keys[side])
            elif word == "user":
                found.append(world.users[side][0])
            else:
                rows = [
                    rows[0]
                    for id, rows in world.rows[side].items()
                    if rows and len(word) > 2 and id.name.startswith(word)
                ]
                found += [str(row.values["id"]) for row in rows[:1] if row.values.get("id")]
        numeric = type != "uuid"
        found = found or [key for key in _keys(world) if key.isdecimal() == numeric]
        return [f"'{value}'::{type}" for value in found] or ["null"]
    pool = {"text": ["'x'", "''"], "date": ["'2026-03-01'"], "numeric": ["1"]}
    return pool.get(type, [f"'read'::{type}"] if type.endswith("level") else ["null"])


def _keys(world: World) -> list[str]:
    """The tenants' keys, their users', and that of the first row of each table."""
    found = [*world.keys.values(), *(users[0] for users in world.users.values() if users)]
    for rows in world.rows.values():
        found += [str(some[0].values["id"]) for some in rows.values() if some and some[0].values.get("id")]
    return list(dict.fromkeys(key for key in found if key))
