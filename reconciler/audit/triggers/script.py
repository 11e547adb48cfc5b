"""What was seen, again, as SQL for psql: on a copy of the schema, or of the database, as superuser.

Promises one transaction that is rolled back: the rows that are needed are put in with triggers off, then the request is made as its role with
its claims, and the last line printed begins with LEAK or STARVED when it happens there, too. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.audit.attempt import acting, quietly
from reconciler.audit.triggers.stage import Stage
from reconciler.audit.triggers.tries import Try
from reconciler.model import ObjectId
from reconciler.pg import dollar, ident, literal
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.values import Identity, Row, Side

_BEFORE = "reconciler_before"


def crossing(
    stage: Stage, identity: Identity, attack: Try, touched: Iterable[ObjectId], table: ObjectId, says: str
) -> str:
    """Prints LEAK when the statement, or what it fires, added, changed or removed a row of B in `table`."""
    owned = stage.world.tenancy.tables[table]
    keys = ", ".join(literal(key) for key in (stage.world.keys["B"], *stage.world.users["B"]))
    of_b = f"{_every(table)} where {owned.owner} in ({keys})"
    return _script(
        stage,
        [f"{identity.name} {attack.says}.", says],
        {*touched, table},
        [
            *quietly(attack.setup),
            f"create temporary table {_BEFORE} on commit drop as {of_b}",
            *_request(stage, identity, attack.sql),
            _printed("LEAK", says, f"exists {_changed(_BEFORE, of_b)}"),
        ],
    )


def starved(
    stage: Stage,
    identity: Identity,
    attack: Try,
    touched: Iterable[ObjectId],
    table: ObjectId,
    op: str,
    says: str,
) -> str:
    """Prints STARVED when the statement changes rows of `table` without row-level security, and none with it."""
    secured = [r for r in stage.catalogue.relations.values() if r.secured and r.kind in ("r", "p")]
    rows = _every(table)
    moved = f"(select count(*) from {_changed(_BEFORE, rows)} as d)"
    return _script(
        stage,
        [f"{identity.name} {attack.says}.", says],
        {*touched, table},
        [
            *quietly(attack.setup),
            f"create temporary table {_BEFORE} on commit drop as {rows}",
            "savepoint bound",
            *[f"alter table {relation.sql} disable row level security" for relation in secured],
            *_request(stage, identity, attack.sql),
            f"select {moved} as unbound \\gset",
            "rollback to savepoint bound",
            *_request(stage, identity, attack.sql),
            f"select {moved} as bound \\gset",
            _printed("STARVED", says, ":unbound > :bound"),
        ],
        sides=("A",),
    )


def tampering(
    stage: Stage,
    identity: Identity,
    attack: Try,
    touched: Iterable[ObjectId],
    table: ObjectId,
    sql: str,
    says: str,
) -> str:
    """Prints LEAK when `sql`, done by the same identity after the statement, changes the rows of `table`."""
    rows = _every(table)
    return _script(
        stage,
        [f"{identity.name} {attack.says}, and then does the same to the log.", says],
        {*touched, table},
        [
            *quietly(attack.setup),
            *_request(stage, identity, attack.sql),
            f"create temporary table {_BEFORE} on commit drop as {rows}",
            *_request(stage, identity, sql),
            _printed("LEAK", says, f"exists {_changed(_BEFORE, rows)}"),
        ],
    )


def disclosing(
    stage: Stage,
    identity: Identity,
    attack: Try,
    touched: Iterable[ObjectId],
    tables: Iterable[ObjectId],
    words: Sequence[str],
    says: str,
) -> str:
    """Prints LEAK when one of the words of B's is afterwards in a row where it was not, or in the error that the statement ends with."""
    wanted = sorted(set(tables))
    found = " or ".join(f"pg_catalog.strpos({{0}}, {literal(word)}) > 0" for word in words)
    if wanted:
        before = [
            f"create temporary table {_BEFORE}_{n} on commit drop as {_every(t)}"
            for n, t in enumerate(wanted)
        ]
        tests = [
            f"exists (select from ({_every(table)} except all table {_BEFORE}_{n}) as d where {found.format('d.row::text')})"
            for n, table in enumerate(wanted)
        ]
        steps = [*before, *_request(stage, identity, attack.sql), _printed("LEAK", says, " or ".join(tests))]
    else:
        body = (
            "\ndeclare said text; detail text; hint text;\nbegin\n"
            f"  execute {dollar(attack.sql, 'attack')};\n  set constraints all immediate;\n"
            "exception when others then\n"
            "  get stacked diagnostics said = message_text, detail = pg_exception_detail, hint = pg_exception_hint;\n"
            "  perform pg_catalog.set_config('reconciler.said', pg_catalog.concat_ws(' | ', said, detail, hint), true);\nend\n"
        )
        test = found.format("pg_catalog.current_setting('reconciler.said', true)")
        steps = [*_request(stage, identity, f"do {dollar(body, 'leak')}"), _printed("LEAK", says, test)]
    return _script(
        stage,
        [f"{identity.name} {attack.says}.", says],
        {*touched, *wanted, *_read_by(stage)},
        [*quietly(attack.setup), *steps],
    )


def _read_by(stage: Stage) -> Iterable[ObjectId]:
    """Every table: what a trigger looked up before it failed is not counted."""
    return (relation.id for relation in stage.catalogue.tables)


def calling(
    stage: Stage,
    identity: Identity,
    call: str,
    setup: Sequence[str],
    tables: Iterable[ObjectId],
    shown: Sequence[str],
    says: str,
) -> str:
    """Prints LEAK when a call changes rows of `tables`, or returns one of the texts in `shown`."""
    wanted = sorted(set(tables))
    rows = [_every(table) for table in wanted]
    before = [
        f"create temporary table {_BEFORE}_{n} on commit drop as {every}" for n, every in enumerate(rows)
    ]
    tests = [f"exists {_changed(f'{_BEFORE}_{n}', every)}" for n, every in enumerate(rows)]
    found = " or ".join(f"pg_catalog.strpos(x, {literal(text)}) > 0" for text in shown)
    made = f"select {literal(f'LEAK: {says}')} from ({call}) as a (x) where {found}" if shown else call
    return _script(
        stage,
        [f"{identity.name}: {call}", says],
        {relation.id for relation in stage.catalogue.tables},
        [
            *quietly(setup),
            *before,
            *_request(stage, identity, made),
            *([_printed("LEAK", says, " or ".join(tests))] if tests else ()),
        ],
    )


def _every(table: ObjectId) -> str:
    """Each row with its place, so that an update to the same values is seen as well."""
    return f"select x.tableoid as held, x.ctid::text as place, pg_catalog.to_jsonb(x) as row from {ident(table.schema, table.name)} as x"


def _changed(before: str, rows: str) -> str:
    """What is in the table `before` and not among `rows` as they are now, or the other way round; each row stands there with its place."""
    return f"((table {before} except all {rows}) union all ({rows} except all table {before}))"


def _request(stage: Stage, identity: Identity, sql: str) -> list[str]:
    return [acting(identity, stage.settings), sql, "set constraints all immediate", "set local role none"]


def _printed(word: str, says: str, condition: str) -> str:
    return (
        f"select case when {condition} then {literal(f'{word}: {says}')} else 'not reproduced' end as verdict"
    )


def _script(
    stage: Stage,
    comments: Sequence[str],
    touched: Iterable[ObjectId],
    statements: Sequence[str],
    sides: Sequence[Side] = ("A", "B"),
) -> str:
    lines = [f"-- {line}" for text in comments for line in text.splitlines()]
    lines += [
        "-- Run by psql as a superuser on a copy of the schema, or of production; it leaves nothing behind but steps of sequences."
    ]
    lines += [
        "\\set ON_ERROR_STOP on",
        "\\set VERBOSITY terse",
        "\\pset format unaligned",
        "\\pset tuples_only on",
    ]
    lines += ["\\pset pager off", "begin;"]
    lines += ["set local session_replication_role = replica;", "set local timezone = 'UTC';"]
    for table in _with_parents(stage, touched):
        for rows in (stage.world.shared, *(stage.world.rows[side] for side in sides)):
            lines += [_row(stage, table, row) for row in rows.get(table, ())]
        for name, value in stage.sequences.get(stage.relation(table).oid, ()):
            lines.append(
                f"select from pg_catalog.setval({literal(name)}, greatest({value}, (select last_value from {name})));"
            )
    lines.append("set local session_replication_role = origin;")
    lines += [statement if statement.endswith("\\gset") else f"{statement};" for statement in statements]
    return "\n".join([*lines, "rollback;", ""])


def _row(stage: Stage, table: ObjectId, row: Row) -> str:
    relation = stage.relation(table)
    names = [column.name for column in relation.columns if column.name in row.values and not column.generated]
    columns = ", ".join(ident(name) for name in names)
    values = ", ".join("null" if (value := row.values[name]) is None else literal(value) for name in names)
    return f"insert into {relation.sql} ({columns}) overriding system value values ({values}) on conflict do nothing;"


def _with_parents(stage: Stage, touched: Iterable[ObjectId]) -> list[ObjectId]:
    """The tables themselves and all that they point to, which say whose their rows are; partitions by the table above them."""
    wanted = set(touched)
    start = (r.oid for r in stage.catalogue.relations.values() if r.id in wanted)
    found = stage.catalogue.followed(start, _parents)
    return sorted(relation.id for relation in found if not relation.partition)


def _parents(relation: Relation) -> Iterable[int]:
    return [relation.above] if relation.partition else [key.target for key in relation.keys]
