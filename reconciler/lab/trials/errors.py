"""When something fails inside: the whole statement must fail, and say what and where.

The trigger's own writes are made to fail by a constraint that nothing satisfies, put on the tables it writes for the time of the trial.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lab.trials.bench import Bench, Firing, Tried
from reconciler.pg import ident

_CONSTRAINT = "reconciler_lab_refuses"


def its_writes_fail(bench: Bench, firing: Firing) -> Iterator[Tried]:
    """Each table that is written in its turn. Where an author chose to queue or to log failures, nobody can tell whose write it is."""
    chosen = [bench.designs[one.id].on_error for one in bench.beside(firing) if one.id in bench.designs]
    if "queue" in chosen or "log" in chosen:
        return
    for table in firing.others:
        before = firing.came.touched[table]
        if not before.inserted and not before.updated:
            continue  # a check does not refuse what is deleted
        with bench.undone(firing.given):
            bench.connection.execute(
                f"alter table {ident(table.schema, table.name)} add constraint {_CONSTRAINT} check (false) not valid".encode()
            )
            came = bench.run(firing.identity, firing.sql, firing.trigger)
        name = f"{firing.event}: {table} refuses"
        if not came.failed:
            says = (
                f"its write to {table} fails, and the statement goes on without an error:"
                f" {came.rows} rows stand there, and what should stand in {table} is lost"
            )
            yield Tried(firing.trigger, name, "failed", says, (firing.sql,), "swallowed error")
        elif came.sqlstate != "23514" and _CONSTRAINT not in came.message and table.name not in came.message:
            says = f"the statement fails, but its error hides the cause: {came.message} [{came.sqlstate}]"
            yield Tried(firing.trigger, name, "warning", says, (firing.sql,), "hidden cause")
        else:
            yield Tried(
                firing.trigger, name, "passed", "the whole statement fails and names the table", (firing.sql,)
            )


def a_constraint_is_violated(bench: Bench, firing: Firing) -> Iterator[Tried]:
    """A row without one of the values it must have, and one that is there already."""
    if firing.event != "insert":
        return
    relation = bench.material.catalogue.relations[firing.trigger.relation]
    row = bench.material.rows(relation)[-1]
    needed = [c.name for c in relation.columns if c.not_null and not c.default and not c.generated]
    plain = [name for name in bench.material.plain(relation) if name in needed]
    for column in plain[:2]:
        sql = bench.material.insert(relation, {**row, column: None})
        with bench.undone(firing.given):
            came = bench.run(firing.identity, sql, firing.trigger)
        yield _refused(firing, f"insert: {column} is null", sql, came.failed, came.rows)
    if bench.material.natural(relation):
        with bench.undone(firing.given):
            first = bench.run(firing.identity, firing.sql, firing.trigger)
            twice = bench.run(firing.identity, firing.sql, firing.trigger)
        if not first.failed:
            yield _refused(firing, "insert: a key that is there", firing.sql, twice.failed, twice.rows)


def _refused(firing: Firing, name: str, sql: str, failed: bool, rows: int) -> Tried:
    """An error, or a row that the trigger made good; a statement that writes nothing and says nothing is a loss."""
    if failed:
        return Tried(firing.trigger, name, "passed", "the whole statement fails", (sql,))
    if rows:
        return Tried(firing.trigger, name, "passed", "the trigger makes the row good", (sql,))
    says = "the row is dropped without an error: the caller believes that it was stored"
    return Tried(firing.trigger, name, "failed", says, (sql,), "lost row")
