"""Applies a migration, or takes it back: step by step, each recorded with what it did.

Promises that after a crash, a kill or a lost connection the database is at `before`, at `after`, or at a
recorded step from which the next call goes on; that nothing is applied which the history does not know; and
that an edited file is noticed. Decides nothing about what to apply: hazards and approval are asked above.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TypedDict, Unpack

import psycopg
from psycopg.errors import Diagnostic

from reconciler.errors import OutcomeUnknown, Waiting
from reconciler.migrate import history, inventory
from reconciler.migrate.applier import applier
from reconciler.migrate.history import Connection, Direction
from reconciler.migrate.resume import resume_at
from reconciler.model import Applied, Change, Consent, Migration, ObjectId, Statement, Step
from reconciler.pg import Url, connect, ident, pooling
from reconciler.run import Hook, Outcome, Pace, run_step, steps
from reconciler.run.nature import head
from reconciler.run.trouble import passes_by_itself, told

_SETTING = re.compile(
    r"(set|reset)\s+(?!local\b|constraints\b|transaction\b)|select\s+(pg_catalog\.)?set_config\s*\(",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """One statement that ran. `number` of `total` counts the statements of this run's direction from 1; `waited` of the `seconds`, and of
    those of tries that failed, went by waiting for locks."""

    version: str
    direction: Direction
    step: int
    steps: int
    number: int
    total: int
    statement: Statement
    seconds: float
    waited: float = 0.0


class Terms(TypedDict, total=False):
    """Under which conditions a migration runs; every one may be left out."""

    lock_timeout: str
    statement_timeout: str
    """Both for statements without their own, in a migration whose header does not name them."""
    expected_before: Hook
    """Raises when the database is no longer what the plan was made for; called inside the first
    transaction.
    """
    confirm: Hook
    """Raises when the touched objects are not as planned; called before the last commit."""
    fence: Hook
    """Raises when this process may no longer apply (lease gone, shutting down); called inside every
    transaction.
    """
    on_session: Callable[[Connection], None]
    """Gets the session that applies, so that another thread may cancel its statement (`cancel_safe`)."""
    on_progress: Callable[[Progress], None]
    on_retry: Callable[[Waiting, float], None]
    """Told before each pause: who is in the way, and for how many seconds we pause."""
    on_notice: Callable[[str], None]
    """Gets what a statement says while it runs (RAISE NOTICE): how far a batched one is."""
    resolve: Callable[[str], str]
    """Puts secrets in the place of their placeholders, just before a statement is sent."""
    changes: Sequence[Change]
    """What this run creates and drops, for the inventory."""
    moved: Mapping[ObjectId, ObjectId]
    """What this run renames, before → after, for the inventory."""
    lent: Collection[str]
    """Schemas of the platform, on whose tables triggers and policies are ours, for the inventory."""
    client: str
    """Who at which machine, for the history."""
    consents: Sequence[Consent]
    """Which hazards were allowed, by whom, for the history."""
    out_of_order: bool
    """Allows an UP below, or a DOWN beneath, a newer applied version."""
    wait: float
    """Seconds to wait for another applier."""
    silence: str
    """How long the session may be idle before the server ends it; "0" for as long as it likes."""
    pace: Pace


@dataclass(frozen=True, slots=True)
class _Terms:
    lock_timeout: str = "2s"
    statement_timeout: str = "20min"
    expected_before: Hook | None = None
    confirm: Hook | None = None
    fence: Hook | None = None
    on_session: Callable[[Connection], None] | None = None
    on_progress: Callable[[Progress], None] | None = None
    on_retry: Callable[[Waiting, float], None] | None = None
    on_notice: Callable[[str], None] | None = None
    resolve: Callable[[str], str] | None = None
    changes: Sequence[Change] = ()
    moved: Mapping[ObjectId, ObjectId] = field(default_factory=dict)
    lent: Collection[str] = ()
    client: str = ""
    consents: Sequence[Consent] = ()
    out_of_order: bool = False
    wait: float = 10.0
    silence: str = "0"
    pace: Pace = field(default_factory=Pace)


def apply(target: Url | Callable[[], Connection], migration: Migration, **terms: Unpack[Terms]) -> Applied:
    """Brings the UP of `migration` into the database and returns its row of the history.

    Goes on after the last recorded step of an interrupted run; does nothing when it is applied already.
    `target` is a URL or makes autocommit sessions. Raises `Stalled` for a file edited after it was applied,
    a version below the newest applied one (unless `out_of_order`), another version that is half applied, or
    a statement that PostgreSQL refuses; `Waiting` for locks, another applier and lost connections.
    """
    return _run(target, migration, "up", _Terms(**terms))


def rollback(target: Url | Callable[[], Connection], migration: Migration, **terms: Unpack[Terms]) -> Applied:
    """Runs the DOWN of `migration` with the same care, also over an UP that was left half applied.

    `history.restored(row)` gives the migration when its file is gone or was edited. Raises as `apply` does,
    and `Stalled` for a migration that was never applied here or has no DOWN.
    """
    return _run(target, migration, "down", _Terms(**terms))


def _run(
    target: Url | Callable[[], Connection], migration: Migration, direction: Direction, terms: _Terms
) -> Applied:
    """Runs until done. After a COMMIT without an answer, a new session waits for the old one to be gone (they
    share the applier's lock) and the history tells whether the step counts.
    """
    session = _sessions(target)
    unknown: OutcomeUnknown | None = None
    for pause in chain(terms.pace.pauses(), [None]):
        try:
            with applier(session, wait=terms.wait, pace=terms.pace, silence=terms.silence) as connection:
                return _go_on(connection, session, migration, direction, terms)
        except OutcomeUnknown as error:
            unknown = error
        except Waiting:
            if unknown is None:
                raise
        except psycopg.Error as error:
            if not passes_by_itself(error):
                raise
            if unknown is None:
                raise Waiting(
                    f"migration {migration.version} cannot go on now: {told(error)}",
                    hint="run the same command again: it reads the history and goes on from there",
                ) from error
        if pause is not None:
            terms.pace.sleep(pause)
    assert unknown is not None
    raise unknown


def _sessions(target: Url | Callable[[], Connection]) -> Callable[[], Connection]:
    if isinstance(target, Url):
        url = target
        return lambda: connect(url, application_name="reconciler apply")
    return target


def _go_on(
    connection: Connection,
    session: Callable[[], Connection],
    migration: Migration,
    direction: Direction,
    terms: _Terms,
) -> Applied:
    if terms.on_session is not None:
        terms.on_session(connection)
    history.ensure(connection)
    script = steps(migration.up if direction == "up" else migration.down)
    rows = history.read(connection)
    done = resume_at(rows, migration, direction, out_of_order=terms.out_of_order)
    _replay_settings(connection, script[:done])
    role = _role(connection)
    if terms.on_notice is not None:
        connection.add_notice_handler(_raised(terms.on_notice))
    for step in script[done:]:
        _run_one(connection, session, migration, direction, terms, script, step, role)
    return history.latest(history.read(connection))[migration.version]


def _run_one(
    connection: Connection,
    session: Callable[[], Connection],
    migration: Migration,
    direction: Direction,
    terms: _Terms,
    script: Sequence[Step],
    step: Step,
    role: str,
) -> None:
    first, last = step.number == 1, step.number == len(script)
    began = time.monotonic()
    own = dict(migration.header)
    before = sum(len(earlier.statements) for earlier in script[: step.number - 1])
    total = sum(len(each.statements) for each in script)

    number = count(before + 1)

    def at_begin(inside: Connection) -> None:
        nonlocal number
        number = count(before + 1)
        pooling.require(inside)
        if terms.fence is not None:
            terms.fence(inside)
        if first and terms.expected_before is not None:
            terms.expected_before(inside)
        if first and not step.transactional:
            # It takes effect before anything is written about it: that it was begun is known beforehand.
            history.record(
                inside,
                migration,
                direction,
                done=0,
                steps=len(script),
                client=terms.client,
                consents=terms.consents,
            )

    def on_statement(statement: Statement, outcome: Outcome) -> None:
        if terms.on_progress is not None:
            terms.on_progress(
                Progress(
                    migration.version, direction, step.number, len(script), next(number), total, statement,
                    outcome.seconds, outcome.waited,
                )
            )  # fmt: skip

    def within(inside: Connection) -> None:
        if _role(inside) != role:  # a statement changed it: the history is written by who applies
            inside.execute(f"set local role {ident(role)}".encode())
        if last:
            inventory.follow(inside, terms.changes, migration.version, terms.moved, terms.lent)
        history.record(
            inside,
            migration,
            direction,
            done=step.number,
            steps=len(script),
            seconds=time.monotonic() - began,
            client=terms.client,
            consents=terms.consents,
        )

    run_step(
        connection,
        step,
        lock_timeout=own.get("lock_timeout", terms.lock_timeout),
        statement_timeout=own.get("statement_timeout", terms.statement_timeout),
        on_statement=on_statement,
        at_begin=at_begin,
        before_commit=terms.confirm if last else None,
        within=within,
        on_retry=terms.on_retry,
        side=session,
        resolve=terms.resolve,
        pace=terms.pace,
    )


def _raised(told: Callable[[str], None]) -> Callable[[Diagnostic], None]:
    """Hands on what RAISE NOTICE says; not what PostgreSQL remarks by itself (“already exists, skipping”)."""

    def receive(said: Diagnostic) -> None:
        if said.sqlstate == "00000" and said.source_function == "exec_stmt_raise" and said.message_primary:
            told(said.message_primary)

    return receive


def _replay_settings(connection: Connection, done: Sequence[Step]) -> None:
    """Session settings of steps that will not run again: the later ones may rest on their search_path."""
    for step in done:
        for statement in step.statements:
            if _SETTING.match(head(statement.sql)):
                connection.execute(statement.sql.encode(), prepare=False)


def _role(connection: Connection) -> str:
    row = connection.execute("select current_user::text").fetchone()
    assert row is not None
    return str(row[0])
