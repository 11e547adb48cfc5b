"""The laws a pair of databases must keep, walked on a real server through the product's own planner.

Every pair: `compare(x, x)` is empty; a plan from nothing makes each state; up lands at the new state, up again changes nothing, down
lands at the old one, down again changes nothing, up lands once more; after each, planning again finds nothing to do; rows
stay where both states hold them. "Lands" is judged by our snapshot and by pg_dump. A pair that goes the *whole way* is also
planned and rehearsed with migra's draft (`reconciler.plan.build`). Never forgives anything but the refusals it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import psycopg
from grammar.world import Pair
from judge import difference, dump

from reconciler.catalog import snapshot
from reconciler.catalog.compare import compare, residue
from reconciler.catalog.kinds import Context, Unplannable
from reconciler.errors import Stalled
from reconciler.model import HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import Url, connect, ident, literal
from reconciler.plan.build import Bench, build
from reconciler.plan.complete import complete
from reconciler.run import steps
from reconciler.shadow.rehearse import Expected
from reconciler.shadow.scratch import Shadow

REFUSALS = {
    "needs its rows moved": r"would have to be .*, which needs its rows moved",
    "only inherited": r"would have to be only inherited, which PostgreSQL does to new columns only",
    "renames no inherited constraint": r"has another name, and PostgreSQL renames no inherited constraint",
    "changes its type with it": r"changes its type while .* does: do one first",
    "made of it": r"would have to be made anew, and .* is made of it",
    "array of a composite": r"is an array of type .*, which would have to be made anew",
    "made anew under it": r"needs .*, which would have to be made anew under it",
    "inside others": r"would get a new condition, and .* holds values of it inside others",
    "partitioned by it": r"would have to change, but .* is partitioned by it",
    "other parents": r"would have to be given other parents",
}
"""The reasons for which a plan may be refused, as its message says them."""

_DATA = frozenset({HazardCode.DEPENDS_ON_DATA, HazardCode.LOSSY_CAST})
_TYPES = ("composite", "enum", "domain", "range")
Rows = dict[tuple[str, str], list[tuple[object, ...]]]


@dataclass
class Verdict:
    """What became of a pair. `refused` is a key of REFUSALS; `left_out` counts statements PostgreSQL did not accept."""

    refused: str = ""
    bare: str = ""
    rows: int = 0
    statements: int = 0
    left_out: list[str] = field(default_factory=list)
    changes: int = 0
    share_of_migra: float | None = None


class Broken(AssertionError):
    """A law is broken."""


class ByData(Exception):
    """A statement that says it depends on the rows failed on them."""


@contextmanager
def made(admin: psycopg.Connection, url: Url, prefix: str) -> Iterator[Callable[[], Url]]:
    """Makes databases on the server at `url`, where `admin` is connected, and drops them at the end."""
    names: list[str] = []
    major = admin.info.server_version // 10000
    strategy = " strategy file_copy" if major >= 15 else ""

    def make() -> Url:
        names.append(f"{prefix}_{len(names)}")
        admin.execute(f"create database {ident(names[-1])} template template0{strategy}")
        return url.with_database(names[-1])

    try:
        yield make
    finally:
        for name in names:
            admin.execute(f"drop database if exists {ident(name)} with (force)")


def judged(pair: Pair, make: Callable[[], Url], shadow: Shadow | None = None) -> Verdict:
    """Asserts the laws for the pair. With a `shadow`, on the server where `make` makes databases, it goes the whole way."""
    verdict = Verdict(statements=len(pair.old) + len(pair.new))
    old, new, fresh = make(), make(), make()
    verdict.left_out = [*load(old, pair.old), *load(new, pair.new)]
    before, after, nothing = read(old), read(new), read(fresh)
    for side in (before, after):
        law(not side.unmodelled, f"not modelled: {side.unmodelled}")
        law(compare(side, side) == (), "a snapshot differs from itself")
    verdict.changes = len(compare(before, after))
    with ThreadPoolExecutor(2) as pool:
        dumps = list(pool.map(dump, (old, new)))
    goals = {"up": (after, dumps[1]), "down": (before, dumps[0])}
    _from_nothing(fresh, nothing, after, dumps[1])
    try:
        plans = {
            "up": complete(Context(before, after, old.user)),
            "down": complete(Context(after, before, old.user)),
        }
    except Unplannable as reason:
        verdict.refused = refusal(str(reason))
        return verdict
    law(
        bool(plans["up"]) == (dumps[0] != dumps[1]),
        "the plan and pg_dump disagree on whether there is a difference",
    )
    if shadow is not None:
        _the_whole_way(shadow, old, new, before, after, verdict)
    verdict.rows = plant(old)
    try:
        walk(old, plans, goals)
    except ByData as reason:
        # The schema can still be judged, without the rows.
        verdict.bare = str(reason)
        old = make()
        load(old, pair.old)
        walk(old, plans, goals)
    return verdict


def walk(
    url: Url, plans: dict[str, tuple[Statement, ...]], goals: dict[str, tuple[Snapshot, frozenset[str]]]
) -> None:
    before, after = goals["down"][0], goals["up"][0]
    with connect(url) as session:
        watched = common(before, after)
        rows = stored(session, watched)
        for number, way in enumerate(("up", "up", "down", "down", "up")):
            where = f"after {way}" + (" again" if number in (1, 3) else "")
            run(session, plans[way], where)
            wanted, printed = goals[way]
            # The second judge comes after both runs of a way, and after the one at the end.
            lands(session, url, wanted, printed if number in (1, 3, 4) else None, where)
            law(stored(session, watched) == rows, f"{where}: rows that both sides hold have changed", watched)


def lands(
    session: psycopg.Connection, url: Url, wanted: Snapshot, printed: frozenset[str] | None, where: str
) -> None:
    """The database is as wanted, so that planning again finds nothing to do."""
    if snapshot.read(session, depth="digests").fingerprint != wanted.fingerprint:
        raise Broken(f"{where}: {residue(snapshot.read(session), wanted)}")
    if printed is not None:
        differs = difference(dump(url), printed)
        law(not differs, f"{where}, pg_dump: {differs}")


def _from_nothing(fresh: Url, nothing: Snapshot, after: Snapshot, printed: frozenset[str]) -> None:
    with connect(fresh) as session:
        run(session, complete(Context(nothing, after, fresh.user)), "from nothing")
        lands(session, fresh, after, printed, "from nothing")


def _the_whole_way(
    shadow: Shadow, old: Url, new: Url, before: Snapshot, after: Snapshot, verdict: Verdict
) -> None:
    try:
        plan, rehearsal = build(Bench(shadow, old, new, Expected(before, after)))
    except Stalled as reason:
        law(False, f"build refuses what the kinds can plan: {reason}")
        return
    law(rehearsal.passed, f"rehearsed with migra's draft: {rehearsal.residue} {plan.set_aside}")
    verdict.share_of_migra = round(plan.share_of_migra, 2)


def law(holds: bool, says: str, *more: object) -> None:
    if not holds:
        raise Broken("\n".join([says, *map(str, more)]))


def refusal(reason: str) -> str:
    """The name of an allowed refusal; any other one breaks the law."""
    for name, pattern in REFUSALS.items():
        if re.search(pattern, reason):
            return name
    raise Broken(f"refused for a reason that is not documented: {reason}")


def read(url: Url) -> Snapshot:
    with connect(url) as session:
        return snapshot.read(session)


def load(url: Url, statements: Sequence[str]) -> list[str]:
    """Runs what PostgreSQL accepts; returns what it does not, each with the reason."""
    refused = []
    with connect(url) as session, session.transaction():
        for statement in statements:
            session.execute("savepoint one")
            try:
                session.execute(statement.encode())
            except psycopg.Error as error:
                refused.append(f"{str(error).splitlines()[0]} ← {statement}")
                session.execute("rollback to one")
            session.execute("release one")
    return refused


def run(session: psycopg.Connection, statements: Sequence[Statement], where: str) -> None:
    for step in steps(statements):
        with session.transaction() if step.transactional else nullcontext():
            for statement in step.statements:
                _execute(session, statement, where)


def _execute(session: psycopg.Connection, statement: Statement, where: str) -> None:
    try:
        session.execute(statement.sql.encode())
    except psycopg.Error as error:
        says = f"{where}: {statement.sql}\n→ {error}"
        if (error.sqlstate or "")[:2] in ("22", "23") and any(h.code in _DATA for h in statement.hazards):
            raise ByData(says) from error
        raise Broken(says) from error


def common(before: Snapshot, after: Snapshot) -> dict[tuple[str, str], list[str]]:
    """The columns that hold values on both sides, with the same type, of tables that hold rows of their own."""
    changed = {change.id for change in compare(before, after) if change.id.kind in _TYPES}
    found: dict[tuple[str, str], list[str]] = {}
    for id, fact in sorted(before.facts.items()):
        other = after.facts.get(id)
        if id.kind != "column" or other is None or fact["generated"] or other["generated"]:
            continue
        tables = [side.facts.get(ObjectId("table", id.schema, id.name)) for side in (before, after)]
        # Rows of a partitioned table are in its partitions; when it becomes another sort of table they move.
        if not all(tables) or any(table and table["partition_by"] for table in tables):
            continue
        if fact["type"] != other["type"] or _made_of(before, id, changed):
            continue
        found.setdefault((id.schema, id.name), []).append(id.part)
    return found


def _made_of(side: Snapshot, id: ObjectId, changed: set[ObjectId]) -> bool:
    """Whether the object needs one of these types, however far away."""
    ahead, seen = [id], set()
    while ahead:
        here = ahead.pop()
        if here in changed:
            return True
        seen.add(here)
        ahead += [need for need in side.edges.get(here, ()) if need.kind in _TYPES and need not in seen]
    return False


def stored(session: psycopg.Connection, columns: dict[tuple[str, str], list[str]]) -> Rows:
    """The rows as text, of each table by itself."""
    found: Rows = {}
    for (schema, name), names in columns.items():
        parts = ", ".join(f"{ident(column)}::text" for column in sorted(names))
        rows = session.execute(f"select {parts} from only {ident(schema, name)} order by 1")
        found[schema, name] = sorted(rows.fetchall(), key=repr)
    return found


_LEAVES = """
select c.oid::regclass::text,
       (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(pg_catalog.quote_ident(a.attname), b.typtype, b.typcategory, pg_catalog.format_type(b.oid, null),
                                           pg_catalog.format_type(a.atttypid, a.atttypmod), a.attidentity = 'a') order by a.attnum), '[]')
          from pg_catalog.pg_attribute as a
          join pg_catalog.pg_type as t on t.oid = a.atttypid
          join pg_catalog.pg_type as b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
 order by c.oid
"""
_VALUES = {
    "uuid": "'00000000-0000-0000-0000-00000000000{n}'", "jsonb": "'{{\"a\": {n}}}'", "bytea": "'\\x0{n}'", "inet": "'10.0.0.{n}'",
    "bit": "b'000{n}'", "boolean": "{n} > 1", "date": "'2020-01-0{n}'", "interval": "'{n} days'",
    "int4range": "'[{n},{n}]'", "tsvector": "'w{n}'",
}  # fmt: skip


def plant(url: Url, rows: int = 3) -> int:
    """Up to three rows in every table, where its constraints let them in; triggers and foreign keys are off meanwhile."""
    count = 0
    with connect(url) as session, session.transaction():
        session.execute("set local search_path to ''")
        session.execute("set constraints all immediate")
        session.execute("set local session_replication_role to replica")
        for table, columns in session.execute(_LEAVES).fetchall():
            names = ", ".join(column[0] for column in columns)
            for n in range(1, rows + 1):
                values = ", ".join(_value(n, *column[1:5]) for column in columns)
                try:
                    with session.transaction():
                        session.execute(
                            f"insert into {table} ({names}) overriding system value values ({values})".encode()
                            if columns else f"insert into {table} default values".encode()
                        )  # fmt: skip
                    count += 1
                except psycopg.Error:
                    continue
    return count


def _value(n: int, sort: str, category: str, base: str, type: str) -> str:
    if sort == "e":
        return f"(pg_catalog.enum_range(null::{base}))[1 + {n} % pg_catalog.array_length(pg_catalog.enum_range(null::{base}), 1)]::{type}"
    if base in _VALUES:
        text = _VALUES[base].format(n=n)
        return f"({text})::{type}" if n % 2 else (text if base in ("boolean", "bit") else f"{text}::{type}")
    if category == "N":
        return str(n)
    if category == "S":
        return f"{literal(f'v{n}')}::{type}" if "char(1)" not in type else "'v'"
    if category == "A":
        return f"'{{}}'::{type}"
    if category == "D":
        return f"'2020-01-0{n}'::{type}"
    return f"null::{type}"


__all__ = ["Broken", "Verdict", "judged", "made"]
