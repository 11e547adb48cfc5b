"""Questions about keys: rows that share one, rows that refer to nothing, rows that exclude each other."""

from __future__ import annotations

import re

from reconciler.model import Fact, ObjectId
from reconciler.pg import ident
from reconciler.plan.doubts.doubt import KEY, PLACE, Doubt, Gap
from reconciler.plan.doubts.rows import READABLE, Rows, Source
from reconciler.plan.doubts.text import element, listed, mentions, parenthesised, qualified, unquoted

_SHARED = "{rows} of %s {share|shares} the key (%s) with another, and %s allows each once"
_INDEX = re.compile(r"CREATE UNIQUE INDEX .+? USING [\w$\"]+ (?=\()")
_KEY = re.compile(r"(PRIMARY KEY|UNIQUE)(?P<nulls> NULLS NOT DISTINCT)? (?=\()")
_SEVERAL = "delete or change the rows that are too many"


def unique_index(fact: Fact, rows: Rows) -> Doubt | Gap | None:
    """Duplicates under a unique index, with its expressions, its WHERE and its way with nulls."""
    head = _INDEX.match(fact["definition"])
    if head is None or fact.parent is None:
        return None
    inner, tail = parenthesised(fact["definition"][head.end() :])
    where = ""
    if " WHERE (" in tail:
        where, _ = parenthesised(tail[tail.index(" WHERE (") + 7 :])
    same = "NULLS NOT DISTINCT" in tail
    return _shared(
        fact, fact.parent, [element(e) for e in listed(inner)], where, rows, f"unique index {fact.id}", same
    )


def key(fact: Fact, rows: Rows) -> Doubt | Gap | None:
    """Duplicates under a primary key or a UNIQUE constraint."""
    head = _KEY.match(fact["definition"])
    if head is None or fact.parent is None:
        return None
    inner, _ = parenthesised(fact["definition"][head.end() :])
    columns = listed(inner)
    words = f"{'primary key' if fact['type'] == 'p' else 'unique constraint'} {fact.id}"
    if columns[-1].endswith(" WITHOUT OVERLAPS"):
        columns[-1] = columns[-1].removesuffix(" WITHOUT OVERLAPS")
        pairs = [(column, "=") for column in columns[:-1]] + [(columns[-1], "&&")]
        return _excluded(fact, fact.parent, pairs, "", rows, words)
    return _shared(fact, fact.parent, columns, "", rows, words, head["nulls"] is not None)


def _shared(
    fact: Fact, table: ObjectId, elements: list[str], where: str, rows: Rows, words: str, same_nulls: bool
) -> Doubt | Gap | None:
    source = rows.source(table, *elements, where, only=True)
    if source is None:
        return None
    if any(mentions(text, name) for name in source.drawn for text in (*elements, where)):
        return None  # each row draws a value of its own
    conditions = [f"({where})"] if where else []
    if not same_nulls and fact["type"] != "p":
        conditions += [f"{e} is not null" for e in elements]
    wanted = f" where {' and '.join(conditions)}" if conditions else ""
    listing = ", ".join(elements)
    counted = f"(select {ident(KEY)}, {ident(PLACE)}, pg_catalog.count(*) over (partition by {listing}) as n from {source.sql}{wanted}) as shared"
    # A constant alone may not stand in GROUP BY.
    columns = [c.id.part for side in (rows.before, rows.after) for c in rows.columns(table, side)]
    grouped = ", ".join(
        e
        if any(mentions(e, name) for name in columns)
        else f"(case when {ident(PLACE)} is not null then {e} end)"
        for e in elements
    )
    quick = f"select from {source.sql}{wanted} group by {grouped} having pg_catalog.count(*) > 1 limit 1"
    says = _SHARED % (source.table, listing, words)
    return Doubt(
        fact.id, source.table, counted, "n > 1", says, _SEVERAL, source.keys, quick=quick, byrow=False
    )


def foreign_key(fact: Fact, rows: Rows) -> Doubt | Gap | None:
    """Rows that refer to a row that is not there."""
    text = fact["definition"].removeprefix("FOREIGN KEY ")
    if fact.parent is None:
        return None
    inner, rest = parenthesised(text)
    (schema, name), rest = qualified(rest.lstrip().removeprefix("REFERENCES "))
    theirs, rest = parenthesised(rest)
    columns, others = listed(inner), listed(theirs)
    if any(column.startswith("PERIOD ") for column in columns):
        return Gap(fact.id, "periods are not compared")
    source = rows.source(fact.parent, *columns, only=True)
    if source is None or any(unquoted(column) in source.drawn for column in columns):
        return None
    target = next(
        (id for id in rows.after.facts if id.kind == "table" and (id.schema, id.name) == (schema, name)), None
    )
    if target is None:
        return Gap(fact.id, f"{ident(schema, name)} is not among the managed schemas")
    other = rows.source(target, *others, only=True)
    held = [f"{column} is not null" for column in columns]
    mine = [f'mine."{n}"' for n in range(len(columns))]
    missing = "true"
    if other is not None:
        if any(unquoted(column) in other.drawn for column in others):
            return Gap(fact.id, f"the keys of {target} are drawn when the plan runs")
        theirs_are = ", ".join(f'{column} as "{n}"' for n, column in enumerate(others))
        equal = " and ".join(f'theirs."{n}" = {column}' for n, column in enumerate(mine))
        missing = f"not exists (select from (select {theirs_are} from {other.sql}) as theirs where {equal})"
    full = rest.lstrip().startswith("MATCH FULL")
    mine_are = ", ".join(f'{column} as "{n}"' for n, column in enumerate(columns))
    some = f"({' or '.join(held)})" if full else " and ".join(held)
    sql = f"(select {ident(KEY)}, {ident(PLACE)}, {mine_are} from {source.sql} where {some}) as mine"
    condition = missing
    if full and len(columns) > 1:
        condition = f"({' or '.join(f'{column} is null' for column in mine)}) or {missing}"
    says = f"{{rows}} of {source.table} {{refer|refers}} by ({inner}) to no row of {target}, and foreign key {fact.id} asks for one"
    hint = f"delete these rows, change what they refer to, or insert the missing rows of {target} first"
    return Doubt(
        fact.id, source.table, sql, condition, says, hint, source.keys, byrow=False, others=(target,)
    )


def exclusion(fact: Fact, rows: Rows) -> Doubt | Gap | None:
    """Pairs of rows that an exclusion constraint does not let stand beside each other."""
    if fact.parent is None:
        return None
    inner, rest = parenthesised(fact["definition"][fact["definition"].index("(") :])
    where = ""
    if " WHERE (" in rest:
        where, _ = parenthesised(rest[rest.index(" WHERE (") + 7 :])
    pairs = []
    for one in listed(inner):
        expression, _, operator = one.rpartition(" WITH ")
        pairs.append((element(expression), operator))
    return _excluded(fact, fact.parent, pairs, where, rows, f"exclusion constraint {fact.id}")


def _excluded(
    fact: Fact, table: ObjectId, pairs: list[tuple[str, str]], where: str, rows: Rows, words: str
) -> Doubt | Gap | None:
    source: Source | None = rows.source(table, *(e for e, _ in pairs), where, only=True)
    if source is None:
        return None
    if source.drawn:
        return Gap(fact.id, "values that are drawn when the plan runs")
    values = ", ".join(f'{e} as "{n}"' for n, (e, _) in enumerate(pairs))
    wanted = f" where ({where})" if where else ""
    one = f"(select {ident(KEY)}, {ident(PLACE)}, {values} from {source.sql}{wanted})"
    meets = " and ".join(f'a."{n}" {operator} b."{n}"' for n, (_, operator) in enumerate(pairs))
    # A row beside itself: two rows of different partitions may stand at the same place.
    other = f"(a.{ident(PLACE)}, a.{ident(KEY)}) <> (b.{ident(PLACE)}, b.{ident(KEY)})"
    sql = f"(select a.{ident(KEY)}, a.{ident(PLACE)} from {one} as a where exists (select from {one} as b where {meets} and {other})) as meeting"
    says = f"{{rows}} of {source.table} {{stand|stands}} beside another that {words} excludes"
    return Doubt(fact.id, source.table, sql, "true", says, _SEVERAL, source.keys, byrow=False)


def readable(fact: Fact, rows: Rows) -> bool:
    """Whether there can be rows under it now that will be under it then: a view that changes is filled anew."""
    here = rows.was(fact.parent) if fact.parent else None
    if here is None or fact.parent is None or here.id.kind not in READABLE:
        return False
    return here.id.kind == "table" or rows.after.digests.get(fact.parent) == here.digest
