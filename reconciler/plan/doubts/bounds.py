"""Questions about partitions: rows that do not belong where they are going to be."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Fact, ObjectId
from reconciler.plan.doubts.doubt import Doubt, Gap
from reconciler.plan.doubts.rows import Rows
from reconciler.plan.doubts.text import element, listed, parenthesised, qualified

_ELSEWHERE = "move or delete these rows first, or declare other bounds"


def attached(fact: Fact, rows: Rows) -> Iterator[Doubt | Gap]:
    """`fact` says that a table is to be a partition: its rows have to belong there, and those of the default partition must not."""
    child = ObjectId("table", fact.id.schema, fact.id.name)
    then = rows.was(fact.id)
    parent = _of(fact)
    above = rows.after.facts.get(parent)
    if above is None or not above["partition_by"]:
        return
    if rows.was(child) is not None and (
        then is None or (then["bound"], then["of"]) != (fact["bound"], fact["of"])
    ):
        inside = _inside(fact, rows)
        if inside is None:
            yield Gap(
                fact.id,
                "which rows a partition by hash takes, or one below a default one, is not known from here",
            )
        elif inside != "true":
            source = rows.source(child, inside)
            if source is not None:
                says = f"{{rows}} of {source.table} {{do|does}} not belong into partition {child} {fact['bound']}"
                yield Doubt(
                    fact.id,
                    source.table,
                    source.sql,
                    f"({inside}) is not true",
                    says,
                    _ELSEWHERE,
                    source.keys,
                )
    if fact["bound"] == "DEFAULT":
        return
    for other in _partitions(parent, rows):
        table = ObjectId("table", other.id.schema, other.id.name)
        belongs = _bound(above["partition_by"], fact["bound"])
        if other["bound"] != "DEFAULT" or rows.was(other.id) is None or table == child or not belongs:
            continue
        source = rows.source(table, belongs)
        if source is not None:
            says = f"{{rows}} of {source.table}, the default partition, {{belong|belongs}} into the new partition {child} {fact['bound']}"
            yield Doubt(fact.id, source.table, source.sql, belongs, says, _ELSEWHERE, source.keys)


def distributed(table: Fact, rows: Rows) -> Doubt | Gap | None:
    """A table that becomes partitioned, or by another key: each of its rows needs a partition."""
    inside = _accepted(table, rows)
    if inside is None:
        return Gap(
            table.id,
            "which rows a partition by hash takes, or one below a default one, is not known from here",
        )
    if inside == "true":
        return None
    source = rows.source(table.id, inside)
    if source is None:
        return None
    says = f"{{rows}} of {source.table} {{fit|fits}} no partition of {table.id}"
    hint = "declare the partitions that are missing, or a default one"
    return Doubt(table.id, source.table, source.sql, f"({inside}) is not true", says, hint, source.keys)


def _of(fact: Fact) -> ObjectId:
    (schema, name), _ = qualified(fact["of"])
    return ObjectId("table", schema, name)


def _partitions(parent: ObjectId, rows: Rows) -> list[Fact]:
    return [f for f in rows.after.by_kind.get("partition", ()) if _of(f) == parent]


def _inside(fact: Fact, rows: Rows) -> str | None:
    """What holds for the rows of a partition: its own bound and those of all it is in. None when nobody can say."""
    found: list[str] = []
    at: Fact | None = fact
    while at is not None:
        parent = rows.after.facts.get(_of(at))
        if parent is None:
            return None
        if at["bound"] == "DEFAULT":
            others = [
                _bound(parent["partition_by"], p["bound"])
                for p in _partitions(parent.id, rows)
                if p.id != at.id
            ]
            if any(other is None for other in others):
                return None
            found += [f"({other}) is not true" for other in others]
        else:
            own = _bound(parent["partition_by"], at["bound"])
            if own is None:
                return None
            found.append(f"({own})")
        at = rows.after.facts.get(ObjectId("partition", parent.id.schema, parent.id.name))
    return " and ".join(found) or "true"


def _accepted(table: Fact, rows: Rows) -> str | None:
    """Which rows a partitioned table takes."""
    if not table["partition_by"]:
        return "true"
    found: list[str] = []
    for part in _partitions(table.id, rows):
        leaf = rows.after.facts.get(ObjectId("table", part.id.schema, part.id.name))
        below = _accepted(leaf, rows) if leaf is not None else "true"
        if below is None:
            return None
        if part["bound"] == "DEFAULT":
            if below == "true":
                return "true"
            return None  # what is left over, and then again distributed
        own = _bound(table["partition_by"], part["bound"])
        if own is None:
            return None
        found.append(f"({own} and {below})")
    return " or ".join(found) or "false"


def _bound(partition_by: str, bound: str) -> str | None:
    """The condition for one partition; None for a hash (manual: CREATE TABLE, PARTITION OF)."""
    strategy, _, rest = partition_by.partition(" ")
    keys = [element(one) for one in listed(parenthesised(rest)[0])]
    if strategy == "LIST" and bound.startswith("FOR VALUES IN "):
        values = listed(parenthesised(bound.removeprefix("FOR VALUES IN "))[0])
        plain = [value for value in values if value != "NULL"]
        words = [f"{keys[0]} in ({', '.join(plain)})"] if plain else []
        words += [f"{keys[0]} is null"] if "NULL" in values else []
        return f"({' or '.join(words)})"
    if strategy == "RANGE" and bound.startswith("FOR VALUES FROM "):
        low, rest = parenthesised(bound.removeprefix("FOR VALUES FROM "))
        high, _ = parenthesised(rest.strip().removeprefix("TO"))
        words = [f"{key} is not null" for key in keys]
        words.append(_beyond(keys, listed(low), ">=", {"MINVALUE": ">=", "MAXVALUE": ">"}))
        words.append(_beyond(keys, listed(high), "<", {"MINVALUE": "<", "MAXVALUE": "<="}))
        return f"({' and '.join(words)})"
    return None


def _beyond(keys: list[str], values: list[str], operator: str, open_: dict[str, str]) -> str:
    """A row of keys against a row of bounds; behind the first MINVALUE or MAXVALUE nothing counts."""
    at = next((n for n, value in enumerate(values) if value in open_), None)
    if at is None:
        return f"({', '.join(keys)}) {operator} ({', '.join(values)})"
    operator = open_[values[at]]
    if at == 0:
        return "true" if operator in (">=", "<=") else "false"
    return f"({', '.join(keys[:at])}) {operator} ({', '.join(values[:at])})"
