"""The static rules: what the catalog alone says about row-level security, policies, views, functions, grants and keys.

A finding here is at most a warning: only an attack that ran makes an error. A newcomer adds a `Rule` with its check to a module,
the module's tuple to `_FAMILIES` below, and `tests/audit/cases/<RULE>/bad.sql` and `good.sql`, which are its tests and its
documentation. Rules that an attack or a fired trigger shows have no check; their modules are listed here all the same.
Never changes a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from reconciler.audit import exemptions
from reconciler.audit.rule import Rule
from reconciler.audit.rules import (
    attacks,
    audience,
    claims,
    costs,
    exposure,
    functions,
    gaps,
    grants,
    identities,
    inheritance,
    keys,
    performance,
    policies,
    rls,
    roles,
    scope,
    subqueries,
    triggers,
    views,
)
from reconciler.audit.rules.plans import explained
from reconciler.audit.rules.read import read
from reconciler.audit.rules.subject import Subject
from reconciler.catalog.scope import Scope
from reconciler.model import Finding
from reconciler.platforms import Platform
from reconciler.shadow.tenants.values import Tenancy

__all__ = ["RULES", "Rule", "check", "findings"]

_FAMILIES: Final[tuple[tuple[Rule, ...], ...]] = (
    rls.RULES,
    gaps.RULES,
    inheritance.RULES,
    policies.RULES,
    audience.RULES,
    claims.RULES,
    identities.RULES,
    subqueries.RULES,
    scope.RULES,
    views.RULES,
    functions.RULES,
    grants.RULES,
    roles.RULES,
    keys.RULES,
    exposure.RULES,
    costs.RULES,
    performance.RULES,
    attacks.RULES,
    triggers.RULES,
    exemptions.RULES,
)


def _registered(families: tuple[tuple[Rule, ...], ...]) -> Mapping[str, Rule]:
    found: dict[str, Rule] = {}
    for rule in (rule for family in families for rule in family):
        if rule.id in found:
            raise ValueError(f"two rules are called {rule.id}")
        found[rule.id] = rule
    return MappingProxyType(dict(sorted(found.items())))


RULES: Final[Mapping[str, Rule]] = _registered(_FAMILIES)
"""Every rule by its id."""


def check(
    connection: psycopg.Connection[TupleRow], tenancy: Tenancy | None, *, platform: Platform, schemas: Scope
) -> tuple[Finding, ...]:
    """What the rules find in this database, worst first. `tenancy` None: nobody knows whose the tables are, and the rules that
    need to know it are silent."""
    catalog = read(connection, schemas, platform=platform)
    return findings(Subject(catalog, tenancy, explained(connection, catalog)))


def findings(subject: Subject) -> tuple[Finding, ...]:
    """The same over what was read already."""
    found = {
        finding.key: finding
        for rule in RULES.values()
        if rule.check is not None
        for finding in rule.check(subject)
    }
    order = ("error", "warning", "info")
    return tuple(sorted(found.values(), key=lambda f: (order.index(f.severity), f.rule, f.subject, f.detail)))
