"""What is asked of a disturbed database, and what a migration leaves at each of its steps when nothing disturbs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from wire import Sent

from reconciler.migrate.applier import _APPLYING
from reconciler.migrate.history import CLASS
from reconciler.model import Migration, ObjectId, Statement
from reconciler.run import steps

Direction = Literal["up", "down"]
Route = Literal["apply", "psql", "command"]
ROUTES: tuple[Route, ...] = ("apply", "psql", "command")
"""Who applies: the room `migrate`, psql, or the whole of `reconciler apply` and `reconciler rollback` with their rehearsals."""
Digests = Mapping[ObjectId, str]
DIRECTIONS: tuple[Direction, Direction] = ("up", "down")

HOLDS = f"locktype = 'advisory' and granted and classid::int8 = {CLASS} and objid::int8 = {_APPLYING} and objsubid = 2"
COUNTING = f"""
create schema harness;
create table harness.ticks (direction text, step int, n int not null, primary key (direction, step));
create function harness.tick(text, int) returns void language plpgsql as $$
begin
  if not exists (select from pg_catalog.pg_locks where pid = pg_catalog.pg_backend_pid() and {HOLDS}) then
    raise exception 'applies without the lock';
  end if;
  insert into harness.ticks values ($1, $2, 1) on conflict (direction, step) do update set n = ticks.n + 1;
end $$;
"""
AT_WORK = """
select count(*) from pg_catalog.pg_stat_activity
 where datname = pg_catalog.current_database() and application_name in ('reconciler apply', 'psql')
"""
TABLES = """
select n.nspname, c.relname, array_agg(a.attname::text order by a.attname)
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.relkind in ('r', 'p') and not c.relispartition
   and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'harness', 'reconciler', 'reconciler_quarantine')
 group by 1, 2 order by 1, 2
"""
LEFT_OVER = """
select pg_catalog.format('invalid index %s', indexrelid::regclass) from pg_catalog.pg_index where not indisvalid
 union all
select pg_catalog.format('prepared transaction %s', gid) from pg_catalog.pg_prepared_xacts
 union all
select pg_catalog.format('partition %s half detached', inhrelid::regclass) from pg_catalog.pg_inherits where inhdetachpending
 order by 1
"""


QUARANTINED = "select pg_catalog.to_regclass('reconciler_quarantine.kept') is not null"
IN_QUARANTINE = """
select pg_catalog.format('%s, which nobody kept', c.relname) from pg_catalog.pg_class c
 where c.relnamespace = 'reconciler_quarantine'::pg_catalog.regnamespace and c.relkind in ('r', 'p') and not c.relispartition
   and c.relname <> 'kept' and c.relname not in (select k.kept_as from reconciler_quarantine.kept k)
 union all
select pg_catalog.format('%s %s.%s %s, kept twice', kind, schema, name, part) from reconciler_quarantine.kept
 where tag not like 'given back %' group by tag, kind, schema, name, part having count(*) > 1
 order by 1
"""


@dataclass
class Known:
    """One direction as it runs undisturbed. `states[n]` is the database with n steps done, `again[n]` where the way before had kept
    something."""

    states: list[Digests] = field(default_factory=list)
    again: list[Digests] = field(default_factory=list)
    trace: list[Sent] = field(default_factory=list)
    bytes: Mapping[str, int] = field(default_factory=dict)
    dump: frozenset[str] = frozenset()
    rows: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return sum(sent.seconds for sent in self.trace)


def counted(migration: Migration) -> Migration:
    """The same migration whose transactional steps count themselves."""

    def direction(way: Direction, statements: Iterable[Statement]) -> tuple[Statement, ...]:
        found: list[Statement] = []
        for step in steps(tuple(statements)):
            first = step.statements[0]
            if step.transactional:
                tick = Statement(f"select harness.tick('{way}', {step.number})", "counts", apart=first.apart)
                found += [tick, replace(first, apart=False), *step.statements[1:]]
            else:
                found += step.statements
        return tuple(found)

    return replace(migration, up=direction("up", migration.up), down=direction("down", migration.down))


def between(now: Digests, one: Digests, other: Digests) -> bool:
    """Whether only that differs from both neighbours which the statement between them changes."""
    moving = {id for id in one.keys() | other.keys() if one.get(id) != other.get(id)}
    return all(now.get(id) == one.get(id) for id in (now.keys() | one.keys()) - moving)


def called(number: int, last: int, *, exact: bool) -> str:
    if not exact:
        return "in a statement that can run twice"
    return "before" if number == 0 else "after" if number == last else "step"
