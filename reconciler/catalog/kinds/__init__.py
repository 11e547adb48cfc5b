"""All kinds of objects this program can compare and write. A new kind is one module and one line here.

The order is that of PostgreSQL's own dependencies, roughly: where the dependency graph does not decide, what stands first is
created first and dropped last.
"""

from __future__ import annotations

from reconciler.catalog.kinds import (
    column,
    composite,
    constraint,
    default,
    domain,
    domain_constraint,
    enum,
    extension,
    function,
    index,
    materialized_view,
    owned_by,
    partition,
    policy,
    procedure,
    rule,
    schema,
    sequence,
    table,
    trigger,
    view,
)
from reconciler.catalog.kinds.kind import Alteration, Context, Kind, Unplannable

REGISTRY: tuple[Kind, ...] = (
    schema.KIND,
    extension.KIND,
    enum.KIND,
    domain.KIND,
    domain_constraint.KIND,
    composite.KIND,
    sequence.KIND,
    function.KIND,
    procedure.KIND,
    table.KIND,
    partition.KIND,
    column.KIND,
    default.KIND,
    owned_by.KIND,
    constraint.KIND,
    index.KIND,
    view.KIND,
    rule.KIND,
    materialized_view.KIND,
    trigger.KIND,
    policy.KIND,
)

KINDS = {kind.name: kind for kind in REGISTRY}
RANK = {kind.name: rank for rank, kind in enumerate(REGISTRY)}

__all__ = ["KINDS", "RANK", "REGISTRY", "Alteration", "Context", "Kind", "Unplannable"]
