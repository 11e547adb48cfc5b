"""Questions about single values: missing ones, ones that a rule forbids, ones that a type cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.catalog.kinds.casting import lossy, printed, text_of, using
from reconciler.model import Fact, ObjectId
from reconciler.pg import ident
from reconciler.plan.doubts.doubt import Doubt, Gap
from reconciler.plan.doubts.rows import Rows, Source, texts
from reconciler.plan.doubts.text import mentions, parenthesised

_FILL = "give these rows a value first, or declare what they get: fill: in YAML, -- reconciler: fill … in SQL"


def missing(column: Fact, rows: Rows) -> Doubt | None:
    """Rows without a value in a column that has to have one."""
    old, name = rows.was(column.id), ident(column.id.part)
    source = rows.source(_table(column), column.id.part)
    if source is None or column.id.part in source.drawn:
        return None
    if old is None and not column["generated"]:
        says = f"column {column.id} is declared NOT NULL ({column['type']}), but {source.table} has rows and nothing says what they get"
        hint = "give the column a default, or a fill: expression for the rows that exist"
        return Doubt(column.id, source.table, source.sql, f"{name} is null", says, hint, declaration=True)
    says = f"{{rows}} of {source.table} {{have|has}} no {column.id.part}, and it has to have a value from then on"
    return Doubt(column.id, source.table, source.sql, f"{name} is null", says, _FILL, source.keys)


def check(fact: Fact, rows: Rows) -> Doubt | None:
    """Rows that a CHECK does not let stand."""
    if fact.parent is None:
        return None
    inner, tail = parenthesised(fact["definition"].removeprefix("CHECK "))
    source = rows.source(_table(fact), inner, only="NO INHERIT" in tail)
    if source is None or any(mentions(inner, name) for name in source.drawn):
        return None
    words = f"check {fact.id}"
    return _ruled(
        fact.id,
        source,
        f"({inner}) is false",
        words,
        f"{{rows}} of {source.table} {{break|breaks}} {words}: {inner}",
    )


def ruled_by_domain(column: Fact, rules: list[tuple[ObjectId, str]], rows: Rows) -> Iterator[Doubt]:
    """Values that the rules of the column's domain do not allow. Each rule is a CHECK, or the words NOT NULL."""
    source = rows.source(_table(column), column.id.part)
    if source is None or column.id.part in source.drawn:
        return
    name = ident(column.id.part)
    for subject, rule in rules:
        where = f"{{rows}} of {source.table} {{hold|holds}} in {column.id.part}"
        if rule == "NOT NULL":
            says = f"{where} nothing, and domain {subject} has to have a value"
            yield Doubt(subject, source.table, source.sql, f"{name} is null", says, _FILL, source.keys)
            continue
        inner, _ = parenthesised(rule.removeprefix("CHECK "))
        # VALUE is an ordinary name in a query: the rule is asked of a row that has it.
        type_, _ = rows.under(column)
        condition = f"(select ({inner}) is false from (select {name}::{type_} as value) as one)"
        yield _ruled(
            subject,
            source,
            condition,
            f"check {subject}",
            f"{where} a value that check {subject} forbids: {inner}",
        )


def _ruled(subject: ObjectId, source: Source, condition: str, words: str, says: str) -> Doubt:
    raises = f"{words} cannot be computed for {{rows}} of {source.table}"
    return Doubt(
        subject,
        source.table,
        source.sql,
        condition,
        says,
        f"change these rows, or declare {words} differently",
        source.keys,
        raises=raises,
    )


def retyped(old: Fact, new: Fact, rows: Rows) -> Iterator[Doubt | Gap]:
    """Values that the new type of a column cannot hold, or that it would change."""
    source = rows.source(_table(new), new.id.part, spare=new.id.part)
    if source is None:
        return
    name, enum = ident(new.id.part), rows.enum(new, rows.after)
    held = f"{{rows}} of {source.table} {{hold|holds}} a value in {new.id.part}"
    if enum is not None:
        is_other = f"{text_of(name, old['type'])} <> all({texts(enum['values'])})"
        says = f"{held} that {enum.id} does not have"
        hint = f"change these rows, or declare the missing values of {enum.id}"
        yield Doubt(new.id, source.table, source.sql, is_other, says, hint, source.keys)
        return
    type_, _ = rows.under(new)
    if not lossy(old["type"], type_):
        return
    there = using(name, old["type"], type_)[0]
    back = using(f"({there})", type_, old["type"])[0]
    changed = f"{text_of(f'({back})', old['type'])} is distinct from {text_of(name, old['type'])}"
    yield Doubt(
        new.id, source.table, source.sql, changed,
        f"{held} that {type_} would change",
        "look at them; when they may be changed: --allow LOSSY_CAST", source.keys,
        raises=f"{held} that cannot become {type_}", loses=True,
    )  # fmt: skip


def removed_values(column: Fact, enum: ObjectId, gone: list[str], rows: Rows) -> Doubt | None:
    """Rows that hold a value which their enum loses."""
    source = rows.source(_table(column), column.id.part, spare=column.id.part)
    if source is None:
        return None
    name = ident(column.id.part)
    held = (
        f"({printed(name)})::text[] && {texts(gone)}"
        if column["type"].endswith("[]")
        else f"({printed(name)}) = any({texts(gone)})"
    )
    says = f"{{rows}} of {source.table} {{hold|holds}} a value in {column.id.part} that {enum} would lose: {', '.join(map(repr, gone))}"
    hint = (
        f"say what they get: -- reconciler: value '{gone[0]}' becomes '…' (in YAML becomes: {{{gone[0]}: …}})"
    )
    return Doubt(enum, source.table, source.sql, held, says, hint, source.keys, declaration=True)


def _table(part: Fact) -> ObjectId:
    return part.parent or ObjectId("table", part.id.schema, part.id.name)
