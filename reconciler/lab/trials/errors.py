"""When something fails inside: the whole statement must fail, and say what and where.

The trigger's own writes are made to fail by a constraint that nothing satisfies, put on the tables it writes for the time of the trial; of
several rows in one table each is refused in its turn, because a handler may stand around the second only.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lab.gates import SCHEMA
from reconciler.lab.trials.bench import Bench, Firing, Tried
from reconciler.model import ObjectId
from reconciler.pg import ident, literal

_CONSTRAINT = "reconciler_lab_refuses"
_MOST = 4
"""How many rows of one table are refused in their turn."""
_REFUSING = f"""
create schema if not exists {SCHEMA};
create sequence {SCHEMA}.offered;
create function {SCHEMA}.refuse() returns trigger language plpgsql security definer set search_path = '' as $refuse$
begin
  -- a sequence, because what else counts is undone with a subtransaction
  if pg_catalog.nextval('{SCHEMA}.offered') = tg_argv[0]::bigint then
    raise exception 'new row for relation "%" violates check constraint "{_CONSTRAINT}"', tg_table_name using errcode = 'check_violation';
  end if;
  return new;
end
$refuse$;
"""


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
            yield from _later(bench, firing, table, min(before.inserted + before.updated, _MOST))


def _later(bench: Bench, firing: Firing, table: ObjectId, rows: int) -> Iterator[Tried]:
    """The first row goes in, and one after it is refused."""
    target = ident(table.schema, table.name)
    for number in range(2, rows + 1):
        with bench.undone(firing.given):
            bench.connection.execute(_REFUSING.encode())
            # its name is the last of its kind: what another trigger drops is not counted
            bench.connection.execute(
                f"create trigger {ident('~' + _CONSTRAINT)} before insert or update on {target}"
                f" for each row execute function {SCHEMA}.refuse({literal(str(number))})".encode()
            )
            came = bench.run(firing.identity, firing.sql, firing.trigger)
            offered = bench.connection.execute(f"select last_value from {SCHEMA}.offered").fetchone()
        if not came.failed and offered is not None and offered[0] >= number:
            says = f"row {number} that it writes to {table} is refused, and the statement goes on without an error"
            name = f"{firing.event}: {table} refuses row {number}"
            yield Tried(firing.trigger, name, "failed", says, (firing.sql,), "swallowed error")
            return


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
