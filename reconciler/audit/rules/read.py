"""Reads what the rules know of a database: each catalog once, whatever the number of rules.

Needs no right but to look at the system catalogs. Promises names that are qualified wherever PostgreSQL prints one, and a session
that is as it was afterwards. Decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import psycopg
from psycopg.rows import DictRow, TupleRow, dict_row

from reconciler.audit.rules import catalog as c
from reconciler.audit.rules import queries
from reconciler.audit.rules.tree import Node, Value, walk
from reconciler.audit.rules.tree import read as tree_of
from reconciler.catalog.scope import Scope
from reconciler.model import ObjectId
from reconciler.pg import major
from reconciler.platforms import Platform

_KINDS: Final = {
    "r": "table", "p": "table", "v": "view", "m": "materialized_view", "f": "foreign_table", "S": "sequence"
}  # fmt: skip
_COMMANDS: Final[Mapping[str, tuple[c.Command, ...]]] = {
    "r": ("select",), "a": ("insert",), "w": ("update",), "d": ("delete",), "*": c.COMMANDS
}  # fmt: skip
_UPDATABLE: Final[tuple[tuple[int, c.Command], ...]] = ((4, "update"), (8, "insert"), (16, "delete"))
"""The bits of pg_relation_is_updatable()."""


def read(connection: psycopg.Connection[TupleRow], scope: Scope, *, platform: Platform) -> c.Catalog:
    """What the rules need to know. Findings are made for what is in `scope`."""
    with connection.transaction(force_rollback=True), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("select pg_catalog.set_config('search_path', '', true)")

        def asked(sql: str, *parameters: Any) -> list[DictRow]:
            return cursor.execute(sql, parameters or None).fetchall()

        found = major(connection)
        trees: dict[str, Value] = {}
        rows = asked(queries.POLICIES)
        policies = [_policy(row, trees) for row in rows]
        relations = {row["oid"]: _relation(row) for row in asked(queries.RELATIONS)}
        schemas = {
            row["name"]: c.Schema(row["name"], row["owner"], _grants(row["grants"]))
            for row in asked(queries.SCHEMAS)
        }
        stored = [text for row in rows for text in (row["using_tree"], row["check_tree"])]
        named = _called([*stored, *(relation.stored for relation in relations.values())])
        functions = {row["oid"]: _function(row) for row in asked(queries.FUNCTIONS, list(named))}
        policies = [_settled(policy, functions, connection) for policy in policies]
        return c.Catalog(
            major=found,
            platform=platform,
            ours=frozenset(name for name in schemas if name in scope),
            roles=_roles(asked(queries.ROLES), asked(queries.members(found))),
            schemas=schemas,
            relations=relations,
            policies=tuple(policies),
            functions=functions,
            foreign_keys=tuple(_foreign_key(row) for row in asked(queries.FOREIGN_KEYS)),
            indexes=tuple(_index(row) for row in asked(queries.INDEXES)),
            defaults=tuple(
                c.DefaultGrant(row["owner"], row["schema"], row["kind"], _grants(row["grants"]))
                for row in asked(queries.DEFAULTS)
            ),
            publications=tuple(
                c.Publication(row["name"], row["everything"], frozenset(row["tables"]))
                for row in asked(queries.PUBLICATIONS)
            ),
            extensions=tuple(c.Extension(**row) for row in asked(queries.EXTENSIONS)),
        )


def _grants(rows: Iterable[Mapping[str, Any]]) -> tuple[c.Grant, ...]:
    found = {
        c.Grant(row["to"], row["privilege"].lower(), row.get("column", ""), row["grantable"]) for row in rows
    }
    return tuple(sorted(found))


def _relation(row: DictRow) -> c.Relation:
    return c.Relation(
        oid=row["oid"],
        id=ObjectId(_KINDS[row["letter"]], row["schema"], row["name"]),
        letter=row["letter"],
        owner=row["owner"],
        rls=row["rls"],
        forced=row["forced"],
        grants=_grants([*row["grants"], *row["column_grants"]]),
        options=frozenset(row["options"]),
        columns=tuple(c.Column(**column) for column in row["columns"]),
        parents=tuple(row["parents"]),
        partition=row["partition"],
        stored=row["query"] or "",
        updatable=frozenset(command for bit, command in _UPDATABLE if row["updatable"] & bit),
        member=row["member"],
    )


def _policy(row: DictRow, trees: dict[str, Value]) -> c.Policy:
    return c.Policy(
        id=ObjectId("policy", row["schema"], row["table"], row["name"]),
        table=row["relid"],
        permissive=row["permissive"],
        commands=_COMMANDS[row["command"]],
        roles=tuple(row["roles"]),
        using=_condition(row["using"], row["using_tree"], trees),
        check=_condition(row["check"], row["check_tree"], trees),
    )


def _condition(text: str | None, tree: str | None, trees: dict[str, Value]) -> c.Condition | None:
    """Policies of many tables say the same: each tree is made once."""
    if text is None or tree is None:
        return None
    found = trees.get(tree) or tree_of(tree)
    trees[tree] = found
    return c.Condition(text, found, found.truth) if isinstance(found, Node) else None


_OIDS: Final = re.compile(r":(?:funcid|opfuncid) (\d+)")


def _called(texts: Iterable[str | None]) -> set[int]:
    """The functions behind the calls and operators of conditions and views."""
    return {int(oid) for text in texts if text for oid in _OIDS.findall(text)} - {0}


_CONSTANT: Final = frozenset({"CONST", "BOOLEXPR", "OPEXPR", "FUNCEXPR", "RELABELTYPE", "NULLTEST", "BOOLEANTEST", "COALESCEEXPR",
                              "SCALARARRAYOPEXPR", "ARRAYEXPR", "DISTINCTEXPR", "NULLIFEXPR", "CASEEXPR", "CASEWHEN"})  # fmt: skip
"""Nodes whose value depends on nothing but what is below them, where the functions are immutable."""


def _settled(
    policy: c.Policy, functions: Mapping[int, c.Function], connection: psycopg.Connection[TupleRow]
) -> c.Policy:
    """The policy with the value of each condition that has one value for everybody and every row, like `1 = 1`."""

    def settled(condition: c.Condition | None) -> c.Condition | None:
        if condition is None or condition.always is not None:
            return condition
        for node, _ in walk(condition.tree):
            called = functions.get(node.number("funcid") or node.number("opfuncid"))
            if node.kind not in _CONSTANT or (called is not None and called.volatility != "i"):
                return condition
        try:
            with connection.transaction():
                row = connection.execute(f"select ({condition.text})::pg_catalog.bool").fetchone()
        except psycopg.DataError:  # like 1 / 0 = 1: it has no value
            return condition
        return replace(condition, always=bool(row and row[0]))

    return replace(policy, using=settled(policy.using), check=settled(policy.check))


def _function(row: DictRow) -> c.Function:
    kind = "procedure" if row["kind"] == "p" else "aggregate" if row["kind"] == "a" else "function"
    return c.Function(
        oid=row["oid"],
        id=ObjectId(kind, row["schema"], row["name"], row["types"]),
        owner=row["owner"],
        language=row["language"],
        definer=row["definer"],
        volatility=row["volatility"],
        leakproof=row["leakproof"],
        returns=row["returns"],
        arguments=row["arguments"],
        search_path=row["search_path"],
        body=row["body"],
        grants=_grants(row["grants"]),
        member=row["member"],
        resolved=row["resolved"],
    )


def _foreign_key(row: DictRow) -> c.ForeignKey:
    return c.ForeignKey(
        id=ObjectId("constraint", row["schema"], row["table"], row["name"]),
        table=row["relid"],
        columns=tuple(row["columns"]),
        target=row["target"],
        target_columns=tuple(row["target_columns"]),
        on_delete=row["on_delete"],
        on_update=row["on_update"],
    )


def _index(row: DictRow) -> c.Index:
    behind = row["constraint"]
    id = (
        ObjectId("constraint", row["schema"], row["table"], behind)
        if behind
        else ObjectId("index", row["schema"], row["name"])
    )
    return c.Index(
        id=id,
        table=row["relid"],
        columns=tuple(row["columns"]),
        unique=row["unique"],
        primary=row["primary"],
        exclusion=row["exclusion"],
        partial=row["partial"],
        expressions=tuple(row["expressions"]),
    )


def _roles(rows: list[DictRow], members: list[DictRow]) -> dict[str, c.Role]:
    inherits: dict[str, set[str]] = {}
    becomes: dict[str, set[str]] = {}
    for row in members:
        if row["inherits"]:
            inherits.setdefault(row["member"], set()).add(row["role"])
        if row["becomes"]:
            becomes.setdefault(row["member"], set()).add(row["role"])
    return {
        row["name"]: c.Role(
            row["name"],
            row["login"],
            row["superuser"],
            row["bypasses"],
            _closure(row["name"], inherits),
            _closure(row["name"], becomes),
        )
        for row in rows
    }


def _closure(start: str, edges: Mapping[str, set[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for role in edges.get(waiting.pop(), ()):
            if role not in found:
                found.add(role)
                waiting.append(role)
    return frozenset(found - {start})
