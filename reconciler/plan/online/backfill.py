"""Values for the rows of a busy table, a few blocks at a time.

A DO block that commits after each batch: psql runs it, and a run that was interrupted starts again and passes quickly over what
is done. A trigger gives a value to what is written meanwhile, so that one pass is enough. Rows that somebody holds are left
for the next pass: we wait for no row while we hold others, and so deadlock with nobody. Promises to fire no trigger of others
that a plain UPDATE would not fire, and to slow down while standbys lag or somebody waits for us.
"""

from __future__ import annotations

from reconciler.catalog.kinds import writing as w
from reconciler.model import Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import dollar, ident, literal
from reconciler.plan.online.course import Course, Remain, Stage

_LOOP = """
declare
  -- How long one batch may take, how far a standby may be behind, and how often to say how far it is.
  wanted  constant interval := '{batch}';
  lagging constant bigint := {lag};
  chatty  constant interval := '3s';
  block   constant bigint := pg_catalog.current_setting('block_size')::bigint;
  leaf    regclass;
  here    bigint;
  size    bigint;
  last    bigint;
  step    bigint := 64;
  missing bigint;
  done    bigint;
  filled  bigint := 0;
  round   integer := 0;
  left_over boolean;
  hindered boolean;
  began   timestamptz;
  told    timestamptz := pg_catalog.clock_timestamp();
  waited  timestamptz;
begin
  for leaf in
    with recursive family as (
      select {table}::regclass::oid as id
      union all
      select i.inhrelid from pg_catalog.pg_inherits as i join family as f on f.id = i.inhparent
    )
    select c.oid from family join pg_catalog.pg_class as c on c.oid = family.id where c.relkind = 'r' order by c.oid
  loop
    round := 0;
    loop
      left_over := false;
      round := round + 1;
      here := 0;
      last := pg_catalog.pg_relation_size(leaf) / block;
      while here < last loop
        size := least(step, last - here);
        began := pg_catalog.clock_timestamp();
        perform pg_catalog.set_config('row_security', 'off', true);
        execute pg_catalog.format(
          'select count(*) from only %s where ctid >= %L::tid and ctid < %L::tid and {column_is_null}', leaf,
          '(' || here || ',0)', '(' || here + size || ',0)') into missing;
        if missing > 0 then
          execute pg_catalog.format(
            {update}, leaf, leaf, '(' || here || ',0)', '(' || here + size || ',0)');
          get diagnostics done = row_count;
          filled := filled + done;
          left_over := left_over or done < missing;
        end if;
        here := here + size;
        hindered := exists (select from pg_catalog.pg_locks as k where not k.granted
          and pg_catalog.pg_backend_pid() = any(pg_catalog.pg_blocking_pids(k.pid)));
        commit;
        if pg_catalog.clock_timestamp() - began > wanted or hindered then
          step := greatest(step / 2, 1);
        elsif pg_catalog.clock_timestamp() - began < wanted / 2 then
          step := least(step * 2, 16384);
        end if;
        if hindered then
          perform pg_catalog.pg_sleep(0.2);
        elsif missing > 0 then
          perform pg_catalog.pg_sleep(extract(epoch from pg_catalog.clock_timestamp() - began) / 4);
        end if;
        waited := pg_catalog.clock_timestamp();
        while exists (select from pg_catalog.pg_stat_replication as r where not pg_catalog.pg_is_in_recovery()
            and pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn) > lagging) loop
          if pg_catalog.clock_timestamp() - told > chatty then
            told := pg_catalog.clock_timestamp();
            raise notice '{label}: a standby is behind, waiting for it since %', waited;
          end if;
          commit;
          perform pg_catalog.pg_sleep(0.5);
        end loop;
        if pg_catalog.clock_timestamp() - told > chatty then
          told := pg_catalog.clock_timestamp();
          raise notice '{label}: % of % (% %%) of %, % rows filled', here, last, here * 100 / last, leaf, filled;
        end if;
      end loop;
      exit when not left_over;
      perform pg_catalog.pg_sleep(least(round * 0.1, 5));
      commit;
    end loop;
  end loop;
  raise notice '{label}: % rows filled', filled;
end
"""

BATCH = "100 ms"
LAG = 64 * 1024 * 1024
"""Bytes of write-ahead log that a standby may still have to replay."""


def filled(column: ObjectId, expression: str, reason: str) -> Stage:
    """Gives each row without a value one, in batches."""
    name = ident(column.part)
    update = (
        f"update only %s as {ident(column.name)} set {name} = {_percent(expression)} where ctid = any (array("
        f"select ctid from only %s where ctid >= %L::tid and ctid < %L::tid and {name} is null"
        f" for no key update skip locked)) and {name} is null"
    )
    label = f"{column.schema}.{column.name}.{column.part}".replace("'", "''").replace("%", "%%")
    body = _LOOP.format(
        batch=BATCH,
        lag=LAG,
        table=literal(w.name(column)),
        column_is_null=_percent(f"{name} is null").replace("'", "''"),
        update=literal(update),
        label=label,
    )
    alone = Statement(
        "do " + dollar(body), reason, transactional=False, subject=column, statement_timeout="0",
        hazards=(Hazard(HazardCode.NOT_TRANSACTIONAL, f"{column} is filled batch by batch: an interrupted run goes on."),),
    )  # fmt: skip
    return Stage(alone, alone=True)


def kept(
    column: ObjectId, expression: str, course: Course, *, inserts: bool, only_old: bool = False
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """(a trigger that gives a value to rows written meanwhile, what takes it away).

    `inserts` says whether new rows need it too: not when the column has a default. `only_old` leaves a NULL that somebody
    writes over a value.
    """
    table, name = w.name(column), course.temporary(f"{column.name}_{column.part}_fill", expression)
    course.remains.append(Remain("trigger", course.table(column), name))
    own, part = ident(column.schema, name), ident(column.part)
    body = (
        "\n#variable_conflict use_column\nbegin\n"
        f"  new.{part} := (select ({expression}) from (select new.*) as {ident(column.name)});\n  return new;\nend\n"
    )
    when = f"new.{part} is null" + (f" and old.{part} is null" if only_old else "")
    events = "insert or update" if inserts else "update"
    put = (
        Statement(
            f"create or replace function {own}() returns trigger language plpgsql set search_path from current as {dollar(body)}",
            f"{column}: what gives a value to rows written meanwhile", subject=column,
        ),
        Statement(
            f"create or replace trigger {ident(name)} before {events} on {table} for each row when ({when})"
            f" execute function {own}()",
            f"{column}: rows written meanwhile get theirs", subject=column,
        ),
    )  # fmt: skip
    taken = (
        Statement(
            f"drop trigger if exists {ident(name)} on {table}",
            f"{column}: every row has its value",
            subject=column,
        ),
        Statement(f"drop function if exists {own}()", f"{column}: no longer needed", subject=column),
    )
    return put, taken


def possible(column: ObjectId, course: Course) -> bool:
    """Whether the rows are all tables' of this database, and a trigger on the table sees every one of them."""
    table = course.table(column)
    family = course.family(table)
    foreign = any(
        user.kind == "foreign_table"
        or (
            user.kind == "partition"
            and ObjectId("foreign_table", user.schema, user.name) in course.before.facts
        )
        for id in family
        for user in course.before.dependents.get(id, ())
    )
    return not foreign and not course.inherits(table)


def _percent(text: str) -> str:
    """For a place inside format()."""
    return text.replace("%", "%%")
