"""An exemption accepts what it names until its last day, and is a finding itself when it has expired or matches nothing."""

from __future__ import annotations

from datetime import date

from reconciler.audit.exemptions import Exemption, exempted
from reconciler.model import Finding, ObjectId

SECRETS = Finding("RLS004", "info", ObjectId("table", "private", "secrets"), "No policy.")
NOTES = Finding("RLS004", "info", ObjectId("table", "public", "notes"), "No policy.")
GRANT = Finding("GRANT001", "warning", ObjectId("table", "public", "notes"), "Truncate.", detail="anon")
TODAY = date(2027, 1, 31)


def test_a_key_accepts_one_finding_on_its_last_day_too() -> None:
    one = Exemption("RLS004 table private.secrets", "only the server", TODAY)
    assert exempted((SECRETS, NOTES, GRANT), (one,), TODAY) == ((NOTES, GRANT), ((SECRETS, one),), ())


def test_the_detail_is_part_of_the_key() -> None:
    for key, kept in (("GRANT001 table public.notes", 1), ("GRANT001 table public.notes anon", 0)):
        assert len(exempted((GRANT,), (Exemption(key, "", TODAY),), TODAY)[0]) == kept


def test_a_star_accepts_what_begins_so() -> None:
    one = Exemption("RLS004*", "they are meant so", TODAY)
    kept, accepted, own = exempted((SECRETS, NOTES, GRANT), (one,), TODAY)
    assert (kept, [finding for finding, _ in accepted], own) == ((GRANT,), [SECRETS, NOTES], ())


def test_what_expired_accepts_nothing_and_is_told() -> None:
    old = Exemption("RLS004*", "they are meant so", date(2027, 1, 30))
    kept, accepted, own = exempted((SECRETS, NOTES), (old,), TODAY)
    assert (kept, accepted) == ((SECRETS, NOTES), ())
    assert [(one.rule, one.severity) for one in own] == [("EXM001", "warning")]
    assert "expired on 2027-01-30 and still matches 2 findings" in own[0].says
    assert own[0].key == 'EXM001 exemption "RLS004*"'


def test_another_exemption_may_follow_one_that_expired() -> None:
    old, new = Exemption("RLS004*", "old words", date(2026, 1, 1)), Exemption("RLS004*", "new words", TODAY)
    kept, accepted, own = exempted((SECRETS,), (old, new), TODAY)
    assert (kept, accepted) == ((), ((SECRETS, new),))
    assert [one.rule for one in own] == ["EXM001"]


def test_what_matches_nothing_is_told_whether_it_expired_or_not() -> None:
    for day in (TODAY, date(2026, 1, 1)):
        kept, accepted, own = exempted((NOTES,), (Exemption("RLS004 table t", "gone by now", day),), TODAY)
        assert (kept, accepted) == ((NOTES,), ())
        assert [(one.rule, one.severity) for one in own] == [("EXM002", "info")]
        assert "gone by now" in own[0].says
