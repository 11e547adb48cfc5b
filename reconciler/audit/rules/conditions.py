"""Questions to the condition of a policy, answered from its tree: which columns, which tables, which functions, which branches.

A row of the policy's own table is relation number 1 of the outermost level. Promises answers about what is written, not about what
it means: that `a = b or a <> b` is always true nobody says here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from reconciler.audit.rules.catalog import Catalog, Column, Condition, Function, Relation
from reconciler.audit.rules.tree import Node, Value, walk

_IDENTITIES = {"9": "current_role", "10": "current_user", "11": "user", "12": "session_user"}
"""The SQLValueFunctions that say who is asking (nodes/primnodes.h)."""


def columns(tree: Node) -> frozenset[int]:
    """The numbers of the own table's columns that it mentions, at any depth; 0 is the whole row."""
    return frozenset(
        node.number("varattno")
        for node, depth in walk(tree)
        if node.kind == "VAR" and node.number("varno") == 1 and node.number("varlevelsup") == depth
    )


def mentioned(table: Relation, tree: Node) -> frozenset[str]:
    """The same by name; the whole row mentions every column."""
    found = columns(tree)
    return frozenset(one.name for one in table.columns if one.number in found or 0 in found)


def reads(tree: Node) -> frozenset[int]:
    """The relations that it reads in its subqueries."""
    return frozenset(
        node.number("relid")
        for node, _ in walk(tree)
        if node.kind == "RANGETBLENTRY" and node["rtekind"] == "0" and node["inFromCl"] != "false"
    ) - {0}


def calls(tree: Node) -> Iterator[tuple[Node, int]]:
    """The nodes that call a function, operators among them, with the OID of the function."""
    for node, _ in walk(tree):
        oid = node.number("funcid") or node.number("opfuncid")
        if oid:
            yield node, oid


def called(catalog: Catalog, tree: Node) -> tuple[Function, ...]:
    """The functions that it calls, each once."""
    found = {oid: catalog.functions[oid] for _, oid in calls(tree) if oid in catalog.functions}
    return tuple(found.values())


def each_row(tree: Node) -> Iterator[Node]:
    """The nodes that are evaluated for each row: all but those inside subqueries."""
    yield tree
    for name, value in tree.fields.items():
        if not (tree.kind == "SUBLINK" and name == "subselect"):
            yield from (node for one in _flat(value) for node in each_row(one))


def _flat(value: Value) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _flat(one)


def called_each_row(catalog: Catalog, tree: Node) -> Iterator[tuple[Node, Function]]:
    """The functions that it calls for each row, with the nodes that do."""
    for node in each_row(tree):
        function = catalog.functions.get(node.number("funcid") or node.number("opfuncid"))
        if function is not None:
            yield node, function


def disjuncts(tree: Node) -> tuple[Node, ...]:
    """The branches of an OR at the top; the condition itself where there is none."""
    return _branches(tree, "or")


def conjuncts(tree: Node) -> tuple[Node, ...]:
    return _branches(tree, "and")


def _branches(tree: Node, operator: str) -> tuple[Node, ...]:
    if tree.kind == "BOOLEXPR" and tree["boolop"] == operator:
        return tuple(branch for arg in tree.nodes("args") for branch in _branches(arg, operator))
    return (tree,)


def bare(node: Node) -> Node:
    """What is inside casts, and inside a `(select …)` that reads no table."""
    while True:
        if node.kind in ("RELABELTYPE", "COERCEVIAIO", "ARRAYCOERCEEXPR") or (
            node.kind == "FUNCEXPR" and node["funcformat"] in ("1", "2")
        ):
            inner = node.nodes("arg") or node.nodes("args")[:1]
        elif node.kind == "SUBLINK" and node["subLinkType"] == "4":
            query = node.nodes("subselect")[0]
            inner = (
                ()
                if query.nodes("rtable")
                else tuple(t for e in query.nodes("targetList") for t in e.nodes("expr"))
            )
        else:
            return node
        if len(inner) != 1:
            return node
        node = inner[0]


def comparisons(tree: Node) -> Iterator[tuple[Node, Node, int, Node]]:
    """Both sides of every operator with two, once from each; how deep in subqueries it stands; and the operator itself."""
    for node, depth in walk(tree):
        sides = node.nodes("args") if node.kind == "OPEXPR" else ()
        if len(sides) == 2:
            yield sides[0], sides[1], depth, node
            yield sides[1], sides[0], depth, node


def own_column(table: Relation, node: Node, depth: int = 0) -> Column | None:
    """The column of the policy's own table that a node is, casts aside."""
    inner = bare(node)
    if inner.kind != "VAR" or inner.number("varno") != 1 or inner.number("varlevelsup") != depth:
        return None
    return table.column(inner.number("varattno"))


def asks(catalog: Catalog, tree: Node) -> bool:
    """Whether it depends on who is asking: on a setting, a claim, or the current role."""
    return any(
        (node.kind == "SQLVALUEFUNCTION" and node["op"] in _IDENTITIES)
        or ((node.number("funcid") or node.number("opfuncid")) in asking(catalog))
        for node, _ in walk(tree)
    )


def identity(node: Node) -> str:
    """`current_user` and its like, when the node is one; else nothing."""
    return _IDENTITIES.get(str(node["op"]), "") if node.kind == "SQLVALUEFUNCTION" else ""


def reached(catalog: Catalog, tree: Node) -> tuple[Function, ...]:
    """The users' functions that it calls and those that their bodies call, as far as the text tells."""
    found = {f.oid: f for f in called(catalog, tree) if f.id.schema != "pg_catalog"}
    waiting = list(found.values())
    while waiting:
        for function in _callees(catalog).get(waiting.pop().oid, ()):
            if function.oid not in found:
                found[function.oid] = function
                waiting.append(function)
    return tuple(found.values())


@lru_cache(maxsize=8)
def _callees(catalog: Catalog) -> Mapping[int, tuple[Function, ...]]:
    named: dict[str, list[Function]] = {}
    theirs = [function for function in catalog.functions.values() if function.id.schema != "pg_catalog"]
    for function in theirs:
        named.setdefault(function.id.name, []).append(function)
    return {
        function.oid: tuple(
            other
            for name in sorted(set(_CALL.findall(function.body.lower())))
            for other in named.get(name, ())
        )
        for function in theirs
    }


_CALL = re.compile(r"([a-z_][a-z0-9_$]*)\"?\s*\(")
_ASKS = re.compile(
    r"\bcurrent_setting\s*\(|\b(current_user|session_user|current_role)\b|\bauth\s*\.\s*(uid|jwt|role|email)\s*\(",
    re.IGNORECASE,
)
_PLATFORM = frozenset({"uid", "jwt", "role", "email"})


@lru_cache(maxsize=8)
def asking(catalog: Catalog) -> frozenset[int]:
    """The functions that look at the session: current_setting() and what calls it, as far as the text of a body tells."""
    callers: dict[int, list[int]] = {}
    for oid, callees in _callees(catalog).items():
        for callee in callees:
            callers.setdefault(callee.oid, []).append(oid)
    found = {oid for oid, f in catalog.functions.items() if _asks_itself(f)}
    waiting = list(found)
    while waiting:
        more = set(callers.get(waiting.pop(), ())) - found
        found |= more
        waiting += more
    return frozenset(found)


def _asks_itself(function: Function) -> bool:
    if function.id.schema == "pg_catalog":
        return function.id.name == "current_setting"
    return (function.id.schema == "auth" and function.id.name in _PLATFORM) or bool(
        _ASKS.search(function.body)
    )


def always(condition: Condition) -> bool | None:
    """Its value when it has one for everybody and every row; an OR with a branch that is always true is so itself."""
    if condition.always is not None:
        return condition.always
    branches = disjuncts(condition.tree)
    return True if len(branches) > 1 and any(branch.truth is True for branch in branches) else None
