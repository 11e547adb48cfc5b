"""Values kept and given back while others write: for tables that are large.

Keeping: a trigger notes the keys of what is written, the rows are copied a few blocks at a time, each batch committed, and what was
noted is looked at again; under the lock of the drop only what was noted last is left. Nobody waits for the copy, and no writer's
transaction meets another row of ours than the note it adds. From its beginning the registry names it, as unfinished. Giving back: the columns are added empty, filled batch by batch, and
demanded when every row has its value; a value that somebody wrote meanwhile stays. Both go on where they were interrupted.
Promises that an exclusive lock does not last longer for a table that is larger. Writes SQL, runs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, ObjectId
from reconciler.pg import dollar, ident, literal
from reconciler.plan.quarantine import direct
from reconciler.plan.quarantine import row_keys as keys
from reconciler.plan.quarantine.direct import block, inside
from reconciler.plan.quarantine.loss import Loss, still_changed, was
from reconciler.plan.quarantine.registry import LOOKS, REFUSED, SCHEMA, UNFINISHED_COPY, UNFINISHED_NOTES

_LOOP = """
#variable_conflict use_column
<<loop_of_ours>>
declare
  -- How long one batch may take, how far a standby may be behind, and how often to say how far it is.
  wanted   constant interval := '100 ms';
  lagging  constant bigint := 67108864;
  chatty   constant interval := '3 s';
  block    constant bigint := pg_catalog.current_setting('block_size')::bigint;
  leaf     regclass;
  name     text;
  here     bigint;
  last     bigint;
  size     bigint;
  step     bigint := 64;
  missing  bigint;
  done     bigint;
  total    bigint := 0;
  file     oid;
  watcher  oid;
  was      jsonb;
  hindered boolean;
  left_over boolean;
  short    boolean;
  round    integer := 0;
  began    timestamptz;
  told     timestamptz := pg_catalog.clock_timestamp();
begin
{guard}{first}  for leaf in
    select c.oid from pg_catalog.pg_class as c
     where c.relkind = 'r' and (c.oid = {table}::regclass
       or not {only} and c.oid in (select p.relid from pg_catalog.pg_partition_tree({table}) as p))
     order by c.oid
  loop
    select pg_catalog.format('%I.%I', n.nspname, c.relname) into name
      from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace where c.oid = leaf;
    file := pg_catalog.pg_relation_filenode(leaf);
    watcher := {watcher};
    round := 0;
    loop
      round := round + 1;
      left_over := false;
      short := false;
      here := {start};
      last := pg_catalog.pg_relation_size(leaf) / block;
      while here < last loop
        began := pg_catalog.clock_timestamp();
        if file <> pg_catalog.pg_relation_filenode(leaf) then
          -- Somebody wrote the table anew: its rows lie elsewhere.
          file := pg_catalog.pg_relation_filenode(leaf);
          here := 0;
          last := pg_catalog.pg_relation_size(leaf) / block;
        end if;
        size := least(step, greatest(last - here, 0));
        was := {schema}.prepared(name, {silent});
        -- A few rows are looked up in a copy of many: by its key.
        perform pg_catalog.set_config('enable_hashjoin', 'off', true), pg_catalog.set_config('enable_mergejoin', 'off', true);
{work}        here := here + size;
{noted}        perform {schema}.finished(name, was);
        hindered := exists (select from pg_catalog.pg_locks as k where not k.granted
          and pg_catalog.pg_backend_pid() = any(pg_catalog.pg_blocking_pids(k.pid)));
        commit;
        if hindered or pg_catalog.clock_timestamp() - began > wanted then
          step := greatest(step / 2, 1);
        elsif pg_catalog.clock_timestamp() - began < wanted / 2 then
          step := least(step * 2, 16384);
        end if;
        perform pg_catalog.pg_sleep(case when hindered then 0.2
          else extract(epoch from pg_catalog.clock_timestamp() - began) / 4 end);
        while exists (select from pg_catalog.pg_stat_replication as r where not pg_catalog.pg_is_in_recovery()
            and pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn) > lagging) loop
          if pg_catalog.clock_timestamp() - told > chatty then
            told := pg_catalog.clock_timestamp();
            raise notice '{label}: a standby is behind, waiting for it';
          end if;
          commit;
          perform pg_catalog.pg_sleep(0.5);
        end loop;
        if pg_catalog.clock_timestamp() - told > chatty then
          told := pg_catalog.clock_timestamp();
          raise notice '{label}: % of % (% %%) of %, % rows', here, last, here * 100 / last, leaf, total;
        end if;
      end loop;
{left}      exit when not (left_over or short);
      -- Rows that somebody held are looked at again: nobody is waited for while others are held.
      perform pg_catalog.pg_sleep(least(round * 0.1, 5));
      commit;
    end loop;
  end loop;
{closing}  raise notice '{label}: % rows', total;
end
"""
_OF_LOOP = "loop_of_ours."
"""Before a variable of the loop, where the statement reads a table that has columns of somebody's."""


def possible(loss: Loss) -> bool:
    """Whether a row can be looked up by its key: not by content, and not by a type whose comparison some search_path hides."""
    return not loss.key.by_content and all("." not in c["type"] for c in loss.key.columns)


def begun(loss: Loss) -> str:
    """The empty copy, and the trigger that notes what is written from now on."""
    table, notes, function, trigger = w.name(loss.table), _notes(loss), _function(loss), ident(_called(loss))
    own, key = _own(loss), [ident(c.id.part) for c in loss.key.columns]
    shape = [*keys.shape(loss.key), *(f"{ident(pick.name)} {pick.type}" for pick in loss.picks)]
    old, new = ([f"{side}.{k}" for k in key] for side in ("old", "new"))
    moved = " operator(pg_catalog.*<>) ".join(f"row({', '.join(side)})::record" for side in (old, new))
    every = f"{_called(loss)}_all"
    emptied = f"create trigger {every} after truncate on %s for each statement execute function {function}()"
    always = f"alter table only %s enable always trigger {every}"
    typed = [f"{ident(c.id.part)} {c['type']}" for c in loss.key.columns]
    body = "\n".join(
        [
            "",
            "begin",
            "  if tg_op = 'TRUNCATE' then",
            f"    insert into {notes} ({own.note}) values ('t');",
            "    return null;",
            "  end if;",
            "  -- Every update, whatever it changes: the row lies elsewhere from then on.",
            "  if tg_op <> 'INSERT' then",
            f"    insert into {notes} ({own.note}, {', '.join(key)}) values ('k', {', '.join(old)});",
            "  end if;",
            f"  if tg_op = 'INSERT' or tg_op = 'UPDATE' and {moved} then",
            f"    insert into {notes} ({own.note}, {', '.join(key)}) values ('k', {', '.join(new)});",
            "  end if;",
            "  return null;",
            "end",
            "",
        ]
    )
    return block(
        ["one regclass"],
        [
            f"if {loss.there} and {_absent(notes)} then",
            *inside(
                f"perform {SCHEMA}.make_room({literal(loss.name)});",
                f"create table {loss.copy} ({', '.join(shape)}, primary key ({', '.join(key)}));",
                f'create table {notes} ({own.number} bigint generated always as identity primary key, {own.note} "char" not null,'
                f" {own.home} oid, {own.file} oid, {own.watch} oid, {own.place} bigint, {', '.join(typed)});",
                "-- Writers may not look into the quarantine: the function may, for them.",
                f"create function {function}() returns trigger language plpgsql security definer set search_path = '' as"
                f" {dollar(body, 'note')};",
                f"revoke all on function {function}() from public;",
                f"create trigger {trigger} after insert or update or delete on {table} for each row execute function"
                f" {function}();",
                f"alter table {table} enable always trigger {trigger};",
                f"for one in select c.oid from pg_catalog.pg_class as c where c.oid = {literal(table)}::regclass or c.oid in"
                f" (select p.relid from pg_catalog.pg_partition_tree({literal(table)}) as p) order by c.oid loop",
                "  -- TRUNCATE of a partition fires no trigger of the table above it.",
                f"  execute pg_catalog.format({literal(emptied)}, one);",
                f"  execute pg_catalog.format({literal(always)}, one);",
                "end loop;",
                _registered(loss),
            ),
            "end if;",
        ],
    )


def _registered(loss: Loss) -> str:
    """Rows of the registry for what is not finished. No plan looks for their tag."""
    tag, schema, name = (literal(text) for text in (_unfinished(loss), loss.table.schema, loss.table.name))
    rows = [
        f"({tag}, '{UNFINISHED_COPY}', {schema}, {name}, {literal(c.id.part)}, {literal(loss.name)})"
        for c in loss.columns
    ]
    rows.append(f"({tag}, '{UNFINISHED_NOTES}', {schema}, {name}, '', {literal(f'notes_{loss.tag}')})")
    return f"insert into {SCHEMA}.kept (tag, kind, schema, name, part, kept_as) values {', '.join(rows)};"


def copied(loss: Loss) -> str:
    """The rows, batch by batch, and then again what was written meanwhile, until it is little."""
    notes, own = _notes(loss), _own(loss)
    values, wanted = _values(loss)
    take = (
        f"insert into {loss.copy} ({wanted}) select {values} from only @leaf@ as t where t.ctid >= @from@::tid and t.ctid < @to@::tid{_and(loss)}"
        f" {_again(loss)}"
    )
    work = _lines(
        8,
        f"execute pg_catalog.format({_sent(take)}, name, '(' || here || ',0)', '(' || here + size || ',0)');",
        "get diagnostics done = row_count;",
        "total := total + done;",
    )
    place = f"insert into {notes} ({own.note}, {own.home}, {own.file}, {own.watch}, {own.place}) values ('p', leaf, file, watcher, here);"
    noted = _lines(
        8,
        f"delete from {notes} as n where n.{own.note} = 'p' and n.{own.home} = {_OF_LOOP}leaf and n.{own.watch} = {_OF_LOOP}watcher;",
        place,
    )
    # A partition that is empty has no batch: it is noted too that it was looked at.
    ended = _lines(
        6,
        f"if not {_watched(loss, f'{_OF_LOOP}leaf', f'{_OF_LOOP}watcher')} then",
        f"  {place}",
        "end if;",
        "commit;",
    )
    closing = _lines(
        2,
        "round := 0;",
        "loop",
        *inside(
            "round := round + 1;",
            f"was := {SCHEMA}.prepared({literal(w.name(loss.table))}, false);",
            *_caught_up(loss, "done", limit=10000),
            f"perform {SCHEMA}.finished({literal(w.name(loss.table))}, was);",
            "commit;",
            "exit when done < 100 or round > 1000;",
        ),
        "end loop;",
        f"analyze {loss.copy};",
        "commit;",
    )
    start = (
        f"coalesce((select n.{own.place} from {notes} as n where n.{own.note} = 'p' and n.{own.home} = {_OF_LOOP}leaf and"
        f" n.{own.file} = pg_catalog.pg_relation_filenode({_OF_LOOP}leaf) and n.{own.watch} = {_OF_LOOP}watcher order by"
        f" n.{own.number} desc limit 1), 0)"
    )
    return _loop(
        loss, guard=_lines(2, f"if {_absent(notes)} then", "  return;", "end if;"), first=_estimate(loss), start=start, silent="false", work=work,
        noted=noted, closing=closing, left=ended, watcher=_trigger_on(loss, "leaf"),
    )  # fmt: skip


def closed(loss: Loss) -> str:
    """Under the lock of the drop: what was noted last, and the end of the notes."""
    table, notes = w.name(loss.table), _notes(loss)
    listed = ", ".join(column.id.part for column in loss.columns)
    lost = f"the values of {listed} of {table} are not kept: what was begun for that is gone".replace(
        "%", "%%"
    )
    return block(
        ["was jsonb", "done bigint", "total bigint", "leaf regclass", "name text", "late boolean := false"],
        [
            f"if not {_absent(notes)} then",
            *inside(
                f"lock table {loss.live} in access exclusive mode;",
                *_late(loss),
                f"was := {SCHEMA}.prepared({literal(table)}, false);",
                *_caught_up(loss, "done"),
                "if late then",
                f"  delete from {loss.copy} as k where not exists (select from {loss.live} as t where"
                f" {keys.same_row(loss.key, 't.', 'k.')});",
                "end if;",
                f"perform {SCHEMA}.finished({literal(table)}, was);",
                *_taken_off(loss),
                f"select greatest(c.reltuples::bigint, 1) into total from pg_catalog.pg_class as c where c.oid ="
                f" {literal(loss.copy)}::regclass and exists (select from {loss.copy});",
                direct.entered(loss, "coalesce(total, 0)"),
                "-- Who holds it while it is copied holds it from then on.",
                f"update {SCHEMA}.kept as k set held = u.held from {SCHEMA}.kept as u where k.tag = {literal(loss.tag)} and k.kept_as ="
                f" {literal(loss.name)} and u.tag = {literal(_unfinished(loss))} and u.kept_as = k.kept_as and u.held is not null;",
                _forgotten(loss),
            ),
            f"elsif {loss.there} then",
            f"  raise exception {literal(lost)} using errcode = 'object_not_in_prerequisite_state',",
            "    hint = 'take this migration back (reconciler rollback) and apply it again: it begins anew';",
            "end if;",
        ],
    )


def _late(loss: Loss) -> list[str]:
    """A partition that came, or was away, while the rows were copied: nobody noted what was written to it. It is copied under the lock."""
    own = _own(loss)
    values, wanted = _values(loss)
    take = f"insert into {loss.copy} ({wanted}) select {values} from only @leaf@ as t{_and(loss, ' where ')} {_again(loss)}"
    return [
        "-- Copied twice, since it was away in between: what was deleted there is in the copy.",
        f"late := exists (select from {_notes(loss)} as n where n.{own.note} = 'p' group by n.{own.home} having"
        f" pg_catalog.count(distinct n.{own.watch}) > 1);",
        f"for leaf, name in select c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class as c"
        f" join pg_catalog.pg_namespace as n on n.oid = c.relnamespace where {_family(loss)}"
        f" and not {_watched(loss, 'c.oid', _trigger_on(loss, 'c.oid'))} order by c.oid loop",
        *inside(
            "late := true;",
            f"was := {SCHEMA}.prepared(name, false);",
            f"execute pg_catalog.format({_sent(take)}, name);",
            f"perform {SCHEMA}.finished(name, was);",
        ),
        "end loop;",
    ]


def _again(loss: Loss) -> str:
    """A row that was copied already is copied as it is now."""
    key = ", ".join(ident(c.id.part) for c in loss.key.columns)
    fresh = ", ".join(f"{ident(pick.name)} = excluded.{ident(pick.name)}" for pick in loss.picks)
    return f"on conflict ({key}) do update set {fresh}"


def _trigger_on(loss: Loss, table: str) -> str:
    """The trigger that notes what is written to a table. A partition that is attached gets a new one, also one that was there before."""
    return (
        f"(select g.oid from pg_catalog.pg_trigger as g where g.tgrelid = {table} and g.tgname ="
        f" {literal(_called(loss))})"
    )


def _watched(loss: Loss, table: str, trigger: str) -> str:
    own = _own(loss)
    return f"exists (select from {_notes(loss)} as s where s.{own.note} = 'p' and s.{own.home} = {table} and s.{own.watch} = {trigger})"


def abandoned(loss: Loss) -> str:
    """The way back from a keeping that was begun and not finished: the column is there still."""
    return block(
        [],
        [
            f"{REFUSED};",
            f"if not {_absent(_notes(loss))} then",
            *inside(*_taken_off(loss), f"drop table {loss.copy};", _forgotten(loss)),
            "end if;",
        ],
    )


def _forgotten(loss: Loss) -> str:
    return f"delete from {SCHEMA}.kept as k where k.tag = {literal(_unfinished(loss))};"


def _unfinished(loss: Loss) -> str:
    return f"unfinished {loss.tag}"


def _taken_off(loss: Loss) -> list[str]:
    return [f"drop function {_function(loss)}() cascade;", f"drop table {_notes(loss)};"]


def _caught_up(loss: Loss, count: str, limit: int = 0) -> list[str]:
    """What was noted is looked at again, as it is now; `count` gets the number of notes."""
    notes, own = _notes(loss), _own(loss)
    key = [c.id.part for c in loss.key.columns]
    listed = ", ".join(f"m.{ident(k)}" for k in key)
    values, wanted = _values(loss)
    live = " and ".join(f"t.{ident(k)} = n.{ident(k)}" for k in key)
    alike = keys.same_row(loss.key, "t.", "k.")
    some = (
        f" and n.{own.number} in (select m.{own.number} from {notes} as m where m.{own.note} = 'k' order by m.{own.number} limit {limit})"
        if limit
        else ""
    )
    return [
        f"update {notes} as n set {own.note} = 'w' where n.{own.note} = 'k'{some};",
        f"get diagnostics {count} = row_count;",
        f"if {count} > 0 then",
        f"  insert into {loss.copy} ({wanted}) select {values} from (select distinct {listed} from {notes} as m where m.{own.note} = 'w') as n"
        f" join {loss.live} as t on {live}{_and(loss, ' where ')} {_again(loss)};",
        f"  delete from {loss.copy} as k using (select distinct {listed} from {notes} as m where m.{own.note} = 'w') as n where"
        f" {keys.same_row(loss.key, 'n.', 'k.')} and not exists (select from {loss.live} as t where {live}{_and(loss)});",
        f"  delete from {notes} as n where n.{own.note} = 'w';",
        "end if;",
        f"update {notes} as n set {own.note} = 'u' where n.{own.note} = 't';",
        "if found then",
        f"  delete from {loss.copy} as k where not exists (select from {loss.live} as t where {alike});",
        f"  delete from {notes} as n where n.{own.note} = 'u';",
        "end if;",
    ]


def _values(loss: Loss) -> tuple[str, str]:
    """(what is copied of a row `t`, and the columns of the copy that take it)."""
    values = [*(keys.kept_value(c, "t.") for c in loss.key.columns), *(pick.value for pick in loss.picks)]
    names = [*(c.id.part for c in loss.key.columns), *(pick.name for pick in loss.picks)]
    return ", ".join(values), ", ".join(ident(name) for name in names)


def _and(loss: Loss, word: str = " and ") -> str:
    return f"{word}({loss.condition})" if loss.condition else ""


def added(loss: Loss, defaults: dict[str, str], counters: Mapping[str, ObjectId]) -> str:
    """The columns, empty; new rows get their default from now on."""
    table = w.name(loss.table)
    lines = [
        *direct.numbered_on(loss, counters),
        f"alter table {table} {', '.join(f'add column if not exists {direct.bare(c)}' for c in loss.columns)};",
        *(
            f"alter table {table} alter column {ident(c.id.part)} set default {defaults[c.id.part]};"
            for c in loss.columns
            if c.id.part in defaults
        ),
    ]
    return block([], direct.if_kept(loss, lines))


def filled(loss: Loss, others: dict[str, str]) -> str:
    """Kept values, and what is declared for the rows that were written while the columns were away."""
    alike = keys.same_row(loss.key, "t.", "k.")
    blocks = "t.ctid >= @from@::tid and t.ctid < @to@::tid"
    missing = [_missing(c) for c in loss.columns]
    values, sets = [], []
    for number, column in enumerate(loss.columns, 1):
        name = ident(column.id.part)
        cast = f"::{column['type']}" if keys.own_type(column["type"]) != column["type"] else ""
        values.append(f"k.{name}{cast} as n{number}")
        sets.append(
            f"{name} = case when pg_catalog.num_nulls(t.{name}) = 1 then held.n{number} else t.{name} end"
        )
    steps = [
        f"with held as materialized (select t.ctid as id, {', '.join(values)} from only @leaf@ as t join {loss.copy} as k on"
        f" {alike} where {blocks} and ({' or '.join(missing)}) for no key update of t skip locked) update only @leaf@ as t set"
        f" {', '.join(sets)} from held where t.ctid = held.id"
    ]
    its_name = loss.table.name
    whole, copy, held = (
        ident(name) for name in (its_name, *(keys.free(one, [its_name]) for one in ("kept copy", "held")))
    )
    row = loss.key.own("held row")
    unkept = f"not exists (select from {loss.copy} as {copy} where {keys.same_row(loss.key, f'{whole}.', f'{copy}.')})"
    given = []
    for column in loss.columns:
        if column.id.part not in others:
            continue
        name = ident(column.id.part)
        empty = f"pg_catalog.num_nulls({whole}.{name}) = 1"
        rows = f"only @leaf@ as {whole} where {whole}.ctid >= @from@::tid and {whole}.ctid < @to@::tid and {empty} and {unkept}"
        # Asked for once a row, no more: it may draw from a sequence.
        given.append(
            (
                f"select pg_catalog.count(*) from {rows}",
                f"with {held} as materialized (select {whole}.ctid as {row} from {rows} for no key update skip locked)"
                f" update only @leaf@ as {whole} set {name} = ({others[column.id.part]}) from {held} where"
                f" {whole}.ctid = {held}.{row} and {empty}",
            )
        )
    left = f"select exists (select from only @leaf@ as t left join {loss.copy} as k on {alike} where {' or '.join(missing)})"
    return _giving(loss, put_all=steps, given=given, left=left)


def _giving(loss: Loss, *, put_all: list[str], left: str, given: Iterable[tuple[str, str]] = ()) -> str:
    """The loop of statements that write into the table, until `left` says that no row is left over.

    `given` are (how many rows a statement is for, the statement): it is done when it found them all, whatever it wrote, for what it
    writes may be NULL.
    """
    work = "".join(_put(put) for put in put_all) + "".join(
        _lines(8, f"execute {_of_blocks(count)} into missing;", "if missing > 0 then")
        + _put(put, 10)
        + _lines(8, "  short := short or done < missing;", "end if;")
        for count, put in given
    )
    guard = _lines(
        2,
        f"{REFUSED};",
        f"if {LOOKS} then",
        f"  if not exists (select from {SCHEMA}.kept as k where k.tag = {literal(loss.tag)}) then",
        "    return;",
        "  end if;",
        "else",
        "  return;",
        "end if;",
    )
    found = f"exists (select from {loss.live} as t where {keys.same_row(loss.key, 't.', 'k.')})"
    closing = _lines(
        2,
        f"perform {SCHEMA}.matched({literal(loss.tag)}, {literal(loss.name)}, (select pg_catalog.count(*) from {loss.copy} as k"
        f" where {found}));",
        *([direct.done(loss)] if loss.kind == "values" else []),
        "commit;",
    )
    return _loop(
        loss, guard=guard, first="", start="0", silent="true", work=work, noted="", closing=closing, left=_looked(left)
    )  # fmt: skip


def swept(loss: Loss, *, absent: str, put: str, left: str) -> str:
    """A statement that writes into the table, batch by batch, until `left` says that no row is left over; nothing where `absent`."""
    work = _put(put)
    guard = _lines(2, f"if {absent} then", "  return;", "end if;")
    return _loop(
        loss, guard=guard, first="", start="0", silent="true", work=work, noted="", closing="", left=_looked(left)
    )  # fmt: skip


def _put(sql: str, depth: int = 8) -> str:
    return _lines(
        depth, f"execute {_of_blocks(sql)};", "get diagnostics done = row_count;", "total := total + done;"
    )


def _of_blocks(sql: str) -> str:
    return f"pg_catalog.format({_sent(sql)}, name, '(' || here || ',0)', '(' || here + size || ',0)')"


def _looked(left: str) -> str:
    return _lines(
        6,
        f"was := {SCHEMA}.prepared(name, false);",
        f"execute pg_catalog.format({_sent(left)}, name) into left_over;",
        f"perform {SCHEMA}.finished(name, was);",
        "commit;",
    )


def _missing(column: Fact) -> str:
    name = ident(column.id.part)
    return f"pg_catalog.num_nulls(t.{name}) = 1 and pg_catalog.num_nulls(k.{name}) = 0"


def restored(loss: Loss) -> str:
    """Values that had become others, batch by batch, where what they became is still there."""
    (column,) = loss.columns
    alike = keys.same_row(loss.key, "t.", "k.")
    changed = still_changed(loss, "t.", "k.")
    put = (
        f"with held as materialized (select t.ctid as id, {was(loss, 'k.')} as was from only @leaf@ as t join {loss.copy} as k on"
        f" {alike} where t.ctid >= @from@::tid and t.ctid < @to@::tid and {changed} for no key update of t skip locked) update"
        f" only @leaf@ as t set {ident(column.id.part)} = held.was from held where t.ctid = held.id"
    )
    left = f"select exists (select from only @leaf@ as t join {loss.copy} as k on {alike} where {changed})"
    return _giving(loss, put_all=[put], left=left)


def promised(loss: Loss) -> str:
    """For columns that must have a value: from now on every row that is written has one."""
    lines = []
    for column in _demanding(loss):
        name = ident(column.id.part)
        lines += [
            f"select pg_catalog.count(*) into missing from {loss.live} where pg_catalog.num_nulls({name}) = 1;",
            "if missing > 0 then",
            *inside(direct.refused(column, "missing")),
            "end if;",
            f"if not {_check_is(loss, column)} then",
            f"  alter table {w.name(loss.table)} add constraint {ident(_check(loss, column))} check ({name} is not null) not valid;",
            "end if;",
        ]
    return block(["missing bigint"], direct.if_kept(loss, lines))


def looked_through(loss: Loss) -> str:
    """That the rows which are there keep the promise too is seen while others write."""
    lines = [
        f"if {_check_is(loss, c)} then alter table {w.name(loss.table)} validate constraint {ident(_check(loss, c))}; end if;"
        for c in _demanding(loss)
    ]
    return block([], direct.if_kept(loss, lines))


def demanded(loss: Loss) -> str:
    """NOT NULL, which the promise has proven, and the end of the copy."""
    lines = []
    for column in _demanding(loss):
        lines += [
            direct.demanded(column),
            f"alter table {w.name(loss.table)} drop constraint if exists {ident(_check(loss, column))};",
        ]
    lines.append(direct.done(loss))
    return block([], direct.if_kept(loss, lines))


def needs_promise(loss: Loss) -> bool:
    return bool(_demanding(loss))


def _demanding(loss: Loss) -> list[Fact]:
    return [c for c in loss.columns if direct.needs_a_value(c)]


def _check(loss: Loss, column: Fact) -> str:
    return f"{_called(loss)}_{loss.columns.index(column)}"


def _check_is(loss: Loss, column: Fact) -> str:
    return (
        f"exists (select from pg_catalog.pg_constraint as c where c.conrelid = {literal(w.name(loss.table))}::regclass and"
        f" c.conname = {literal(_check(loss, column))})"
    )


def _loop(
    loss: Loss,
    *,
    guard: str,
    first: str,
    start: str,
    silent: str,
    work: str,
    noted: str,
    closing: str,
    left: str = "",
    watcher: str = "null",
) -> str:
    label = f"{loss.table}".replace("'", "''").replace("%", "%%")
    return "do " + dollar(
        _LOOP.format(
            left=left, guard=guard, first=first, table=literal(w.name(loss.table)), start=start, schema=SCHEMA,
            silent=silent, work=work, noted=noted, closing=closing, label=label, only=str(loss.only).lower(), watcher=watcher,
        )
    )  # fmt: skip


def _estimate(loss: Loss) -> str:
    names = ", ".join(literal(c.id.part) for c in (*loss.key.columns, *loss.columns))
    label = f"{loss.table}".replace("'", "''").replace("%", "%%")
    return _lines(
        2,
        "-- What it will take, so that somebody can stop it in time.",
        f"raise notice '{label}: about % rows, about % on disk', (select pg_catalog.sum(greatest(c.reltuples, 0))::bigint from"
        f" pg_catalog.pg_class as c where {_family(loss)}),",
        "  (select pg_catalog.pg_size_pretty((pg_catalog.sum(greatest(c.reltuples, 0)) * (48 + (select"
        f" coalesce(pg_catalog.sum(a.stawidth), 0) from pg_catalog.pg_class as x join ({_widths(loss, names)}) as a on a.home ="
        f" x.oid where x.oid = {literal(w.name(loss.table))}::regclass)))::numeric) from pg_catalog.pg_class as c where"
        f" {_family(loss)});",
    )


def _widths(loss: Loss, names: str) -> str:
    return (
        "select a.attrelid as home, coalesce(s.avg_width, 16) as stawidth from pg_catalog.pg_attribute as a left join"
        f" pg_catalog.pg_stats as s on s.schemaname = {literal(loss.table.schema)} and s.tablename = {literal(loss.table.name)}"
        f" and s.attname = a.attname where a.attname in ({names})"
    )


def _family(loss: Loss) -> str:
    table = literal(w.name(loss.table))
    below = (
        "" if loss.only else f" or c.oid in (select p.relid from pg_catalog.pg_partition_tree({table}) as p)"
    )
    return f"c.relkind = 'r' and (c.oid = {table}::regclass{below})"


def _called(loss: Loss) -> str:
    return f"reconciler_keeps_{loss.tag}"


def _notes(loss: Loss) -> str:
    return f"{SCHEMA}.notes_{loss.tag}"


@dataclass(frozen=True, slots=True)
class _Own:
    """What the columns of the notes are called beside those of the key."""

    number: str
    note: str
    home: str
    file: str
    watch: str
    place: str


def _own(loss: Loss) -> _Own:
    return _Own(*(loss.key.own(name) for name in ("number", "note", "home", "file", "watch", "place")))


def _function(loss: Loss) -> str:
    return f"{SCHEMA}.note_{loss.tag}"


def _absent(name: str) -> str:
    return f"pg_catalog.to_regclass({literal(name)}) is null"


def _lines(depth: int, *lines: str) -> str:
    pad = " " * depth
    return "".join("\n".join(pad + part for part in line.split("\n")) + "\n" for line in lines)


def _sent(sql: str) -> str:
    """A statement as the first argument of format(), with the places of table and blocks."""
    text = sql.replace("%", "%%")
    for number, place in enumerate(("@leaf@", "@from@", "@to@"), 1):
        text = text.replace(place, f"%{number}${'s' if number == 1 else 'L'}")
    return literal(text)
