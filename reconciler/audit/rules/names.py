"""Names of objects as SQL for remedies, quoted by PostgreSQL's own rules."""

from __future__ import annotations

from reconciler.audit.rules.catalog import PUBLIC, Function, Policy, Relation
from reconciler.pg import ident


def on(relation: Relation) -> str:
    """The relation, with its schema."""
    return ident(relation.id.schema, relation.id.name)


def policy(found: Policy) -> str:
    """The policy with its table, as ALTER POLICY and DROP POLICY want them."""
    return f"{ident(found.name)} on {ident(found.id.schema, found.id.name)}"


def routine(function: Function) -> str:
    """The function or procedure with its argument types. Those are PostgreSQL's own words, quoted where they must be."""
    return f"{function.id.kind} {ident(function.id.schema, function.id.name)}{function.id.part}"


def role(name: str) -> str:
    return "public" if name == PUBLIC else ident(name)


def roles(names: tuple[str, ...]) -> str:
    return ", ".join(role(name) for name in names)
