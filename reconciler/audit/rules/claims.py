"""Rules about what a policy takes the caller's word for: claims that are missing, empty, or written by the caller."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules.catalog import Catalog, Condition, Policy, Relation
from reconciler.audit.rules.conditions import (
    asks,
    bare,
    calls,
    columns,
    comparisons,
    conjuncts,
    disjuncts,
    identity,
    own_column,
    reached,
)
from reconciler.audit.rules.subject import Subject
from reconciler.audit.rules.tree import Node, walk
from reconciler.model import Finding

_IS_NULL, _IS_NOT_NULL = "0", "1"


def _every(subject: Subject) -> Iterator[tuple[Relation, Policy, str, Condition]]:
    for table, policy in subject.catalog.own_policies():
        for name, condition in policy.conditions:
            yield table, policy, name, condition


def _said(policy: Policy, table: Relation, name: str, condition: Condition) -> str:
    return f"Policy {policy.name} on {table.id}: {name} ({condition.text})"


def _is_open_without(catalog: Catalog, table: Relation, branch: Node) -> bool:
    """Whether a branch of an OR, or a whole condition, is true for a caller who has no claim."""
    return all(_holds_without(catalog, table, part) for part in conjuncts(branch))


def _holds_without(catalog: Catalog, table: Relation, node: Node) -> bool:
    if node.kind == "NULLTEST" and node["nulltesttype"] == _IS_NULL:
        return asks(catalog, node) and not columns(node)
    if node.kind == "BOOLEXPR" and node["boolop"] == "not":
        inner = node.nodes("args")[0]
        if inner.kind == "NULLTEST" and inner["nulltesttype"] == _IS_NOT_NULL:
            return asks(catalog, inner) and not columns(inner)
        if inner.kind == "DISTINCTEXPR":
            return asks(catalog, inner) and any(_may_be_null(table, side) for side in inner.nodes("args"))
    sides = node.nodes("args") if node.kind == "OPEXPR" else ()
    if len(sides) != 2:
        return False
    for one, other in (sides, sides[::-1]):
        if one.kind == "COALESCEEXPR" and other.kind == "VAR" and columns(other):
            first, *rest = one.nodes("args")
            if asks(catalog, first) and any(columns(node) == columns(other) for node in rest):
                return True
        if bare(other).text == "" and asks(catalog, one) and not columns(one):
            return True
    return False


def _may_be_null(table: Relation, side: Node) -> bool:
    column = table.column(side.number("varattno")) if side.kind == "VAR" else None
    return column is not None and column.nullable


def _open_without_claim(subject: Subject) -> Iterator[Finding]:
    for table, policy, name, condition in _every(subject):
        branches = disjuncts(condition.tree)
        if policy.permissive and any(_is_open_without(subject.catalog, table, branch) for branch in branches):
            yield OPEN_WITHOUT_CLAIM.finding(
                policy.id,
                f"{_said(policy, table, name, condition)} holds for a caller without a claim.",
                detail=name.replace(" ", "_"),
            )


OPEN_WITHOUT_CLAIM = Rule(
    id="POL011",
    title="A missing claim opens a policy",
    severity="warning",
    condition="A branch of a permissive policy is true when the caller's claim is NULL or empty: `auth.uid() is null or …`,"
    " `coalesce(claim, org_id) = org_id`, `org_id is not distinct from claim`, `claim = ''`.",
    consequence="Whoever sends no token, or whose connection comes out of a pool without its settings, passes where nobody should.",
    remedy="Take the branch out. A missing claim must equal nothing: compare with =, and make '' NULL by nullif(…, '').",
    references=("pgrls SEC004", "pgrls SEC038"),
    check=_open_without_claim,
)

_METADATA = re.compile(r"'user_metadata'|\{user_metadata\b|raw_user_meta_data", re.IGNORECASE)


def _user_metadata(subject: Subject) -> Iterator[Finding]:
    for table, policy, name, condition in _every(subject):
        through = [f for f in reached(subject.catalog, condition.tree) if _METADATA.search(f.body)]
        if _METADATA.search(condition.text):
            says = f"{_said(policy, table, name, condition)} trusts what users write about themselves."
        elif through:
            listed = ", ".join(str(function.id) for function in through)
            says = (
                f"Policy {policy.name} on {table.id} trusts, by {listed}, what users write about themselves."
            )
        else:
            continue
        yield USER_METADATA.finding(policy.id, says, detail=name.replace(" ", "_"))


USER_METADATA = Rule(
    id="POL012",
    title="A policy trusts what users write about themselves",
    severity="warning",
    condition="A policy, or a function that it calls, reads user_metadata of the token or raw_user_meta_data of auth.users.",
    consequence="Every signed-in user can change that by one call of the API, and be an administrator or a member of another tenant"
    " with the next token.",
    remedy="Keep roles and tenants in a table of members, or in app_metadata, which only the server writes.",
    references=("splinter 0015", "pgrls SEC033"),
    check=_user_metadata,
)

_ONE_ARGUMENT = re.compile(r"\bcurrent_setting\s*\(\s*'[^']*'\s*(,\s*false\s*)?\)", re.IGNORECASE)


def _settings(catalog: Catalog, tree: Node) -> Iterator[Node]:
    for node, oid in calls(tree):
        function = catalog.functions.get(oid)
        if function is not None and (function.id.schema, function.id.name) == (
            "pg_catalog",
            "current_setting",
        ):
            yield node


def _own_bodies(subject: Subject, tree: Node, pattern: re.Pattern[str]) -> str:
    found = (
        f for f in reached(subject.catalog, tree) if f.id.schema in subject.catalog.ours and not f.member
    )
    return ", ".join(str(function.id) for function in found if pattern.search(function.body))


def _strict_setting(subject: Subject) -> Iterator[Finding]:
    for table, policy, name, condition in _every(subject):
        asked = list(_settings(subject.catalog, condition.tree))
        strict = any(len(node.nodes("args")) == 1 or node.nodes("args")[1].truth is False for node in asked)
        through = _own_bodies(subject, condition.tree, _ONE_ARGUMENT)
        if strict or through:
            by = f", by {through}," if through else ""
            yield STRICT_SETTING.finding(
                policy.id,
                f"Policy {policy.name} on {table.id}{by} raises an error where the setting was never set.",
                detail=name.replace(" ", "_"),
            )


STRICT_SETTING = Rule(
    id="POL013",
    title="A policy fails where a setting was never set",
    severity="info",
    condition="A policy, or a function that it calls, reads a setting by current_setting(name) without the argument missing_ok.",
    consequence="On a fresh connection every query of the table fails with error 42704; on one that has set it once, the value is ''"
    " instead, so the same request does one thing or another.",
    remedy="Write nullif(current_setting('app.org_id', true), ''): NULL, which equals no row, in both cases.",
    references=("pgrls SEC019",),
    check=_strict_setting,
)

_CAST_OF_SETTING = re.compile(
    r"\bcurrent_setting\s*\([^()]*\)\s*::\s*(?!text\b|varchar\b|character\b)\w+|\bcast\s*\(\s*current_setting\s*\([^()]*\)\s+as\s+(?!text\b|varchar\b)",
    re.IGNORECASE,
)


def _cast_of_empty(subject: Subject) -> Iterator[Finding]:
    for table, policy, name, condition in _every(subject):
        settings = {id(node) for node in _settings(subject.catalog, condition.tree)}
        direct = any(
            node.kind == "COERCEVIAIO" and any(id(inner) in settings for inner in node.nodes("arg"))
            for node, _ in walk(condition.tree)
        )
        through = _own_bodies(subject, condition.tree, _CAST_OF_SETTING)
        if direct or through:
            by = f", by {through}," if through else ""
            yield CAST_OF_EMPTY.finding(
                policy.id,
                f"Policy {policy.name} on {table.id}{by} casts a setting that reads '' once a transaction has set it.",
                detail=name.replace(" ", "_"),
            )


CAST_OF_EMPTY = Rule(
    id="POL014",
    title="An empty setting makes a policy fail",
    severity="info",
    condition="A policy, or a function that it calls, casts current_setting(…) to uuid, a number or JSON without making '' NULL.",
    consequence="After the first SET LOCAL of a session the setting reads '', not NULL. On a pooled connection a request without claims then"
    " fails with error 22P02 instead of finding no row.",
    remedy="Write nullif(current_setting('app.org_id', true), '')::uuid.",
    references=("manual: Customized Options",),
    check=_cast_of_empty,
)


def _session_role(subject: Subject) -> Iterator[Finding]:
    for table, policy, name, condition in _every(subject):
        words = {
            identity(bare(other))
            for one, other, depth, _ in comparisons(condition.tree)
            if identity(bare(other)) and own_column(table, one, depth) is not None
        }
        if words:
            yield SESSION_ROLE.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} tells rows apart by {', '.join(sorted(words))}.",
                detail=name.replace(" ", "_"),
            )


SESSION_ROLE = Rule(
    id="POL015",
    title="A policy tells rows apart by the database role",
    severity="warning",
    condition="A policy compares a column of its table with current_user, session_user or their like.",
    consequence="Behind a pool or an API all tenants are one role: to the policy they are one and the same.",
    remedy="Compare with a claim or a setting of the request. Where every tenant really has a role of their own, exempt the finding.",
    references=("pgrls SEC018",),
    check=_session_role,
)

_PATTERN = re.compile(r"like|regex|similar")


def _pattern(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy, name, condition in _every(subject):
        for node, oid in calls(condition.tree):
            function = catalog.functions.get(oid)
            if (
                node.kind == "OPEXPR"
                and function is not None
                and _PATTERN.search(function.id.name)
                and asks(catalog, node)
            ):
                yield PATTERN.finding(
                    policy.id,
                    f"{_said(policy, table, name, condition)} takes a claim for a pattern.",
                    detail=name.replace(" ", "_"),
                )
                break


PATTERN = Rule(
    id="POL016",
    title="A claim is used as a pattern",
    severity="warning",
    condition="A policy compares with a claim or a setting by LIKE, SIMILAR TO or a regular expression.",
    consequence="A claim with % or .* in it matches every row.",
    remedy="Compare with =, after lower() on both sides where letter case does not count.",
    references=("pgrls SEC026",),
    check=_pattern,
)

RULES = (OPEN_WITHOUT_CLAIM, USER_METADATA, STRICT_SETTING, CAST_OF_EMPTY, SESSION_ROLE, PATTERN)
