"""Many rows in one statement must come to what the same rows come to one by one; and ten thousand of them must go in at all.

The rows are one row of the world over and over, with other values in the columns of its keys, under two parents in turn where there are two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from reconciler.lab.alike import Canon
from reconciler.lab.drafts import parents
from reconciler.lab.material import Values, constant
from reconciler.lab.saved import columns, references, rows
from reconciler.lab.trials.bench import Bench, Firing, Tried
from reconciler.model import ObjectId
from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Relation

_FEW = 4
_DIGITS = 18
"""As many fit into a bigint."""


def in_bulk(bench: Bench, firing: Firing) -> Iterator[Tried]:
    """Inserts and updates of several rows at once."""
    relation = bench.material.catalogue.relations[firing.trigger.relation]
    if firing.event == "insert":
        insert = _turned(bench, firing, relation)
        at_once, each = [insert(1, _FEW)], [insert(n, n) for n in range(1, _FEW + 1)]
    elif firing.event == "update":
        at_once, each = _updates(bench, firing, relation)
    else:
        at_once, each = _deletes(bench, relation)
    if len(each) < 2:
        return
    name = f"{firing.event}: {len(each)} rows at once and one by one"
    given = firing.given if firing.event != "delete" else _bare(bench, relation)
    together, rows, trouble = _came(bench, firing, at_once, given)
    apart, others, more = _came(bench, firing, each, given)
    if trouble or more or rows != len(each) or others != len(each):
        says = f"no {len(each)} rows could be made: {trouble or more or 'not all are written'}"
        yield Tried(firing.trigger, name, "undecided", says, tuple(at_once))
        return
    for table in sorted(together.keys() | apart.keys()):
        if together.get(table) != apart.get(table):
            difference = _first(together.get(table, ()), apart.get(table, ()))
            says = f"{table} holds something else after one statement than after {len(each)}: {difference}"
            yield Tried(firing.trigger, name, "failed", says, (*at_once, *each), "bulk")
            return
    yield Tried(firing.trigger, name, "passed", "the same", tuple(at_once))
    same_table = [t for t in bench.triggers if t.relation == relation.oid and "insert" in t.events]
    if firing.event == "insert" and firing.trigger == same_table[0]:
        yield _many(bench, firing, insert(1, bench.bulk))


def _came(
    bench: Bench, firing: Firing, statements: Sequence[str], given: Sequence[str]
) -> tuple[dict[ObjectId, tuple[str, ...]], int, str]:
    """What the tables hold afterwards, how many rows were written, and what went wrong."""
    rows = 0
    written: dict[ObjectId, None] = {firing.trigger.table: None}
    with bench.undone(given):
        for sql in statements:
            came = bench.run(firing.identity, sql, firing.trigger)
            if came.failed:
                return {}, 0, came.message
            rows += came.rows
            written |= dict.fromkeys(id for id in came.written if id.kind == "table")
        return _state(bench, tuple(written)), rows, ""


def _many(bench: Bench, firing: Firing, sql: str) -> Tried:
    name = f"insert: {bench.bulk:,} rows"
    began = time.monotonic()
    with bench.undone(firing.given):
        came = bench.run(firing.identity, sql, firing.trigger)
        broken = () if came.failed else bench.invariants.broken(bench.connection)
    if came.failed:
        says = f"it fails: {came.message} [{came.sqlstate}]"
        return Tried(firing.trigger, name, "failed", says, (sql,), "bulk")
    if broken:
        return Tried(firing.trigger, name, "failed", "; ".join(map(str, broken)), (sql,), "invariant")
    return Tried(firing.trigger, name, "passed", f"{time.monotonic() - began:.1f} s", (sql,))


def _updates(bench: Bench, firing: Firing, relation: Relation) -> tuple[list[str], list[str]]:
    """Every row of the tenant in one statement, and each in its own."""
    change = firing.sql[: firing.sql.rindex(" where ")]
    conditions = [bench.material.found(relation, row, "update") for row in bench.material.rows(relation)]
    return [f"{change} where {_any(conditions)}"], [f"{change} where {one}" for one in conditions]


def _deletes(bench: Bench, relation: Relation) -> tuple[list[str], list[str]]:
    conditions = [bench.material.found(relation, row, "delete") for row in bench.material.rows(relation)]
    delete = f"delete from {relation.sql} as x where "
    return [delete + _any(conditions)], [delete + one for one in conditions]


def _bare(bench: Bench, relation: Relation) -> tuple[str, ...]:
    rows = bench.material.rows(relation)
    return tuple(sql for row in rows for sql in bench.material.away(relation, row, itself=False))


def _any(conditions: Sequence[str]) -> str:
    return " or ".join(f"({one})" for one in conditions)


def _turned(bench: Bench, firing: Firing, relation: Relation) -> Callable[[int, int], str]:
    """With the parents of two rows in turn where such rows go in; a statement that takes all its rows for children of one is found so."""
    first, *_, last = (*bench.material.rows(relation)[:1], *bench.material.rows(relation)[-1:])
    if parents(relation, first) != parents(relation, last):
        turned = _insert(bench, relation, parents(relation, first))
        if not _came(bench, firing, [turned(1, _FEW)], firing.given)[2]:
            return turned
    return _insert(bench, relation, {})


def _insert(bench: Bench, relation: Relation, others: Values) -> Callable[[int, int], str]:
    """`others` are the values that every second row has."""
    material = bench.material
    row = material.rows(relation)[-1]
    varied = _varied(bench, relation, row)
    for name in others:
        here, there = constant(relation, name, row), constant(relation, name, others)
        varied.setdefault(name, f"case g.n % 2 when 0 then {here} else {there} end")
    names = [name for name in material.stored(relation) if name in row]

    def insert(first: int, last: int) -> str:
        values = ", ".join(varied.get(name) or constant(relation, name, row) for name in names)
        columns = ", ".join(ident(name) for name in names)
        return f"insert into {relation.sql} ({columns}) select {values} from pg_catalog.generate_series({first}, {last}) as g (n)"

    return insert


def _varied(bench: Bench, relation: Relation, row: Values) -> dict[str, str]:
    """For each unique key one column that is another one in each row; texts of digits stay texts of digits."""
    found: dict[str, str] = {}
    made = bench.material.made.get(relation.oid, frozenset())
    pointing = {name for key in relation.keys for name in key.columns}
    generated = {c.name for c in relation.columns if c.generated}
    plain = [name for name in bench.material.stored(relation) if name not in pointing]
    for key in relation.unique:
        if made & set(key):
            continue
        own = [n for n in key if n not in pointing | generated] or (plain if generated & set(key) else [])
        free = [name for name in own if not (row.get(name) or "").isdecimal()]
        for name in own:
            alone = not any(_other(relation, other, row.get(other)) for other in free if other != name)
            if expression := _other(relation, name, row.get(name), alone=alone):
                found.setdefault(name, expression)
    return found


def _other(relation: Relation, name: str, text: str | None, *, alone: bool = True) -> str:
    """`alone`: nothing else tells the rows apart, so that digits become more of them rather than come again."""
    column = relation.column(name)
    if column is None or text is None:
        return ""
    kind = column.type
    value = constant(relation, name, {name: text})
    if kind.startswith(("text", "character varying", "citext")):
        if text.isdecimal():
            # lpad() would cut the last digits of a longer one off.
            number, length = f"({int(text)}::bigint + g.n)", str(len(text))
            if alone:
                length = f"greatest({length}, pg_catalog.length({number}::text))"
            elif len(text) < _DIGITS:
                number = f"({number} % {10 ** len(text)})"
            return f"pg_catalog.lpad({number}::text, {length}, '0')"
        return f"{value} || ' ' || g.n"
    if kind in ("smallint", "integer", "bigint") or kind.startswith("numeric"):
        return f"({value} + g.n + 20000)::{kind}" if kind != "smallint" else f"({value} + g.n)::smallint"
    if kind == "uuid":
        return "pg_catalog.gen_random_uuid()"
    if kind == "date":
        return f"({value} - g.n - 400)"
    if kind.startswith("timestamp"):
        return f"({value} - g.n * interval '1 minute')"
    return ""


def _state(bench: Bench, tables: tuple[ObjectId, ...]) -> dict[ObjectId, tuple[str, ...]]:
    known = {table: columns(bench.connection, table) for table in tables}
    canon = Canon(known, references(bench.connection), {}, datetime.now(UTC) - timedelta(minutes=10))
    found = {table: rows(bench.connection, table, known[table]) for table in tables}
    return {t: tuple(sorted(canon.outcome({t: found[t]}, (), found).splitlines())) for t in tables}


def _first(one: tuple[str, ...], other: tuple[str, ...]) -> str:
    apart = sorted(set(one) ^ set(other))
    return apart[0][:200] if apart else f"{len(one)} rows and {len(other)}"
