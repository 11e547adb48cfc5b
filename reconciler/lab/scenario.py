"""A declared scenario, run: its transactions one after another, each compared with what it should come to; or as a race.

Promises a database of its own with nothing in it but what is given, and that every invariant is asked after every transaction. What
comes as expected says nothing; what does not is a sentence with the place of the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.declare.scenario import Scenario, Transaction, Who
from reconciler.errors import Source
from reconciler.lab.invariants import Invariants
from reconciler.lab.material import begins
from reconciler.lab.session import Session
from reconciler.lab.values import Actor, Isolation, Race
from reconciler.model import ObjectId
from reconciler.pg import Url, connect
from reconciler.shadow.tenants.values import Identity

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What did not come as expected, and where that stands."""

    says: str
    source: Source


def prepared(database: Url, scenario: Scenario) -> Wrong | None:
    """Puts in what is given. A script that fails is wrong at its scenario."""
    if not scenario.given:
        return None
    try:
        with connect(database, application_name="reconciler lab") as session, session.transaction():
            session.execute(scenario.given.encode())
    except psycopg.Error as error:
        said = (error.diag.message_primary or str(error)).strip()
        return Wrong(f"what is given cannot be put in: {said}", scenario.source)
    return None


def stepped(
    database: Url, scenario: Scenario, level: Isolation, invariants: Mapping[str, str]
) -> tuple[Wrong, ...]:
    """Runs the steps; the first that goes wrong is the last that is run, because what follows builds on it."""
    asked = Invariants({**invariants, **scenario.invariants})
    session = Session(database, "scenario")
    try:
        with connect(database, application_name="reconciler lab") as admin:
            for broken in asked.broken(admin):
                return (Wrong(f"before anything was run: {broken}", scenario.source),)
            for step in scenario.steps:
                before = {table: _count(admin, table) for table in step.adds}
                wrong = [*_ran(session, step, level)]
                wrong += _added(admin, step, before)
                wrong += [Wrong(str(broken), step.source) for broken in asked.broken(admin)]
                if wrong:
                    return tuple(wrong)
    finally:
        session.close()
    return ()


def race(scenario: Scenario, level: Isolation, invariants: Mapping[str, str], name: str) -> Race:
    """The scenario's transactions as a race."""
    actors = tuple(
        Actor(f"transaction {n}", one.statements, begins(_identity(one.who)), identity=one.who.name)
        for n, one in enumerate(scenario.race, start=1)
    )
    every = {**invariants, **scenario.invariants}
    return Race(name, actors, level, every, subject=subject(scenario))


def subject(scenario: Scenario) -> ObjectId:
    return ObjectId("scenario", "", scenario.name)


def _identity(who: Who) -> Identity:
    return Identity(who.name, who.role, who.settings)


def _ran(session: Session, step: Transaction, level: Isolation) -> Iterator[Wrong]:
    def say(sentence: str) -> Wrong:
        return Wrong(f"{step.who.name}: {sentence}", step.source)

    failure = session.run("; ".join((f"begin isolation level {level}", *begins(_identity(step.who)))))
    answer = None
    for sql in step.statements if failure is None else ():
        failure = session.run(sql)
        answer = session.answer
        if failure is not None:
            break
    if failure is None:
        failure = session.run("commit")
    if failure is not None:
        session.run("rollback")
        if not step.error:
            yield say(f"it fails: {failure.message} [{failure.sqlstate}]")
        elif failure.sqlstate != step.error:
            yield say(f"it fails with {failure.sqlstate}, not {step.error}: {failure.message}")
        elif step.message not in failure.message:
            yield say(f"the message of its error is “{failure.message}”, without “{step.message}”")
        return
    if step.error:
        yield say(f"it should fail with {step.error}, and it does not")
    elif step.rows is not None and answer is not None and answer.rows != step.rows:
        yield say(f"it gives {_shown(answer.rows)} and not {_shown(step.rows)}")


def _added(admin: Connection, step: Transaction, before: Mapping[str, int | str]) -> Iterator[Wrong]:
    for table, number in step.adds.items():
        first, now = before[table], _count(admin, table)
        if isinstance(first, str) or isinstance(now, str):
            yield Wrong(f"{table} cannot be counted: {first if isinstance(first, str) else now}", step.source)
        elif now - first != number:
            yield Wrong(f"{table} has {now - first} rows more, not {number}", step.source)


def _count(admin: Connection, table: str) -> int | str:
    """How many rows there are, or why that is not known. The name is written as in SQL."""
    try:
        row = admin.execute(f"select count(*) from {table}".encode()).fetchone()
    except psycopg.Error as error:
        return (error.diag.message_primary or str(error)).strip()
    return int(row[0]) if row else 0


def _shown(rows: tuple[tuple[str | None, ...], ...]) -> str:
    if not rows:
        return "no row"
    cell: Callable[[str | None], str] = lambda value: "NULL" if value is None else value  # noqa: E731
    return "; ".join(", ".join(cell(value) for value in row) for row in rows[:5])
