"""How a trigger is made to fire: a statement for each of its events, made from rows of the world, by somebody who can run it.

Which column an update must change is found by trying: conditions (`update of`, WHEN) are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from reconciler.declare.lexer import Token
from reconciler.lab.favour import favour
from reconciler.lab.material import NOBODY, TEXTS, labels, without
from reconciler.lab.trials.bench import Bench, Came, Firing, Tried
from reconciler.lab.triggers import Trigger
from reconciler.shadow.bodies.body import constant
from reconciler.shadow.bodies.steps import Unreadable, lexed
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.typical import leaving

_BROKEN = {
    "54001": "it fires itself without end",
    "2F005": "its function ends without RETURN",
    "39P01": "its function does not return what a trigger must",
}
"""SQLSTATEs that speak of the function and not of the row (manual: appendix A)."""

_WORDS = 12
_FEW = 3


def firings(bench: Bench, trigger: Trigger) -> Iterator[Firing | Tried]:
    """One for each event, or why there is none."""
    relation = bench.material.catalogue.relations.get(trigger.relation)
    if relation is None or relation.kind not in ("r", "p"):
        yield Tried(trigger, "normal", "undecided", "only triggers of tables are fired")
        return
    if not bench.material.rows(relation):
        why = bench.material.world.unseeded.get(relation.id, "its table has no row")
        yield Tried(trigger, "normal", "undecided", why)
        return
    for event in trigger.events:
        if event == "truncate":
            yield Tried(trigger, f"{event}: normal", "undecided", "TRUNCATE is not tried")
        else:
            yield _fired(bench, trigger, relation, event)


def _fired(bench: Bench, trigger: Trigger, relation: Relation, event: str) -> Firing | Tried:
    """The first statement of which the trigger's function takes part; else what is known of the first."""
    first: Came | None = None
    tried = ""
    for sql, given in (*_statements(bench, relation, event), *_moves(bench, trigger, relation, event)):
        for identity in bench.material.identities(relation):
            with bench.undone(given):
                came = bench.run(identity, sql, trigger)
            if came.meets and came.meets != relation.sql:
                given = (*given, *without(bench.material, came.meets))
                with bench.undone(given):
                    came = bench.run(identity, sql, trigger)
            if came.rows > 0 and came.calls:
                return Firing(trigger, event, sql, given, identity, came)
            if identity is NOBODY and (first is None or (came.calls and not first.calls)):
                first, tried = came, sql
                if (wrong := _wrong(bench, trigger, event, sql, given, came)) is not None:
                    return wrong
    if (
        first is not None
        and first.failed
        and (better := _favoured(bench, trigger, relation, event)) is not None
    ):
        return better
    if first is None:
        return Tried(
            trigger, f"{event}: normal", "undecided", "no statement could be made of the rows there are"
        )
    says = (
        f"nobody can run it: {first.message} [{first.sqlstate}]" if first.failed else "no statement fires it"
    )
    return Tried(trigger, f"{event}: normal", "undecided", says, (tried,))


def _favoured(bench: Bench, trigger: Trigger, relation: Relation, event: str) -> Firing | None:
    """The first statement that is let through when what the triggers ask for stands there: a parent in another state, a higher limit."""
    said = "\n".join(one.source for one in bench.triggers if one.relation == trigger.relation)
    for sql, given in islice(_statements(bench, relation, event), _FEW):
        extra = favour(bench.connection, bench.material, relation, sql, given, said)
        for identity in bench.material.identities(relation) if extra else ():
            with bench.undone((*given, *extra)):
                came = bench.run(identity, sql, trigger)
            if came.rows > 0 and came.calls:
                return Firing(trigger, event, sql, (*given, *extra), identity, came)
    return None


def _wrong(
    bench: Bench, trigger: Trigger, event: str, sql: str, given: tuple[str, ...], came: Came
) -> Tried | None:
    """What the superuser's failure says of the trigger itself; it counts only where the row goes in without triggers."""
    if not came.failed and (came.rows or not came.calls):
        return None  # a call that fails is not counted
    with bench.undone(given):
        bench.connection.execute("set local session_replication_role to replica")
        bare = bench.run(NOBODY, sql)
    if bare.failed or not bare.rows:
        return None
    name = f"{event}: normal"
    if came.failed:
        why = _BROKEN.get(came.sqlstate, "its function cannot run" if came.sqlstate[:2] == "42" else "")
        if not why:
            return None
        found = "recursion" if came.sqlstate == "54001" else "broken"
        return Tried(trigger, name, "failed", f"{why}: {came.message} [{came.sqlstate}]", (sql,), found)
    if came.written:
        return None  # it puts something else in the place of the row: a soft delete, say
    says = "it makes the statement write nothing, without an error"
    return Tried(trigger, name, "failed", says, (sql,), "lost row")


def _moves(
    bench: Bench, trigger: Trigger, relation: Relation, event: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Updates of one column to what no row holds, for states that a function lets through in some order only: every label of an enum, and
    the words that the function itself says."""
    if event != "update":
        return
    material = bench.material
    row = material.rows(relation)[-1]
    said = [constant(token) for token in _tokens(trigger) if token.kind == "string"]
    words = [word for word in dict.fromkeys(said) if word and " " not in word][:_WORDS]
    for name in material.plain(relation):
        column = relation.column(name)
        kind = column.type if column else ""
        for value in labels(bench.connection, kind) or (words if kind.startswith(TEXTS) else []):
            if value != row.get(name):
                yield material.update(relation, row, [name], {name: value}), ()


def _tokens(trigger: Trigger) -> tuple[Token, ...]:
    try:
        return lexed(trigger.source)
    except Unreadable:
        return ()


def _statements(bench: Bench, relation: Relation, event: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Statements of this event, with what is to be taken away before each."""
    material = bench.material
    rows = material.rows(relation)
    last, other = rows[-1], rows[0]
    if event == "insert":
        yield material.insert(relation, last), material.away(relation, last)
        return
    if event == "delete":
        yield material.delete(relation, last), material.away(relation, last, itself=False)
        return
    plain = [name for name in material.plain(relation) if last.get(name) != other.get(name)]
    rest = [name for name in material.stored(relation) if name not in plain]
    choices = [plain, *([name] for name in plain), *([name] for name in rest)]
    for columns in choices:
        if columns:
            yield material.update(relation, last, columns, other), ()
    for name, (_, gone) in leaving(relation).items():
        yield material.update(relation, last, [name], {name: gone}), ()
    for name in (*plain, *rest):
        yield material.update(relation, last, [name], last), ()
