"""What a check is given."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.audit.rules.catalog import Catalog
from reconciler.shadow.tenants.values import Tenancy


@dataclass(frozen=True, slots=True)
class Subject:
    """What was read of the catalog, and whose each table is (None when nobody said or could tell)."""

    catalog: Catalog
    tenancy: Tenancy | None = None
