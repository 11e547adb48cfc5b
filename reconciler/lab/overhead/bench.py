"""One trigger on the bench: rows for it, the statement that makes it fire, its times, and what would be cheaper."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import ReconcilerError, Stalled
from reconciler.lab.overhead import seen
from reconciler.lab.overhead.clock import clock_of
from reconciler.lab.overhead.contention import contended
from reconciler.lab.overhead.judge import superlinear
from reconciler.lab.overhead.measure import Bench
from reconciler.lab.overhead.parts import leaves
from reconciler.lab.overhead.set_based import rewritten
from reconciler.lab.overhead.statements import Statements, candidates
from reconciler.lab.overhead.stock import stocked
from reconciler.lab.overhead.values import Advice, Budget, Cost, Event, Scale, Size, Timed
from reconciler.model import ObjectId
from reconciler.pg import Url, connect, ident
from reconciler.shadow.scratch import Shadow

Connection = psycopg.Connection[TupleRow]
Told = Callable[[str], None]
ROWS = 10_000
_BESIDE = 2_000
"""Rows of the tables that a trigger reads and writes."""
_PARTS = 4
"""How many partitions are tried until one can be filled."""
_SIZES = (1, 10, 100, 1_000, 10_000)
_WORTH = 0.15
"""The share of a trigger's cost below which another form is not worth a word."""

_TRIGGERS = """
select n.nspname::text, c.relname::text, t.tgname::text, t.tgtype::int, t.tgenabled::text, c.relkind::text,
       coalesce((select pg_catalog.array_agg(a.attname::text order by a.attnum) from pg_catalog.unnest(t.tgattr) as u(n)
          join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = u.n), '{}'),
       fn.nspname::text, f.proname::text, f.prosrc, l.lanname::text, pg_catalog.pg_get_functiondef(f.oid), t.tgqual is null,
       t.tgnargs::int
  from pg_catalog.pg_trigger as t join pg_catalog.pg_class as c on c.oid = t.tgrelid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  join pg_catalog.pg_proc as f on f.oid = t.tgfoid join pg_catalog.pg_namespace as fn on fn.oid = f.pronamespace
  join pg_catalog.pg_language as l on l.oid = f.prolang
 where not t.tgisinternal and t.tgparentid = 0 and n.nspname !~ '^pg_' order by 1, 2, 3
"""
_OPTIONS = re.compile(r"\n LANGUAGE \S+(.*?)\nAS \$", re.DOTALL)
"""What pg_get_functiondef says between the language and the body: volatility, whose rights, settings."""
_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _INSTEAD = 1, 2, 4, 8, 16, 64
"""Bits of pg_trigger.tgtype (src/include/catalog/pg_trigger.h)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A trigger and one of its events, as the catalog has them."""

    trigger: ObjectId
    event: Event
    table: ObjectId
    row_level: bool
    before: bool
    enabled: bool
    partitioned: bool
    of: tuple[str, ...]
    routine: tuple[str, str]
    body: str
    language: str
    options: str
    simple: bool


@dataclass(slots=True)
class _Measured:
    timed: list[Timed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def subjects(connection: Connection) -> tuple[Subject, ...]:
    """Every trigger of a table, once for each of its events."""
    found = []
    for (schema, table, name, kind, enabled, relkind, of, routine_schema, routine, body, language, definition, unconditional,
         arguments) in connection.execute(_TRIGGERS).fetchall():  # fmt: skip
        if kind & _INSTEAD or relkind not in ("r", "p"):
            continue
        said = _OPTIONS.search(definition)
        options = said[1] if said else ""
        events: tuple[tuple[int, Event], ...] = (
            (_INSERT, "INSERT"),
            (_UPDATE, "UPDATE"),
            (_DELETE, "DELETE"),
        )
        for bit, event in events:
            if kind & bit:
                found.append(
                    Subject(
                        ObjectId("trigger", schema, table, name), event, ObjectId("table", schema, table), bool(kind & _ROW),
                        bool(kind & _BEFORE), enabled != "D", relkind == "p", tuple(of), (routine_schema, routine), body, language,
                        options, unconditional and not arguments,
                    )
                )  # fmt: skip
    return tuple(found)


def measured(
    shadow: Shadow,
    start: Url,
    subject: Subject,
    *,
    budget: Budget = Budget(),  # noqa: B008 - a value without state
    seconds: float = 25.0,
    seed: int = 0,
    told: Told = lambda stage: None,
) -> Cost:
    """All about one trigger and event, within about `seconds`, on a copy of `start` (a scratch database without rows)."""
    if not subject.enabled:
        return Cost(subject.trigger, subject.event, reason="it is switched off")
    if subject.partitioned and not subject.row_level:
        reason = "its table is partitioned, and a trigger for each statement does not fire on a partition"
        return Cost(subject.trigger, subject.event, reason=reason)
    tables: tuple[ObjectId, ...] = (subject.table,)
    if subject.partitioned:
        with connect(start, application_name="reconciler bench") as session:
            tables = leaves(session, subject.table)[:_PARTS]
    trouble = "" if tables else "its table is partitioned and has no partition"
    for table in tables:
        with shadow.copy(start) as database:
            try:
                chance = random.Random(seed)  # noqa: S311
                cost = _measured(
                    shadow, database, replace(subject, table=table), budget, seconds, chance, told
                )
            except (psycopg.Error, ReconcilerError) as error:
                trouble = trouble or str(error).strip().splitlines()[0]
                continue
        said = f"on the partition {table}: without what it costs to find the partition of a row"
        return replace(cost, notes=(said, *cost.notes)) if subject.partitioned else cost
    return Cost(subject.trigger, subject.event, reason=f"it could not be measured: {trouble}")


def _measured(
    shadow: Shadow,
    database: Url,
    subject: Subject,
    budget: Budget,
    seconds: float,
    chance: random.Random,
    told: Told,
) -> Cost:
    began = time.monotonic()
    with connect(database, application_name="reconciler bench") as session:
        session.execute("set jit to off")
        told("make rows")
        stock = stocked(session, subject.table, ROWS)
        clock, read = clock_of(session.info.backend_pid, here=shadow.own)
        bench = Bench(session, stock, subject.trigger.part, clock, read, (), chance)
        statements = _that_fires(bench, subject)
        touched = seen.touched(bench, statements)
        others = [
            one.relation
            for one in touched
            if one.relation not in (subject.table,) and one.relation.kind == "table"
        ]
        if any(one.scans for one in touched):
            told("make rows in what it reads")
            stock = stocked(session, subject.table, ROWS, dict.fromkeys(others, _BESIDE))
            bench.stock = stock
            statements = _that_fires(bench, subject)  # their rows are those that are set aside now
            touched = seen.touched(bench, statements)
        bench.tables = tuple(ident(table.schema, table.name) for table in others)
        notes = (
            []
            if stock.rows >= ROWS
            else [f"{stock.rows:,} rows instead of {ROWS:,}: its keys and checks leave no more"]
        )
        timed = []
        left = max(seconds - (time.monotonic() - began), 5.0)
        sizes: tuple[tuple[Size, float], ...] = (("single row", 0.35), ("bulk", 0.35))
        for size, share in sizes:
            told(f"time it: {size}")
            timed.append(bench.timed(statements, size, budget.of(size), seconds=left * share))
        told("more and more rows")
        scale = _scale(bench, statements)
        functions = seen.calls(bench, statements, min(1_000, stock.rows))
        whole = seen.read_whole(bench, statements, touched)
        views = _views(session, {subject.table, *others})
        plans = seen.plans(bench, statements, min(1_000, stock.rows), views)
        told("another form")
        advice = list(_advice(bench, subject, statements, timed, whole, left * 0.15))
        told("several sessions")
        contention = contended(database, bench, statements, sessions=4, seconds=min(1.0, left * 0.05))
    if contention.off and contention.on < contention.off / 2 and contention.waits > contention.looks / 2:
        advice.append(
            Advice(f"{contention.sessions} sessions that write at once wait for each other: {contention.on:,.0f} statements a second"
                   f" instead of {contention.off:,.0f}; let each add a row of its own, and sum up when reading", 0.0)
        )  # fmt: skip
    return Cost(
        subject.trigger,
        subject.event,
        tuple(timed),
        scale,
        contention,
        functions,
        whole,
        plans,
        tuple(advice),
        notes=tuple(notes),
    )


def _that_fires(bench: Bench, subject: Subject) -> Statements:
    trouble = ""
    for statements in candidates(bench.session, bench.stock, subject.event, subject.of):
        try:
            if seen.calls(bench, statements, 1):
                return statements
        except psycopg.Error as error:
            trouble = trouble or str(error).strip().splitlines()[0]
    raise Stalled(
        f"no {subject.event} on {subject.table} made it fire" + (f": {trouble}" if trouble else ""),
    )


def _scale(bench: Bench, statements: Statements) -> Scale:
    there = bench.stock.rows if statements.event == "INSERT" else bench.stock.staying
    points = tuple(
        (rows, bench.added(statements, rows, 5 if rows < 10_000 else 3)) for rows in _SIZES if rows <= there
    )
    return Scale(points, superlinear(points))


def _views(session: Connection, tables: set[ObjectId]) -> tuple[ObjectId, ...]:
    """The materialized views that read these tables themselves."""
    rows = session.execute(
        "select distinct vn.nspname::text, v.relname::text, n.nspname::text, c.relname::text from pg_catalog.pg_depend as d"
        " join pg_catalog.pg_rewrite as r on r.oid = d.objid and d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass"
        " join pg_catalog.pg_class as v on v.oid = r.ev_class and v.relkind = 'm'"
        " join pg_catalog.pg_namespace as vn on vn.oid = v.relnamespace"
        " join pg_catalog.pg_class as c on c.oid = d.refobjid and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
        " join pg_catalog.pg_namespace as n on n.oid = c.relnamespace order by 1, 2"
    ).fetchall()
    found = {
        ObjectId("materialized_view", schema, name)
        for schema, name, table_schema, table in rows
        if ObjectId("table", table_schema, table) in tables
    }
    return tuple(sorted(found))


def _advice(
    bench: Bench,
    subject: Subject,
    statements: Statements,
    timed: Sequence[Timed],
    whole: Sequence[str],
    seconds: float,
) -> Iterator[Advice]:
    for table in whole:
        yield Advice(
            f"for each row it reads all of {table}: an index over what it looks for there is missing", 0.0
        )
    bulk = next((one for one in timed if one.size == "bulk"), None)
    if (
        bulk is None
        or not subject.row_level
        or subject.before
        or subject.partitioned
        or not subject.simple
        or subject.language != "plpgsql"
    ):
        return
    other = rewritten(
        subject.table.schema,
        subject.table.name,
        subject.trigger.part,
        subject.event,
        subject.routine,
        subject.body,
        subject.options,
    )
    if other is None or bulk.added <= 0:
        return
    session = bench.session
    session.execute(other.function)
    session.execute(other.trigger)
    session.execute(bench.switched(False))
    try:
        per_statement = Bench(
            session, bench.stock, other.name, bench.clock, bench.read, bench.tables, bench.chance
        ).timed(statements, "bulk", bulk.budget, seconds=max(seconds, 1.0))
    finally:
        session.execute(f"drop trigger {ident(other.name)} on {bench.stock.sql}")
        session.execute(bench.switched(True))
    saves = 1 - per_statement.added / bulk.added
    if saves > _WORTH and per_statement.estimate.high < bulk.estimate.low:
        yield Advice(
            f"for each statement it costs {per_statement.added:.2f} µs a row instead of {bulk.added:.2f}"
            f" ({bulk.rows:,} rows at once: {per_statement.estimate.share:+.0%} instead of {bulk.estimate.share:+.0%})",
            saves, other.sql,
        )  # fmt: skip
