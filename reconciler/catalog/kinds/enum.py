"""Enumerated types (manual: CREATE TYPE … AS ENUM, ALTER TYPE … ADD VALUE).

PostgreSQL can add a value but not remove or reorder one: then the type is made anew and its columns are carried over by
text, which fails, and changes nothing, when a row holds a value that is gone and that nobody gave a successor.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import printed
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable
from reconciler.catalog.kinds.retyping import remade
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_type",
        "t.oid",
        schema="n.nspname",
        name="t.typname",
        attributes=r.attributes(
            **r.common("pg_type", "t", "typ", "T"),
            values="(select coalesce(pg_catalog.jsonb_agg(e.enumlabel order by e.enumsortorder), '[]')"
            " from pg_catalog.pg_enum as e where e.enumtypid = t.oid)",
        ),
        source="pg_catalog.pg_type as t join pg_catalog.pg_namespace as n on n.oid = t.typnamespace"
        f" where t.typtype = 'e' and {r.in_scope(scope)} and {r.no_member('pg_type', 't.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"type {w.name(fact.id)}"


def _made(id: ObjectId, values: list[str]) -> str:
    return f"create type {w.name(id)} as enum ({', '.join(literal(value) for value in values)})"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(w.missing("to_regtype", w.name(fact.id)), _made(fact.id, fact["values"]))
    return [w.say(sql, f"new enum {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact), "type")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    return [w.say(f"drop type if exists {w.name(fact.id)}", f"enum {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    common = tuple(w.redressed(old, new, context, _noun(new), "type"))
    if old["values"] == new["values"]:
        return Alteration(common)
    if _is_subsequence(old["values"], new["values"]):
        return Alteration((*_added(old["values"], new, context), *common))
    return _rebuilt(old, new, context)


def _is_subsequence(short: list[str], long: list[str]) -> bool:
    rest = iter(long)
    return all(value in rest for value in short)


def _added(old: list[str], new: Fact, context: Context) -> list[Statement]:
    """Each new value beside the neighbour it follows. The first one has nothing before it.

    A new value cannot be used before it is committed (manual: ALTER TYPE, Notes): when something in this plan speaks of it,
    it gets a transaction of its own.
    """
    found: list[Statement] = []
    values: list[str] = new["values"]
    for index, value in enumerate(values):
        if value in old:
            continue
        place = f"after {literal(values[index - 1])}" if index else ""
        if not index and old:
            place = f"before {literal(next(v for v in values if v in old))}"
        sql = f"alter type {w.name(new.id)} add value if not exists {literal(value)} {place}".rstrip()
        apart = Hazard(
            HazardCode.NOT_TRANSACTIONAL,
            f"Value {value!r} of {new.id} is committed before the rest of the plan runs.",
        )
        used = _is_used(value, new, context)
        risk = [apart] if used else []
        found.append(w.say(sql, f"{new.id}: new value {value!r}", new.id, *risk, transactional=not used))
    return found


def _is_used(value: str, enum: Fact, context: Context) -> bool:
    """Whether something that is new or different writes this value. A function body does not count: nothing runs it yet."""
    words = f"{literal(value)}::{w.name(enum.id)}"
    for user in context.after.dependents.get(enum.id, ()):
        fact = context.after.facts.get(user)
        if fact is None or context.before.digests.get(user) == fact.digest:
            continue
        if any(words in str(text) for text in fact.attributes.values()):
            return True
    return False


def _rebuilt(old: Fact, new: Fact, context: Context) -> Alteration:
    name = w.name(new.id)
    have = (
        "(select pg_catalog.array_agg(enumlabel::text order by enumsortorder) from pg_catalog.pg_enum"
        f" where enumtypid = {literal(name)}::pg_catalog.regtype)"
    )
    want = f"array[{', '.join(literal(value) for value in new['values'])}]::text[]"
    removed = [value for value in old["values"] if value not in new["values"]]
    becomes = {value: context.fills.get(ObjectId("enum_value", *new.id[1:3], value)) for value in removed}
    for value, successor in becomes.items():
        if successor is not None and successor not in new["values"]:
            raise Unplannable(f"value {value!r} of {new.id} becomes {successor!r}, which is no value of it")
    left = ", ".join(repr(value) for value in removed if becomes[value] is None)
    doubt = (
        [Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while a row holds {left} in {new.id}.")] if left else []
    )
    doubt += [
        Hazard(
            HazardCode.LOSSY_CAST, f"Rows that hold {value!r} in {new.id} hold {successor!r} from then on."
        )
        for value, successor in becomes.items()
        if successor is not None
    ]

    def carried(column: Fact) -> str:
        type_, name = column["type"], ident(column.id.part)
        array = type_.endswith("[]")
        text = f"({printed(name)})::text[]" if array else f"({printed(name)})"
        pairs = [(literal(value), literal(successor)) for value, successor in becomes.items() if successor]
        if array:
            for value, successor in pairs:
                text = f"pg_catalog.array_replace({text}, {value}, {successor})"
        elif pairs:
            text = f"(case {text} {' '.join(f'when {a} then {b}' for a, b in pairs)} else {text} end)"
        return f"{text}::{type_}"

    dress = w.dressed(new, context, _noun(new), "type")
    made = _made(new.id, new["values"])
    return remade(old, new, context, "type", made, f"{have} is distinct from {want}", carried, dress, *doubt)


KIND = Kind("enum", read, create, drop, alter, replaceable=False, drop_late=True)
