"""Who allowed what: every hazard has its rule, an approval is for one very file, and the history knows the giver."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import migrate
from reconciler.engine import looking
from reconciler.engine.applying import apply, rollback
from reconciler.engine.approving import approvable, approve, withdraw
from reconciler.engine.consent import NEEDS_CONSENT, RULES, Given, client, refuse_hazards, rule_of
from reconciler.engine.cycle import run_once
from reconciler.engine.drift import drift
from reconciler.engine.explain import EXPLANATIONS, explain
from reconciler.engine.planning import propose
from reconciler.errors import Stalled, Usage
from reconciler.migrate.history_schema import UPGRADES
from reconciler.model import Consent, Hazard, HazardCode, Migration, Statement
from reconciler.pg import connect

from .conftest import Project

Make = Callable[..., Project]
README = Path(__file__).parents[2] / "README.md"

LIVE = "create table t (id int primary key, a text, b text)"
LESS = "create table t (id int primary key, b text);"


@pytest.mark.parametrize("code", HazardCode)
def test_each_hazard_has_its_rule_its_explanation_and_its_line_in_the_readme(code: HazardCode) -> None:
    assert [one.code for one in EXPLANATIONS].count(code) == 1
    found = explain(code)
    assert all(text.endswith((".", "`")) for text in (found.means, found.matters, found.safely))
    asked = RULES[code] == "asked"
    assert (code in NEEDS_CONSENT) == asked
    assert (f"--allow {code}" in rule_of(code)) == asked
    line = re.search(rf"^\| `{code}` \| (.*?) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert line and (line[1].strip() == "●") == asked


@pytest.mark.parametrize("code", HazardCode)
def test_each_hazard_is_refused_or_told_by_its_rule(code: HazardCode) -> None:
    migration = Migration("20260101000000", "m", (), ())
    hazards = (Hazard(code, "Something happens."),)
    if RULES[code] == "told":
        refuse_hazards([(migration, hazards)], Given())
        return
    with pytest.raises(Stalled, match=rf"{code}: Something happens\.") as refused:
        refuse_hazards([(migration, hazards)], Given())
    assert f"--allow {code}, or reconciler approve 20260101000000" in refused.value.hint
    for given in (
        Given(typed=frozenset({code})),
        Given(typed=frozenset({"all"})),
        Given(configured=frozenset({code})),
    ):
        refuse_hazards([(migration, hazards)], given)
        (consent,) = given.consents(migration, hazards)
        assert consent.code == code and consent.how == ("--allow" if given.typed else "configuration")


def pending_drop(make: Make, **extra: object) -> tuple[Project, str]:
    """A project whose one pending file drops a column."""
    p = make(LESS, live=LIVE, mode="apply", **extra)
    with pytest.raises(Stalled, match="DELETES_DATA"):
        apply(p.database)
    assert p.migrations == []  # a person is there, and may allow it
    status = run_once(p.database)
    (version,) = (name.partition("_")[0] for name in p.migrations)
    (stalled,) = (c for c in status.conditions if c.type == "Stalled")
    assert f"reconciler approve {version}" in stalled.sentence
    return p, version


def test_a_loop_writes_the_file_waits_for_approval_and_goes_on(project: Make) -> None:
    p, version = pending_drop(project)
    run_once(p.database)
    assert len(p.migrations) == 1  # nothing piles up

    found = approvable(p.database, version[:10])
    assert {h.code for h in found.hazards} == {HazardCode.DELETES_DATA}
    given = approve(p.database, found)
    assert given.codes == ("DELETES_DATA",) and client() in given.who

    status = run_once(p.database)
    assert status.facts["applied"] == [version]
    (row,) = looking.history(p.database)
    assert row.consents == (Consent("DELETES_DATA", "approve", given.who, given.at),)
    with pytest.raises(Stalled, match="consent"):
        rollback(p.database) if RULES[HazardCode.DELETES_DATA] == "told" else refuse_hazards(
            [(found.migration, found.hazards)], Given(approvals={version: given}), down=True
        )


def test_an_approval_outlives_the_process_whose_file_it_was(project: Make, tmp_path: Path) -> None:
    """The folder goes with the process; who leads next plans the same anew. What differs by a word has no approval."""
    p, version = pending_drop(project)
    given = approve(p.database, approvable(p.database, version))
    p.database.migrations.rename(tmp_path / "gone")
    p.declare(LESS.replace("b text", "b text, c text"))
    with pytest.raises(Stalled, match="DELETES_DATA"):
        apply(p.database, again=False)
    p.declare(LESS)
    (row,) = apply(p.database, again=False)
    assert (row.version, row.consents) == (
        version,
        (Consent("DELETES_DATA", "approve", given.who, given.at),),
    )
    assert [name[:14] for name in p.migrations] == [version]


@pytest.mark.thorough
def test_an_edited_file_has_no_approval_and_one_can_be_taken_back(project: Make) -> None:
    p, version = pending_drop(project)
    approve(p.database, approvable(p.database, version))
    path = p.folder / "schema" / "migrations" / p.migrations[0]
    text = path.read_text()
    path.write_text(text.replace("-- UP\n", "-- UP\n\nselect 1;\n", 1))
    with pytest.raises(Stalled, match=r"was edited after .* approved it at .*: the approval is void"):
        apply(p.database)
    assert not looking.show(p.database, version).holds

    path.write_text(text)
    assert looking.show(p.database, version).holds
    withdraw(p.database, version)
    with pytest.raises(Stalled, match="needs a person's consent"):
        apply(p.database)
    with pytest.raises(Usage, match="no approval"):
        withdraw(p.database, version)
    assert p.sql("select count(*) from reconciler.approvals") == [(2,)]


def test_what_is_typed_and_what_is_configured_are_told_apart(project: Make) -> None:
    p = project(LESS, live=LIVE, allow=("DELETES_DATA",))
    apply(p.database)
    p.declare("create table t (id int primary key);")
    apply(p.database, allow={"DELETES_DATA"})
    first, second = looking.history(p.database)
    assert [(one.code, one.how) for one in first.consents] == [("DELETES_DATA", "configuration")]
    assert [(one.code, one.how) for one in second.consents] == [("DELETES_DATA", "--allow")]
    assert client() in second.consents[0].who and f"role {p.url.user}" in second.consents[0].who
    assert client() in second.applied_by


def test_a_history_from_before_can_be_read_and_is_brought_forward(project: Make) -> None:
    p = project("create table t (id int);")
    with connect(p.url) as connection:
        connection.execute(UPGRADES[0].encode())
        connection.execute("insert into reconciler.format (version) values (1)")
        assert migrate.read(connection) == ()
        assert migrate.approvals(connection) == {}
    apply(p.database)
    (row,) = looking.history(p.database)
    assert row.consents == ()
    assert p.sql("select max(version) from reconciler.format") == [(len(UPGRADES),)]


@pytest.mark.thorough
def test_a_proposal_that_nobody_took_up_is_replaced(project: Make) -> None:
    """The folder holds one proposal, of what would be done now; a file that a person edited or approved stays."""
    p, version = pending_drop(project)
    path = p.folder / "schema" / "migrations" / p.migrations[0]
    p.declare(f"{LESS} create table more ();")
    run_once(p.database)
    (newer,) = p.migrations
    assert not newer.startswith(version)
    text = path.parent.joinpath(newer).read_text()
    assert "proposed by: reconciler run" in text
    path.parent.joinpath(newer).write_text(text.replace("-- UP\n", "-- UP\n\nselect 1;\n", 1))
    p.declare(LESS)
    status = run_once(p.database)
    assert newer in p.migrations
    assert [c.status for c in status.conditions if c.type == "Stalled"] == ["True"]


def test_what_another_process_began_is_finished_without_its_file(project: Make) -> None:
    """Leaders have folders of their own: what one leaves half done another finds in the history."""
    p = project(
        "create table t (id integer); create index on t (id); create table u ();",
        live="create table t (id integer)",
        mode="apply",
    )
    made = propose(p.database).migration
    assert made is not None
    steps = (
        Statement("create table if not exists u ()", ""),
        Statement("create index concurrently if not exists t_id_idx on t (id)", "", transactional=False),
    )
    made = replace(made, up=steps)
    with connect(p.url) as session:
        migrate.ensure(session)
        session.execute("create table u ()")
        migrate.record(session, made, "up", done=1, steps=2)
    run_once(p.database)
    (row,) = looking.history(p.database)
    assert (row.version, row.steps_done, row.steps) == (made.version, 2, 2)
    assert drift(p.database).changes == ()


def test_what_was_let_in_once_is_repaired_without_being_asked_again(project: Make) -> None:
    """A view that shows everybody's rows was allowed; when somebody drops it, it comes back."""
    base = "create table t (id int primary key, org_id uuid); alter table t enable row level security;"
    view = "create view v as select id from t; grant select on v to public;"
    p = project(base + view, live=base)
    (first,) = apply(p.database, allow={"ADDS_FINDING"})
    assert [consent.code for consent in first.consents] == ["ADDS_FINDING"]
    p.sql("drop view v")
    (again,) = apply(p.database)
    assert again.consents == () and drift(p.database).changes == ()
