"""Triggers that are wrong in one way each are found by firing them, and psql shows every error again; those that are right are left alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.audit.triggers import fired
from reconciler.catalog.snapshot import read
from reconciler.embedded import Server
from reconciler.embedded.binaries import available
from reconciler.engine.subject import Subject, of_source
from reconciler.model import Cell, Finding, ObjectId
from reconciler.pg import connect
from reconciler.shadow.tenants.values import World
from reconciler.shadow.tenants.world import build

FAULTY = Path(__file__).parent / "faulty.sql"


@dataclass
class Fired:
    subject: Subject
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...]

    def of(self, table: str, trigger: str) -> dict[str, Finding]:
        id = ObjectId("trigger", "public", table, trigger)
        return {finding.rule: finding for finding in self.findings if finding.subject == id}

    def printed(self, script: str) -> str:
        """What psql prints, run on a copy of the schema without rows."""
        with self.subject.shadow.copy(self.subject.start) as copy:
            done = subprocess.run(
                [available()[-1].program("psql"), "--no-psqlrc", "--quiet"],
                input=script,
                capture_output=True,
                text=True,
                env={**os.environ, **copy.environment()},
                timeout=60,
            )
        assert done.returncode == 0, done.stderr + script
        return done.stdout


@pytest.fixture(scope="module")
def faulty(server: Server) -> Iterator[Fired]:
    with of_source(str(FAULTY), where=server.url) as subject:
        with connect(subject.start) as session:
            snapshot = read(session, subject.scope)
        with build(subject.shadow, subject.start) as world:
            left = _left(world)
            cells, findings = fired(world, snapshot)
            assert _left(world) == left, "nothing is left in the world"
        yield Fired(subject, cells, findings)


def _left(world: World) -> list[tuple[object, ...]]:
    """What a try could have left: rows, triggers, schemas, switched-off row-level security."""
    asked = (
        "select count(*) from pg_trigger",
        "select count(*) from pg_namespace where nspname !~ '^pg_(toast_)?temp'",
        "select count(*) from pg_class where relrowsecurity",
        *(
            f"select md5(string_agg(x::text, '' order by x::text)) from {table} as x"
            for table in sorted(map(str, world.rows["A"]))
        ),
    )
    with connect(world.both) as session:
        return [session.execute(sql.encode()).fetchone() or () for sql in asked]


def test_writes_across_tenants_are_found(faulty: Fired) -> None:
    assert "TRG101" in faulty.of("payments", "book")
    assert faulty.of("payments", "book")["TRG101"].severity == "error"
    assert "paid" in faulty.of("payments", "book")["TRG101"].evidence, "the branch that writes was found"
    assert "TRG101" in faulty.of("labels", "forget_label")
    assert "TRG101" in faulty.of("transfers", "transfer"), "B's key beside what else its row holds"
    assert "TRG103" in faulty.of("messages", "deliver"), "the client chose the tenant"
    assert "TRG103" in faulty.of("box", "put"), "and through a view"
    assert "TRG103" in faulty.of("tickets", "route"), "and of the row itself"


def test_who_has_the_role_of_somebody_who_leaked_leaks_as_well(faulty: Fired) -> None:
    cells = [
        c for c in faulty.cells if c.object.part == "book" and c.command == "INSERT" and c.identity != "anon"
    ]
    assert len(cells) > 1
    assert {cell.verdict for cell in cells} == {"leak"}


def test_what_a_trigger_looks_up_for_anybody_is_found(faulty: Fired) -> None:
    assert "in a row" in faulty.of("bills", "fill_bill")["TRG108"].says
    assert "in an error" in faulty.of("bills", "check_bill")["TRG108"].says
    assert "in a row" in faulty.of("patients", "fill_patient")["TRG108"].says, "another word than was sent"
    assert "in an error" in faulty.of("patients", "check_patient")["TRG108"].says


def test_what_row_level_security_starves_is_found(faulty: Fired) -> None:
    found = faulty.of("notes", "count_note")["TRG102"]
    assert (found.severity, found.detail) == ("error", "update public.note_counts")


def test_a_log_that_its_subjects_change_is_found(faulty: Fired) -> None:
    said = {(f.subject.name, f.detail, f.severity) for f in faulty.findings if f.rule == "TRG104"}
    assert said == {("audit_log", "delete", "error")}


def test_swallowed_errors_and_endless_recursion_are_warned_of(faulty: Fired) -> None:
    assert faulty.of("labels", "forget_label")["TRG105"].severity == "warning"
    assert faulty.of("nodes", "visit")["TRG106"].detail == "endless"


def test_a_trigger_that_lacks_a_privilege_is_warned_of(faulty: Fired) -> None:
    assert "permission denied for table audit_log" in faulty.of("books", "note_book")["TRG107"].says
    assert "TRG107" not in faulty.of("seals", "sealed"), "it refuses on purpose"


def test_a_trigger_that_is_right_is_isolated(faulty: Fired) -> None:
    assert faulty.of("books", "copy_book") == {}
    cells = [cell for cell in faulty.cells if cell.object.part == "copy_book"]
    assert {(cell.identity, cell.verdict) for cell in cells} >= {
        ("member of A", "isolated"),
        ("anon", "isolated"),
    }
    assert all("permission denied" in cell.reason for cell in cells if cell.identity == "anon")


def test_undecided_is_not_isolated(faulty: Fired) -> None:
    (cell,) = [
        cell for cell in faulty.cells if cell.object.part == "visit" and cell.identity == "member of A"
    ]
    assert cell.verdict == "undecided"
    assert "stack depth" in cell.reason


@pytest.mark.majors
def test_psql_shows_every_leak_again(faulty: Fired) -> None:
    leaks = [cell for cell in faulty.cells if cell.verdict == "leak"]
    errors = {finding.rule for finding in faulty.findings if finding.severity == "error"}
    assert errors == {"TRG101", "TRG102", "TRG103", "TRG104", "TRG108"}
    assert {cell.object.part for cell in leaks} == {
        "book", "deliver", "count_note", "forget_label", "sum_up", "put", "fill_bill", "check_bill", "fill_patient", "check_patient", "transfer", "route",
    }  # fmt: skip
    for cell in leaks:
        word = "STARVED" if cell.reason.startswith("starved") else "LEAK"
        assert word in faulty.printed(cell.script), cell.script
