"""A leak as a script for psql: on a copy of the schema without rows, as superuser, it prints a line that begins with LEAK.

Self-contained: it puts in the rows of the tables that the attack read or wrote and of those that they refer to, becomes the attacker,
attacks, looks, and takes everything back. On a schema that does not leak it prints no such line. Makes text; runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.audit.attacks.values import Outcome
from reconciler.audit.attempt import SETTINGS, acting
from reconciler.audit.scene import Scene, value
from reconciler.pg import dollar, ident, literal
from reconciler.shadow.tenants.catalogue import Relation

_AT_MOST = 40
"""Lines by which a leak is recognised."""


def script(scene: Scene, outcome: Outcome) -> str:
    """The whole file, for a leak."""
    attack, actor = outcome.attack, outcome.attack.by or outcome.identity
    written = _written(scene, outcome)
    tables = _involved(scene, outcome)
    parts = [
        f"-- {outcome.identity.name} {attack.does} ({attack.command} {attack.object}).".replace("\n", " "),
        "-- Run by psql as a superuser on a copy of the schema, or of production: it prints LEAK, and leaves nothing behind.",
        f"-- The server must have the role {actor.role}.",
        "\\set ON_ERROR_STOP off",
        "\\set VERBOSITY terse",
        "\\pset format unaligned",
        "\\pset tuples_only on",
        "\\pset pager off",
        "begin;",
        *(
            f"set local {name} = {literal(text)};"
            for name, text in SETTINGS.items()
            if not name.endswith("timeout")
        ),
        "-- Rows of two tenants, A and B, in the tables that matter.",
        "set local session_replication_role = replica;",
        *(_insertion(scene, table) for table in tables),
        *_sequences(scene, tables),
        *(f"refresh materialized view {view.sql};" for view in _views(scene, outcome)),
    ]
    if attack.setup:
        parts += ["-- What stands in the way of the attack, and is not about rights.", *_ended(attack.setup)]
    parts.append("set local session_replication_role = origin;")
    settings = () if attack.fresh else scene.both.settings
    asked = _question(scene, outcome) if outcome.shown and not written else ""
    sent = [(asked or attack.sql) + ";"]
    if outcome.shown and not written and not asked:
        sent = _given_back(scene, outcome) or [_caught(scene, outcome)]
    for someone, does in attack.before:
        if asked and attack.query and attack.query in does:  # prepared there, executed by the attacker
            does, sent = does.replace(attack.query, asked), [attack.sql + ";"]
        parts += [
            f"-- First {someone.name}.",
            "\\o /dev/null",
            *_ended([acting(someone, settings), does, "set local role none"]),
            "\\o",
        ]
    if written:
        parts.append(_before(written))
    parts += [
        "savepoint attack;",
        f"-- {actor.name} attacks.",
        acting(actor, settings) + ";",
        *sent,
        "\\if :ERROR",
        "  rollback to savepoint attack;",
        "  \\echo refused",
        "\\else",
        "  set constraints all immediate;",
        "  \\if :ERROR",
        "    rollback to savepoint attack;",
        "    \\echo refused",
        "  \\endif",
        "\\endif",
        "set local role none;",
        *(_check(scene, outcome, table) for table in written),
        "rollback;",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _ended(statements: Iterable[str]) -> Iterator[str]:
    return (f"{statement.rstrip(';')};" for statement in statements)


def _written(scene: Scene, outcome: Outcome) -> list[Relation]:
    found = {id for id, _ in (*outcome.hurt, *outcome.planted)}
    return [r for r in scene.catalogue.relations.values() if r.id in found and r.kind == "r"]


def _views(scene: Scene, outcome: Outcome) -> list[Relation]:
    """The materialized views that the attack reads."""
    oids = {touched.oid for touched in outcome.answer.touched}
    known = scene.catalogue.relations
    found = [known[oid] for oid in sorted(oids) if oid in known and known[oid].kind == "m"]
    about = next((r for r in known.values() if r.id == outcome.attack.object and r.kind == "m"), None)
    return [*found, *([about] if about is not None and about not in found else [])]


def _involved(scene: Scene, outcome: Outcome) -> list[Relation]:
    """The tables with rows that the attack read or wrote, or that its steps name, with all that their keys point to."""
    known = scene.catalogue.relations
    todo = [touched.oid for touched in outcome.answer.touched]
    todo += [oid for oid, _ in outcome.answer.removed]
    todo += [*scene.authority]
    todo += [r.oid for r in known.values() if r.id == outcome.attack.object]
    if outcome.answer.trouble is not None:
        todo = list(known)

    def onward(relation: Relation) -> list[int]:
        above = known.get(relation.above)
        pointing = [relation, *([above] if above is not None else [])]
        beneath = scene.beneath(relation) if relation.kind in ("v", "m") else []
        heirs = (r.oid for r in known.values() if r.above == relation.oid)
        return [*(key.target for r in pointing for key in r.keys), *heirs, *(table.oid for table in beneath)]

    found = {relation.oid for relation in scene.catalogue.followed(todo, onward)}
    return [r for r in known.values() if r.oid in found and r.kind == "r" and scene.kept.get(r.oid)]


def _insertion(scene: Scene, table: Relation) -> str:
    columns = [column.name for column in table.columns if not column.generated]
    names = ", ".join(ident(name) for name in columns)
    rows = [
        "  (" + ", ".join(value(table, name, row.values) for name in columns) + ")"
        for row in scene.kept[table.oid]
    ]
    joined = ",\n".join(rows)
    return (
        f"insert into {table.sql} ({names}) overriding system value values\n{joined}\non conflict do nothing;"
    )


def _sequences(scene: Scene, tables: Iterable[Relation]) -> Iterator[str]:
    """Sequences beyond the numbers of these rows. ALTER SEQUENCE is taken back with the transaction, setval() would not be."""
    known = {table.oid for table in tables}
    for sequence in scene.surface.sequences:
        if sequence.stands > 0 and (sequence.of in known or not sequence.of):
            name, goal = literal(sequence.sql), sequence.stands + 1
            body = (
                f" begin if coalesce(pg_catalog.pg_sequence_last_value({name}::pg_catalog.regclass), 0) < {goal} then"
                f" alter sequence {sequence.sql} restart with {goal}; end if; end "
            )
            yield f"do {dollar(body)};"


def _before(tables: Iterable[Relation]) -> str:
    looks = "\n  union all ".join(
        f"select {literal(str(table.id))}::text as place, x.ctid::text as at, (x.*)::text as line from only {table.sql} as x"
        for table in tables
    )
    return f"create temporary table reconciler_before on commit drop as\n  {looks};"


def _check(scene: Scene, outcome: Outcome, table: Relation) -> str:
    """What is printed when a row of B was changed or removed, or a new one is B's."""
    id = literal(str(table.id))
    theirs = [text for where, text in outcome.hurt if where == table.id]
    theirs += [row.text for row in scene.kept[table.oid] if row.whose == "B" and row.text not in theirs]
    lines = ", ".join(literal(text) for text in theirs[:_AT_MOST]) or "null"
    owner = scene.owner_of(table).owner
    people = ", ".join(literal(key) for key in (scene.world.keys["B"], *scene.world.users["B"]) if key)
    same = "b.place = {id} and b.at = x.ctid::text and b.line = (x.*)::text".replace("{id}", id)
    foreign = f"({owner})::text in ({people})" if owner and people else "false"
    return (
        f"select 'LEAK: a row of tenant B in {str(table.id).replace(chr(39), chr(39) * 2)} was changed or removed: ' || b.line"
        f" from reconciler_before as b where b.place = {id}\n  and (b.line in ({lines}))"
        f" and not exists (select from only {table.sql} as x where {same}) order by 1;\n"
        f"select 'LEAK: a row of tenant B was made in {str(table.id).replace(chr(39), chr(39) * 2)}: ' || (x.*)::text"
        f" from only {table.sql} as x where ({foreign})\n  and not exists (select from reconciler_before as b where {same}) order by 1;"
    )


def _question(scene: Scene, outcome: Outcome) -> str:
    """The attack inside a query that prints only what is B's; empty when it did not answer with rows."""
    attack = outcome.attack
    if outcome.trouble is not None or not outcome.rows or _called(outcome):
        return ""
    lines = ", ".join(literal(text) for text in outcome.shown[:_AT_MOST])
    words = [f"pg_catalog.strpos(x.line, {literal(word)}) > 0" for word in _words(scene, outcome)]
    tests = " or ".join([f"x.line in ({lines})", *words])
    return f"select 'LEAK: ' || x.line from (\n{attack.query or attack.sql}\n) as x (line) where {tests}"


def _called(outcome: Outcome) -> bool:
    """Whether a procedure gave the answer: no query can be made of that."""
    return outcome.attack.object.kind == "procedure"


def _given_back(scene: Scene, outcome: Outcome) -> list[str]:
    """A call with what it gives back in variables of psql, and what is B's of that; empty where it gave back nothing."""
    result = next((r for r in reversed(outcome.answer.results) if r.columns), None)
    if not _called(outcome) or result is None or not result.rows:
        return []
    named = [name for name, cell in zip(result.columns, result.rows[0], strict=True) if cell is not None]
    line = ", ".join(f":'reconciler_{name}'" for name in named)
    tests = " or ".join(f"pg_catalog.strpos(x.line, {literal(word)}) > 0" for word in _words(scene, outcome))
    return [
        f"{outcome.attack.sql} \\gset reconciler_",
        f"select 'LEAK: ' || x.line from (select pg_catalog.concat_ws(' ', {line})) as x (line) where {tests or 'false'};",
    ]


def _caught(scene: Scene, outcome: Outcome) -> str:
    """The attack with its error caught and read, where that is what tells something of B. A notice cannot be caught: psql prints it."""
    words = _words(scene, outcome)
    tests = " or ".join(f"pg_catalog.strpos(said, {literal(word)}) > 0" for word in words) or "false"
    body = (
        "\ndeclare said text; detail text; hint text; context text;\nbegin\n"
        f"  execute {dollar(outcome.attack.sql, 'attack')};\n"
        "exception when others then\n"
        "  get stacked diagnostics said = message_text, detail = pg_exception_detail, hint = pg_exception_hint,"
        " context = pg_exception_context;\n"
        "  said := pg_catalog.concat_ws(' | ', said, detail, hint, context);\n"
        f"  if {tests} then raise warning 'LEAK: %', said; end if;\n  raise;\nend\n"
    )
    return f"do {dollar(body, 'leak')};"


def _words(scene: Scene, outcome: Outcome) -> list[str]:
    """B's words in what came back, without those that the attacker said."""
    actor = outcome.attack.by or outcome.identity
    said = "\n".join((outcome.attack.sql, *actor.settings.values()))
    return sorted({word for text in outcome.shown for word in scene.said(text, said)})[:_AT_MOST]
