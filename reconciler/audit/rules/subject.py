"""What a check is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.audit.rules.catalog import Catalog, Command, Relation
from reconciler.audit.rules.plans import Plan
from reconciler.shadow.tenants.values import Owned, Tenancy


@dataclass(frozen=True, slots=True)
class Subject:
    """What was read of the catalog, whose each table is (None when nobody said or could tell), and, by table and command, what PostgreSQL
    makes of its policies."""

    catalog: Catalog
    tenancy: Tenancy | None = None
    plans: Mapping[tuple[int, Command], tuple[Plan, ...]] = field(default_factory=dict)

    def owned(self, table: Relation) -> Owned | None:
        """Whose the rows of a table are; None when nobody said."""
        return self.tenancy.tables.get(table.id) if self.tenancy else None

    def is_shared(self, table: Relation) -> bool:
        """Whether the rows of a table are known to belong to nobody."""
        owned = self.owned(table)
        return owned is not None and owned.ownership == "global"

    def deciding(self, table: Relation) -> frozenset[str]:
        """The columns that say whose a row is, where that is known."""
        owned = self.owned(table)
        return frozenset(owned.columns) if owned is not None else frozenset()
