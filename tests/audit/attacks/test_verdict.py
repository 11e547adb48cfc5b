"""What a cell says, from what attacks came to: nothing is isolated without an attack of the plain kind and a control."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.audit.attacks.values import Attack, Outcome
from reconciler.audit.attempt import Answer, Trouble
from reconciler.audit.surface import Rights
from reconciler.audit.verdict import Question, called, decided
from reconciler.model import ObjectId
from reconciler.shadow.tenants.values import Identity

TABLE = ObjectId("table", "public", "t")
MEMBER = Identity("member of A", "authenticated", {}, ("A",))
ANON = Identity("anon", "anon")
RLS = Trouble("42501", 'new row violates row-level security policy for table "t"')
DENIED = Trouble("42501", "permission denied for table t")
UNIQUE = Trouble("23505", "duplicate key value violates unique constraint")
RAISED = Trouble("P0001", "not today")


def came(
    trouble: Trouble | None = None, *, own: bool = False, aside: bool = False, moved: int = 0
) -> Outcome:
    attack = Attack(TABLE, "UPDATE", "does it", "update t", "ATK003", own=own, aside=aside)
    return Outcome(attack, MEMBER, Answer(True, (), trouble), moved=moved)


def verdict(*outcomes: Outcome, question: Question | None = None) -> str:
    asked = question or Question(
        MEMBER, "UPDATE", Rights(bound=True, policies=frozenset({"UPDATE"})), "tenant", ()
    )
    return decided(replace(asked, outcomes=outcomes)).verdict


CONTROL = came(own=True, moved=1)
REFUSED = came(RLS, own=True)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((CONTROL, came()), "isolated"),
        ((CONTROL, came(RLS)), "isolated"),
        ((CONTROL, came(RAISED)), "isolated"),
        ((CONTROL,), "undecided"),
        ((CONTROL, came(aside=True)), "undecided"),
        ((CONTROL, came(UNIQUE)), "undecided"),
        ((REFUSED, came(RLS)), "undecided"),
        ((came(RAISED, own=True), came(RAISED)), "undecided"),
        ((came(own=True), came()), "undecided"),
        ((came(DENIED),), "isolated"),
        ((), "undecided"),
        ((CONTROL, replace(came(), hurt=((TABLE, "(1)"),))), "leak"),
        ((CONTROL, came(), replace(came(aside=True), planted=((TABLE, "(1)"),))), "leak"),
    ],
)
def test_a_cell(outcomes: tuple[Outcome, ...], expected: str) -> None:
    assert verdict(*outcomes) == expected


def test_what_others_of_the_tenant_may_do_shows_that_the_policy_is_understood() -> None:
    asked = Question(
        MEMBER, "UPDATE", Rights(bound=True, policies=frozenset({"UPDATE"})), "tenant", (), alive="admin of A"
    )
    assert verdict(REFUSED, came(RLS), question=asked) == "isolated"


def test_no_policy_for_the_command_refuses_altogether() -> None:
    asked = Question(MEMBER, "UPDATE", Rights(bound=True), "tenant", ())
    assert verdict(came(own=True), came(), question=asked) == "isolated"


def test_without_a_row_of_the_other_tenant_nothing_is_shown() -> None:
    asked = Question(
        MEMBER,
        "UPDATE",
        Rights(bound=True, policies=frozenset({"UPDATE"})),
        "tenant",
        (),
        absent="no row of B",
    )
    found = decided(replace(asked, outcomes=(CONTROL, came())))
    assert (found.verdict, found.reason) == ("undecided", "no row of B")


def test_rows_of_nobody_are_shared_and_rows_of_who_knows_whom_undecided() -> None:
    leak = replace(came(), hurt=((TABLE, "(1)"),))
    shared = Question(ANON, "UPDATE", Rights(), "global", (leak,))
    assert decided(shared).verdict == "shared"
    assert decided(replace(shared, ownership="unknown")).verdict == "undecided"


def test_a_call_that_does_nothing_with_own_keys_decides_nothing() -> None:
    own, attack = came(own=True), came()
    assert called(MEMBER, (own, attack), "", pure=False).verdict == "undecided"
    assert called(MEMBER, (replace(own, moved=1), attack), "", pure=False).verdict == "isolated"
    assert called(MEMBER, (own, attack), "", pure=True).verdict == "isolated"
    # an answer that strangers' keys get as well says nothing of A's
    answered = replace(own, rows=("0",))
    nobody = replace(answered, attack=replace(own.attack, nobody=True))
    assert called(MEMBER, (answered, nobody, attack), "", pure=False).verdict == "undecided"
    assert (
        called(MEMBER, (answered, replace(nobody, rows=("1",)), attack), "", pure=False).verdict == "isolated"
    )
    assert called(MEMBER, (answered, attack), "", pure=False).verdict == "isolated"
    assert (
        called(MEMBER, (came(RAISED, own=True), came(RAISED)), "admin of A", pure=False).verdict == "isolated"
    )
    assert called(MEMBER, (came(UNIQUE, own=True), came(UNIQUE)), "", pure=False).verdict == "undecided"
