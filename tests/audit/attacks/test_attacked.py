"""Each attack finds its hole in a leaky schema, decides that there is none in the closed one, and its script shows the hole in psql."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attacked_schemas import Seen, printed

from reconciler.audit.probe import attacked
from reconciler.pg import connect, ident

MEMBER, ADMIN, ANON = "member of A", "admin of A", "anon"
HOLES = {
    ("public.readable", "SELECT", MEMBER): "ATK001",
    ("public.insertable", "INSERT", MEMBER): "ATK002",
    ("public.updatable", "UPDATE", MEMBER): "ATK003",
    ("public.deletable", "DELETE", MEMBER): "ATK004",
    ("public.emptied", "TRUNCATE", MEMBER): "ATK005",
    ("public.moved", "UPDATE", MEMBER): "ATK006",
    ("public.stolen", "UPDATE", MEMBER): "ATK006",
    ("public.upserted", "UPDATE", MEMBER): "ATK003",
    ("public.unprotected", "DELETE", MEMBER): "ATK004",
    ("public.partly", "SELECT", ANON): "ATK001",
    ("public.admins", "SELECT", ADMIN): "ATK001",
    ("public.members", "INSERT", MEMBER): "ATK002",
    ("public.members", "UPDATE", MEMBER): "ATK006",
    ("public.members", "UPDATE", ADMIN): "ATK006",
    ("public.comments", "INSERT", MEMBER): "ATK002",
    ("public.comments", "UPDATE", ADMIN): "ATK006",
    ("public.drafts", "UPDATE", MEMBER): "ATK006",
    ("public.readings_old", "SELECT", MEMBER): "ATK001",
    ("public.titles", "SELECT", MEMBER): "ATK001",
    ("public.titles", "UPDATE", MEMBER): "ATK003",
    ("public.renamed", "INSERT", MEMBER): "ATK002",
    ("public.renamed", "UPDATE", MEMBER): "ATK003",
    ("public.numbered", "UPDATE", MEMBER): "ATK003",
    ("public.totals", "SELECT", MEMBER): "ATK001",
    ('public."Odd Names"', "SELECT", MEMBER): "ATK001",
    ('public."Odd Names"', "INSERT", ADMIN): "ATK002",
    ('public."Odd Names"', "UPDATE", MEMBER): "ATK003",
    ('public."Odd Names"', "DELETE", MEMBER): "ATK004",
    ("public.title_of(bigint)", "EXECUTE", MEMBER): "ATK007",
    ("public.length_of(bigint)", "EXECUTE", MEMBER): "ATK007",
    ("public.rename(bigint, text)", "EXECUTE", MEMBER): "ATK007",
    ("public.settle(bigint)", "EXECUTE", MEMBER): "ATK007",
    ("public.shouted(public.readable)", "EXECUTE", MEMBER): "ATK007",
    ("public.titles_of(bigint[])", "EXECUTE", MEMBER): "ATK007",
    ("public.pointed(uuid)", "EXECUTE", MEMBER): "ATK007",
    ("public.title_by(text)", "EXECUTE", MEMBER): "ATK007",
    ("public.name_by(text)", "EXECUTE", MEMBER): "ATK007",
    ("public.balance_of(text, uuid)", "EXECUTE", MEMBER): "ATK007",
    ("public.title_at(public.task_key)", "EXECUTE", MEMBER): "ATK007",
    ("public.title_for(anyelement)", "EXECUTE", MEMBER): "ATK007",
    ("public.fetched(bigint)", "EXECUTE", MEMBER): "ATK007",
    ("public.filtered(jsonb)", "EXECUTE", MEMBER): "ATK007",
    ("public.listed(jsonb)", "EXECUTE", MEMBER): "ATK007",
    ("public.summed(uuid)", "EXECUTE", MEMBER): "ATK007",
    ("public.searched(text)", "EXECUTE", MEMBER): "ATK007",
    ("public.described(json)", "EXECUTE", MEMBER): "ATK007",
    ("public.accept(uuid)", "EXECUTE", MEMBER): "ATK007",
    ("public.anywhere(text, text)", "EXECUTE", MEMBER): "ATK007",
    ("public.opened(bigint, uuid)", "EXECUTE", MEMBER): "ATK007",
    ("public.finish(bigint)", "EXECUTE", MEMBER): "ATK007",
    ("public.folders", "DELETE", MEMBER): "ATK008",
    ("public.folders", "UPDATE", MEMBER): "ATK008",
    ("public.planned", "SELECT", MEMBER): "ATK010",
    ("public.boasted", "SELECT", MEMBER): "ATK009",
    ("public.unclaimed", "SELECT", MEMBER): "ATK011",
    ("public.watched", "SELECT", MEMBER): "ATK012",
    ("public.feeds", "SELECT", MEMBER): "ATK012",
    ("public.patients", "SELECT", MEMBER): "ATK012",
    ("public.rota", "SELECT", MEMBER): "ATK013",
    ("public.rota", "SELECT", ADMIN): "ATK013",
}


@pytest.fixture(scope="session")
def leaky(attacked_of: Callable[[str], Seen]) -> Seen:
    return attacked_of("leaky")


@pytest.fixture(scope="session")
def closed(attacked_of: Callable[[str], Seen]) -> Seen:
    return attacked_of("closed")


@pytest.mark.majors
@pytest.mark.parametrize("where", sorted(HOLES), ids=" ".join)
def test_a_hole_is_a_leak_and_its_absence_is_not(
    leaky: Seen, closed: Seen, where: tuple[str, str, str]
) -> None:
    cell = leaky.cell(*where)
    assert cell.verdict == "leak", cell.reason
    assert cell.attack and cell.script
    errors = {(f.rule, str(f.subject)) for f in leaky.result.findings if f.severity == "error"}
    assert (HOLES[where], where[0]) in errors
    assert closed.cell(*where).verdict == "isolated", closed.cell(*where).reason


@pytest.mark.majors
def test_nothing_is_a_leak_where_nothing_leaks_and_nothing_is_left_open(closed: Seen) -> None:
    assert not [c for c in closed.result.cells if c.verdict == "leak"]
    assert not [c for c in closed.result.cells if c.verdict == "undecided"]
    assert not closed.result.findings


def test_a_leak_is_told_once_for_each_role(leaky: Seen) -> None:
    keys = [f.key for f in leaky.result.findings]
    assert len(keys) == len(set(keys))
    (found,) = [f for f in leaky.result.findings if f.key == "ATK001 table public.readable authenticated"]
    assert found.says.startswith(f"{MEMBER}, {ADMIN} (role authenticated) reads every row")


def test_what_belongs_to_nobody_is_shared_and_writing_it_is_told(leaky: Seen, closed: Seen) -> None:
    assert closed.cell("public.countries", "SELECT", ANON).verdict == "shared"
    assert leaky.cell("public.countries", "UPDATE", MEMBER).verdict == "shared"
    told = {f.rule for f in leaky.result.findings if str(f.subject) == "public.countries"}
    assert told == {"ATK023"}


def test_an_answer_that_differs_and_shows_nothing_is_an_oracle(leaky: Seen) -> None:
    expected = {
        "public.counted": {"ATK020"},
        "public.taken(text)": {"ATK020"},
        "public.files": {"ATK021", "ATK022"},
        "public.tickets": {"ATK024"},
        "public.tasks_id_seq": {"ATK024"},
    }
    for object, rules in expected.items():
        found = [f for f in leaky.result.findings if str(f.subject) == object]
        assert {f.rule for f in found} == rules, object
        assert {f.severity for f in found} == {"warning"}
    assert leaky.cell("public.counted", "SELECT", MEMBER).verdict == "isolated"
    assert leaky.cell("public.tickets", "USAGE", MEMBER).verdict == "shared"


def test_who_may_change_what_they_are_is_told(leaky: Seen) -> None:
    found = [f for f in leaky.result.findings if f.rule == "ATK026"]
    assert [(str(f.subject), f.severity) for f in found] == [("public.members", "warning")]
    assert found[0].says == f"{MEMBER} (role authenticated) may set role to 'admin'::text"


def test_a_role_that_row_security_does_not_bind_is_told_and_is_no_leak(leaky: Seen) -> None:
    assert leaky.cell("public.readable", "SELECT", "service_role").verdict == "bypass"


def test_what_cannot_be_attacked_is_named(leaky: Seen) -> None:
    remote = {c: leaky.cell("public.remote", c, MEMBER) for c in ("SELECT", "DELETE")}
    assert {c: cell.verdict for c, cell in remote.items()} == {"SELECT": "undecided", "DELETE": "isolated"}
    assert "on another server" in remote["SELECT"].reason
    (auth, *others) = leaky.result.beside
    assert auth.startswith("not attacked, as the schema auth is no part of what is audited: ")
    assert "auth.uid()" in auth and "auth.users" in auth
    assert [sentence.split()[5] for sentence in others] == ["realtime", "storage"]


@pytest.mark.majors
def test_the_script_of_each_leak_shows_it_in_psql_and_shows_nothing_where_it_is_mended(
    leaky: Seen, closed: Seen
) -> None:
    leaks = [c for c in leaky.result.cells if c.verdict == "leak"]
    assert leaks
    for cell in leaks:
        assert "LEAK" in printed(leaky, cell.script), (cell, printed(leaky, cell.script))
        assert "LEAK" not in printed(closed, cell.script), cell


def test_what_was_decided_before_an_interruption_is_kept(leaky: Seen) -> None:
    told: list[str] = []

    def stop(done: int, of: int, what: str) -> None:
        told.append(what)
        if done == 3:
            raise KeyboardInterrupt

    found = attacked(leaky.world, leaky.snapshot, told=stop)
    assert found.interrupted
    assert len(told) == 4
    whole = leaky.result.cells
    assert [(c.object, c.command, c.identity) for c in found.cells] == [
        (c.object, c.command, c.identity) for c in whole
    ]
    missed = [c for c in found.cells if c.reason == "not reached"]
    assert {c.verdict for c in missed} == {"undecided"}
    done = len(whole) - len(missed)
    assert done
    assert [(c.verdict, c.attack) for c in found.cells[:done]] == [
        (c.verdict, c.attack) for c in whole[:done]
    ]
    assert told[3] == str(found.cells[done].object)


def test_nothing_that_was_tried_is_left_behind(leaky: Seen) -> None:
    with connect(leaky.world.both) as both, connect(leaky.world.alone) as alone:
        for table, rows in leaky.world.rows["B"].items():
            count = f"select count(*) from {ident(table.schema, table.name)}".encode()
            (there,), (here,) = (
                both.execute(count).fetchone() or (0,),
                alone.execute(count).fetchone() or (0,),
            )
            assert there - here == len(rows), table
