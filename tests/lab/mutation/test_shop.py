"""Thirty faults put into the triggers of a shop: how many of them `test` finds, or the audit where that is their home.

pytest -m races -s tests/lab/mutation
"""

from __future__ import annotations

from pathlib import Path

import pytest
from shopfaults import FAULTS, SHOP

from reconciler.engine import testing
from reconciler.engine.auditing import audited
from reconciler.engine.subject import Subject, of_source
from reconciler.engine.testing import Wanted
from reconciler.lab.explore import Limits
from reconciler.lab.report import Case
from reconciler.settings import Database

pytestmark = [pytest.mark.races, pytest.mark.timeout(3600)]
DATABASE = Database(name="shop", tenant_column="tenant_id")
TRIED = ("public.orders.*", "public.orders/*")
"""Each trigger by itself, and, where that shows nothing, the races."""


def wanted(pattern: str) -> Wanted:
    return Wanted(pattern, levels=("read committed",), limits=Limits(60, 6), bulk=200)


def bad(subject: Subject, pattern: str) -> list[Case]:
    cases = testing.tested(subject, DATABASE, wanted(pattern)).cases
    return [case for case in cases if case.verdict in ("failed", "warning")]


def findings(subject: Subject) -> set[str]:
    found = audited(subject, DATABASE, attacks=False)
    return {f"{one.rule} {one.subject}" for one in found.findings if one.severity != "info"}


def test_faults_are_found_and_the_shop_is_clean(tmp_path: Path) -> None:
    assert len(FAULTS) == 30 and len({fault.name for fault in FAULTS}) == 30
    file = tmp_path / "shop.sql"
    file.write_text(SHOP)
    with of_source(str(file)) as subject:
        assert [case for pattern in TRIED for case in bad(subject, pattern)] == []
        known = findings(subject)
    missed = []
    for fault in FAULTS:
        file.write_text(fault.schema)
        with of_source(str(file)) as subject:
            how = next((f"{c.key}: {c.says}" for pattern in TRIED for c in bad(subject, pattern)), "")
            how = how or next((f"audit: {one}" for one in sorted(findings(subject) - known)), "")
        print(f"{'found ' if how else 'MISSED'} {fault.name}: {how[:150]}", flush=True)
        if not how:
            missed.append(fault.name)
    assert len(FAULTS) - len(missed) >= 28, missed
