"""Values kept and given back in one transaction, under the lock of the statement that takes them away: for tables that are small.

The lock comes before the copy, so that no write falls between them. Promises that a direction that is run twice keeps nothing twice,
and that a value somebody gave a row meanwhile is not overwritten. Writes SQL, runs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reconciler.catalog.kinds import column as columns
from reconciler.catalog.kinds import identity, not_null
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import printed
from reconciler.model import Fact, ObjectId
from reconciler.pg import dollar, ident, indented, literal
from reconciler.plan.quarantine import row_keys as keys
from reconciler.plan.quarantine.loss import Loss
from reconciler.plan.quarantine.registry import LOOKS, REFUSED, SCHEMA


def kept(loss: Loss) -> str:
    """Copies the columns with what finds their rows, unless they are gone already."""
    wanted = [*keys.names(loss.key), *(pick.name for pick in loss.picks)]
    shape = [*keys.shape(loss.key), *(f"{ident(pick.name)} {pick.type}" for pick in loss.picks)]
    if loss.key.by_content:
        more = "".join(f", {pick.value} as {ident(pick.name)}" for pick in loss.picks)
        more += f", {loss.condition} as {loss.key.own('row wanted')}" if loss.condition else ""
        picked = ", ".join(f"c.{ident(name)}" for name in wanted)
        only = f" where c.{loss.key.own('row wanted')}" if loss.condition else ""
        source = f"select {picked} from ({keys.numbered(loss.key, loss.live, more)}) as c{only}"
    else:
        values = ", ".join(
            [*(keys.kept_value(c, "t.") for c in loss.key.columns), *(pick.value for pick in loss.picks)]
        )
        source = f"select {values} from {loss.live} as t" + (
            f" where {loss.condition}" if loss.condition else ""
        )
    return block(
        ["was jsonb", "total bigint"],
        [
            f"if {loss.there} then",
            *inside(
                "-- Before a row is read: what is written between the copy and the drop would be lost.",
                f"lock table {loss.live} in access exclusive mode;",
                f"was := {SCHEMA}.prepared({literal(w.name(loss.table))}, false);",
                f"perform {SCHEMA}.make_room({literal(loss.name)});",
                f"create table {loss.copy} ({', '.join(shape)});",
                f"alter table {loss.copy} replica identity full;",
                f"insert into {loss.copy} ({', '.join(ident(name) for name in wanted)}) {source};",
                "get diagnostics total = row_count;",
                f"analyze {loss.copy};",
                entered(loss, "total"),
                f"perform {SCHEMA}.finished({literal(w.name(loss.table))}, was);",
            ),
            "end if;",
        ],
    )


def entered(loss: Loss, count: str) -> str:
    """The registry's rows, one for each column."""
    parts = ", ".join(literal(c.id.part) for c in loss.columns)
    return (
        f"perform {SCHEMA}.entered({literal(w.name(loss.table))}, {literal(loss.tag)}, {literal(loss.kind)}, {literal(loss.table.schema)},"
        f" {literal(loss.table.name)}, array[{parts}], {literal(loss.name)}, {count});"
    )


def given_back(
    loss: Loss,
    defaults: dict[str, str],
    fills: dict[str, str],
    full: frozenset[ObjectId] = frozenset(),
    counters: Mapping[str, ObjectId] = MappingProxyType({}),
    *,
    made: bool = False,
) -> str:
    """Adds the columns and puts the values back, when they were kept; else says what is missing where a row would have none.

    `defaults` and `fills` are SQL expressions by column: of the declaration, and for the rows that were written meanwhile. `full`
    are columns of a domain that refuses NULL: these hold text until they are filled. `counters` are sequences that went with a
    column and are there again. `made` says that the plan has made the columns
    by now, so that nobody has written to them.
    """
    table = w.name(loss.table)
    others = {**defaults, **fills}
    inner: list[str] = []
    for number, column in enumerate(loss.columns, 1):
        # What was computed meanwhile nobody wrote.
        inner.append(
            f"{_had(loss, number)} := {'false' if made or column.id in loss.computed else _there(column)};"
        )
    inner += numbered_on(loss, counters)
    inner += [
        f"lock table {loss.live} in access exclusive mode;",
        f"alter table {table} {', '.join(f'add column if not exists {bare(c, c.id in full)}' for c in loss.columns)};",
        f"was := {SCHEMA}.prepared({literal(table)}, true);",
    ]
    rest = [(number, c) for number, c in enumerate(loss.columns, 1) if c.id.part in others or c["identity"]]
    back = _put_back(loss, full)
    ahead = [line for number, c in rest for line in _for_the_others(loss, number, c, others, c.id in full)]
    # Rows without a key are known by their number among their equals, which writing them changes: these all get the other value first.
    inner += [*ahead, *back] if loss.key.by_content else [*back, *ahead]
    inner += [
        f"perform {SCHEMA}.finished({literal(table)}, was);",
        f"perform {SCHEMA}.matched({literal(loss.tag)}, {literal(loss.name)}, total);",
    ]
    for number, column in enumerate(loss.columns, 1):
        if column.id in full:
            inner += _as_domain(loss, number, column)
    unfilled = [c for c in loss.columns if (needs_a_value(c) or c.id in full) and c.id.part not in others]
    otherwise = [line for c in unfilled for line in _said_before(loss, c)]
    return block(
        ["was jsonb", "total bigint", "missing bigint", f"{_peak(loss)} bigint"]
        + [f"{_had(loss, number)} boolean" for number in range(1, len(loss.columns) + 1)],
        [*if_kept(loss, [*inner, "return;"]), *otherwise],
    )


def numbered_on(loss: Loss, counters: Mapping[str, ObjectId]) -> list[str]:
    """A sequence that was made anew goes on from where the one of the column was."""
    return [
        f"perform pg_catalog.setval({literal(w.name(sequence))}, (k.names ->> 'last_value')::bigint) from {SCHEMA}.kept as k where"
        f" k.tag = {literal(loss.tag)} and k.part = {literal(part)} and k.names ? 'last_value' and not (select s.is_called from"
        f" {w.name(sequence)} as s);"
        for part, sequence in sorted(counters.items())
    ]


def dressed(loss: Loss, defaults: dict[str, str]) -> str:
    """What the columns have beside their values, when every table that inherits from this one has its own; and the end of the copy."""
    lines = [line for column in loss.columns for line in _dressed(loss, column, defaults)]
    return block(["missing bigint"], if_kept(loss, [*lines, done(loss)]))


def seen_whether_new(loss: Loss) -> str:
    """Remembers, until the end of the transaction, which columns are not there yet."""
    return block(
        [],
        [
            f"perform pg_catalog.set_config('{_memory(loss, number)}', case when {_there(c)} then 'no' else 'yes' end, true);"
            for number, c in enumerate(loss.columns)
        ],
    )


def only_when_new(loss: Loss, number: int, sql: str) -> str:
    return block(
        [],
        [
            f"if pg_catalog.current_setting('{_memory(loss, number)}', true) = 'yes' then",
            *inside(f"{sql};"),
            "end if;",
        ],
    )


def _memory(loss: Loss, number: int) -> str:
    return f"reconciler.new_{loss.tag}_{number}"


def done(loss: Loss) -> str:
    return f"perform {SCHEMA}.given_back({literal(loss.tag)}, {literal(loss.name)});"


def if_kept(loss: Loss, lines: list[str]) -> list[str]:
    """The lines, for when this very plan has kept these columns."""
    return [
        f"{REFUSED};",
        f"if {LOOKS} then",
        f"  if exists (select from {SCHEMA}.kept as k where k.tag = {literal(loss.tag)}) then",
        *inside(*inside(*lines)),
        "  end if;",
        "end if;",
    ]


def bare(column: Fact, full: bool = False) -> str:
    """The column without anything that a row has to meet or would be filled from; as text when its domain refuses NULL."""
    if full:
        return f"{ident(column.id.part)} text"
    words = [ident(column.id.part), column["type"]]
    if column["compression"]:
        words.append(f"compression {columns.COMPRESSION[column['compression']]}")
    if column["collation"]:
        words.append(f"collate {column['collation']}")
    return " ".join(words)


def needs_a_value(column: Fact) -> bool:
    return bool(column["not_null"]) and not column["identity"] and not not_null.said_later(column)


def _had(loss: Loss, number: int) -> str:
    """The variable that says whether a column was there. Statements over the table's rows speak of it."""
    return _variable(loss, f"had_{number}")


def _peak(loss: Loss) -> str:
    return _variable(loss, "peak")


def _variable(loss: Loss, base: str) -> str:
    """Neither a column nor the table itself, whose name is that of a whole row."""
    return ident(keys.free(base, {*loss.key.taken, loss.table.name}))


def _put_back(loss: Loss, full: frozenset[ObjectId]) -> list[str]:
    sets = []
    for number, column in enumerate(loss.columns, 1):
        name = ident(column.id.part)
        cast = keys.own_type(column["type"]) != column["type"] and column.id not in full
        value = f"k.{name}" + (f"::{column['type']}" if cast else "")
        sets.append(
            f"{name} = case when {_had(loss, number)} and pg_catalog.num_nulls(t.{name}) = 0 then t.{name} else {value} end"
        )
    found = keys.found_again(loss.key, loss.live, loss.copy, [pick.name for pick in loss.picks])
    return [f"update {loss.live} as t set {', '.join(sets)}{found};", "get diagnostics total = row_count;"]


def _for_the_others(loss: Loss, number: int, column: Fact, others: dict[str, str], full: bool) -> list[str]:
    """Rows written while the column was away get the declared value, or the next numbers."""
    name, whole = ident(column.id.part), ident(loss.table.name)
    unless = f"not ({_had(loss, number)} and pg_catalog.num_nulls({whole}.{name}) = 0)"
    if not loss.key.by_content:
        copy = ident(keys.free("kept row", [loss.table.name]))
        match = keys.same_row(loss.key, f"{whole}.", f"{copy}.")
        unless += f" and not exists (select from {loss.copy} as {copy} where {match})"
    if column["identity"] and column.id.part not in others:
        return _numbered_on(loss, column, unless)
    value = f"({others[column.id.part]})"
    if full:
        # Computed once, then as its type prints it: a cast to text may be somebody's.
        value = f"(select {printed('given.value')} from (values ({value})) as given (value))"
    return [f"update {loss.live} set {name} = {value} where {unless};"]


def _numbered_on(loss: Loss, column: Fact, unless: str) -> list[str]:
    name, whole = ident(column.id.part), ident(loss.table.name)
    peak, each = _peak(loss), ident(keys.free("numbered", [loss.table.name]))
    step = int(column["identity"]["increment"])
    furthest, start = ("greatest", "max") if step > 0 else ("least", "min")
    first = int(column["identity"]["start"]) - step
    return [
        f"select {furthest}({first}, (select {start}(k.{name}) from {loss.copy} as k), (select {start}((k.names ->>"
        f" 'last_value')::bigint) from {SCHEMA}.kept as k where k.tag = {literal(loss.tag)} and k.part ="
        f" {literal(column.id.part)})) into {peak};",
        f"update {loss.live} set {name} = {each}.number from (select {whole}.tableoid as home, {whole}.ctid as place, {peak} + {step} *"
        f" pg_catalog.row_number() over (order by {whole}.tableoid, {whole}.ctid) as number from {loss.live} where {unless})"
        f" as {each} where {whole}.tableoid = {each}.home and {whole}.ctid = {each}.place;",
    ]


def _as_domain(loss: Loss, number: int, column: Fact) -> list[str]:
    """What held text while it had no value becomes what it is declared to be."""
    collate = f" collate {column['collation']}" if column["collation"] else ""
    name = ident(column.id.part)
    return [
        *_missed(loss, column),
        f"if not had_{number} then",
        f"  alter table {w.name(loss.table)} alter column {name} type {column['type']}{collate} using {name}::{column['type']};",
        "end if;",
    ]


def _missed(loss: Loss, column: Fact) -> list[str]:
    return [
        f"select pg_catalog.count(*) into missing from {loss.live} where pg_catalog.num_nulls({ident(column.id.part)}) = 1;",
        "if missing > 0 then",
        *inside(refused(column, "missing")),
        "end if;",
    ]


def _dressed(loss: Loss, column: Fact, defaults: dict[str, str]) -> list[str]:
    """What the column has beside its values: default, NOT NULL, identity."""
    table, name = w.name(loss.table), ident(column.id.part)
    found = _missed(loss, column) if needs_a_value(column) else []
    if column.id.part in defaults:
        found.append(f"alter table {table} alter column {name} set default {defaults[column.id.part]};")
    if column["not_null"] and not not_null.said_later(column):
        found.append(demanded(column))
    if column["identity"]:
        found += [
            f"alter table {table} alter column {name} add {identity.clause(column)};",
            f"{identity.after_the_last(column)};",
            f"perform pg_catalog.setval({identity.found(column)}, (k.names ->> 'last_value')::bigint) from {SCHEMA}.kept as k"
            f" where k.tag = {literal(loss.tag)} and k.part = {literal(column.id.part)} and (k.names ->> 'last_value')::bigint"
            f" {'>' if int(column['identity']['increment']) > 0 else '<'} all (select {name} from {table} where {name} is not"
            " null);",
        ]
    return found


def demanded(column: Fact) -> str:
    table, name = w.name(column.id), ident(column.id.part)
    if isinstance(column["not_null"], dict):
        return f"alter table {table} add constraint {ident(column['not_null']['name'])} {column['not_null']['def']};"
    return f"alter table {table} alter column {name} set not null;"


def _said_before(loss: Loss, column: Fact) -> list[str]:
    """Nothing was kept: where rows have come all the same, the plain statement would fail without saying what to do."""
    return [
        f"if not {_there(column)} and exists (select from {loss.live}) then",
        f"  select pg_catalog.count(*) into missing from {loss.live};",
        *inside(refused(column, "missing")),
        "end if;",
    ]


def refused(column: Fact, count: str) -> str:
    return (
        f"raise exception '%', {count} || {literal(f' row(s) of {w.name(column.id)} were written while column {column.id.part} was gone, and have no value for it; it is NOT NULL')}"
        f" using errcode = 'not_null_violation', hint = {literal(how_to_fill(column))};"
    )


def how_to_fill(column: Fact) -> str:
    """What a person can do about rows that have no value."""
    name = ident(column.id.part)
    return (
        f"add the column yourself, without NOT NULL, and give these rows a value: alter table {w.name(column.id)} add column"
        f" {bare(column)}; update {w.name(column.id)} set {name} = … where …; then run this again. What it finds there stays, and"
        " the other rows get their kept values"
    )


def _there(column: Fact) -> str:
    return (
        "exists (select from pg_catalog.pg_attribute as a where a.attrelid ="
        f" pg_catalog.to_regclass({literal(w.name(column.id))}) and a.attname = {literal(column.id.part)})"
    )


def inside(*lines: str) -> list[str]:
    return [indented(line, "  ") for line in lines]


def block(declared: list[str], lines: list[str]) -> str:
    heading = "".join(f"  {one};\n" for one in declared)
    body = "\n".join(indented(line, "  ") for line in lines)
    # A name that a column of the table has too is the column's: a declared value speaks of those.
    return "do " + dollar(f"\n#variable_conflict use_column\ndeclare\n{heading}begin\n{body}\nend\n")
