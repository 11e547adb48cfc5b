"""A column of a large table that gets another type, without a table written anew under a lock.

A second column of the new type follows the first by a trigger and is filled batch by batch; then it takes the first one's place and
name. For casts that cannot fail, on columns that nothing but what steps aside anyway stands on; everything else keeps the plain
form. Promises that the plain statement runs where nothing was prepared. Writes SQL, runs none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.catalog.kinds import Context
from reconciler.catalog.kinds import column as columns
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.column import PINNED
from reconciler.catalog.kinds.partition import tree
from reconciler.model import Fact, ObjectId, Statement
from reconciler.pg import dollar, ident, literal
from reconciler.plan.quarantine import direct, gradual
from reconciler.plan.quarantine.direct import block, inside
from reconciler.plan.quarantine.loss import Loss, stands_for
from reconciler.plan.quarantine.registry import SCHEMA
from reconciler.plan.quarantine.row_keys import Key
from reconciler.plan.quarantine.way import Way

_STANDS = PINNED | {"default"}
"""What may stand on the column: it steps aside while the type changes, or is said again."""


@dataclass(frozen=True, slots=True)
class Swap:
    """`old` becomes `new`: `value` is the SQL for it over the row `@row@`, which can be assigned to `type`, what the second column is declared as meanwhile;
    `due` the SQL condition that the change is still to come."""

    old: Fact
    new: Fact
    type: str
    value: str
    tag: str
    only: bool
    due: str

    @property
    def table(self) -> str:
        return w.name(self.old.id)

    @property
    def column(self) -> str:
        return ident(self.old.id.part)

    @property
    def second(self) -> str:
        return f"reconciler_{self.tag}"

    @property
    def trigger(self) -> str:
        """The last of all triggers by its name, so that it sees what the others made of the row."""
        return f"~reconciler_{self.tag}"

    @property
    def function(self) -> str:
        return f"{SCHEMA}.follow_{self.tag}"

    @property
    def check(self) -> str:
        return f"reconciler_{self.tag}_filled"


def swap_of(old: Fact, new: Fact, value: str, type_: str, way: Way, due: str = "") -> Swap | None:
    """How the column is changed beside its rows; None where it cannot be. `due` is empty where its type says that."""
    table = old.parent
    if (
        table is None
        or stands_for(table, way.before, way.after) != table
        or old["identity"]
        or new["identity"]
    ):
        return None
    family = tree(way.before, table)
    if not any(way.is_large(one) for one in family) or (
        w.has_children(old.id, way.context) and family == {table}
    ):
        return None
    if w.parents(old.id, way.before):
        return None
    for side in (way.before, way.after):
        for one in family:
            column = ObjectId("column", one.schema, one.name, old.id.part)
            users = side.dependents.get(column, frozenset())
            if any(
                user.kind not in _STANDS and user not in {c.id for c in side.children.get(column, ())}
                for user in users
            ):
                return None
            fact = side.facts.get(column)
            if (
                fact is None
                or isinstance(fact["not_null"], dict)
                or (fact is not old and fact is not new and fact["acl"])
            ):
                return None
    only = not way.before.facts[table]["partition_by"]
    tag = _tag(old.id, way, way.forward)
    unchanged = (
        f"{SCHEMA}.is_of_type({literal(w.name(old.id))}, {literal(old.id.part)}, {literal(old['type'])})"
    )
    return Swap(old, new, type_, value, tag, only, due or unchanged)


def _tag(column: ObjectId, way: Way, forward: bool) -> str:
    return way.tag(
        ObjectId("swap", column.schema, column.name, f"{column.part} {'up' if forward else 'down'}")
    )


def steps(swap: Swap) -> list[tuple[str, bool, str]]:
    """(SQL, whether it runs outside a transaction, what for), before the main transaction."""
    what = f"{swap.old.id}: a column of the new type"
    found = [
        (_added(swap), False, f"{what} beside it follows what is written"),
        (_filled(swap), True, f"{what} is filled while others write"),
    ]
    if direct.needs_a_value(swap.new):
        found += [
            (_promised(swap), False, f"{what} has a value in every row that is written"),
            (_looked_through(swap), True, f"{what} is seen to have a value in every row"),
        ]
    return found


def _there(swap: Swap) -> str:
    return (
        "exists (select from pg_catalog.pg_attribute as a where a.attrelid ="
        f" pg_catalog.to_regclass({literal(swap.table)}) and a.attname = {literal(swap.second)})"
    )


def _added(swap: Swap) -> str:
    # Whoever writes runs this as himself, and may not be allowed to name the type: the assignment makes the value one of it.
    value = swap.value.replace("@row@", "new")
    body = f"\nbegin\n  new.{swap.second} := {value};\n  return new;\nend\n"
    collate = f" collate {swap.new['collation']}" if swap.new["collation"] else ""
    compression = (
        f" compression {columns.COMPRESSION[swap.new['compression']]}" if swap.new["compression"] else ""
    )
    return block(
        [],
        [
            f"if {swap.due} and pg_catalog.to_regprocedure({literal(f'{swap.function}()')}) is null then",
            *inside(
                "-- One that nothing follows any more has other values by now.",
                f"alter table {swap.table} drop column if exists {swap.second};",
                f"alter table {swap.table} add column {swap.second} {swap.type}{compression}{collate};",
                f"create or replace function {swap.function}() returns trigger language plpgsql set search_path = ''"
                f" as {dollar(body, 'follow')};",
                f"revoke all on function {swap.function}() from public;",
                f"create trigger {ident(swap.trigger)} before insert or update on {swap.table} for each row execute function"
                f" {swap.function}();",
                f"alter table {swap.table} enable always trigger {ident(swap.trigger)};",
            ),
            "end if;",
        ],
    )


def _filled(swap: Swap) -> str:
    empty = f"pg_catalog.num_nulls(t.{swap.second}) = 1 and pg_catalog.num_nulls(t.{swap.column}) = 0"
    put = (
        f"with held as materialized (select t.ctid as id from only @leaf@ as t where t.ctid >= @from@::tid and t.ctid < @to@::tid"
        f" and {empty} for no key update skip locked) update only @leaf@ as t set {swap.second} ="
        f" ({swap.value.replace('@row@', 't')})::{swap.type} from held where t.ctid = held.id"
    )
    return gradual.swept(
        _whole(swap),
        absent=f"not {_there(swap)}",
        put=put,
        left=f"select exists (select from only @leaf@ as t where {empty})",
    )


def _promised(swap: Swap) -> str:
    lines = [
        f"if {_there(swap)} and not {_check_is(swap)} then",
        f"  alter table {swap.table} add constraint {swap.check} check ({swap.second} is not null) not valid;",
        "end if;",
    ]
    return block([], lines)


def _looked_through(swap: Swap) -> str:
    return block(
        [], [f"if {_check_is(swap)} then alter table {swap.table} validate constraint {swap.check}; end if;"]
    )


def _check_is(swap: Swap) -> str:
    return (
        f"exists (select from pg_catalog.pg_constraint as c where c.conrelid = pg_catalog.to_regclass({literal(swap.table)}) and"
        f" c.conname = '{swap.check}')"
    )


def swapped(swap: Swap, default: str | None) -> list[str]:
    """Lines of a block: the second column takes the place of the first."""
    lines = [
        f"lock table {swap.table} in access exclusive mode;",
        f"drop function {swap.function}() cascade;",
        f"alter table {swap.table} drop column {swap.column};",
        f"alter table {swap.table} rename column {swap.second} to {swap.column};",
    ]
    if default is not None:
        lines.append(f"alter table {swap.table} alter column {swap.column} set default {default};")
    if direct.needs_a_value(swap.new):
        lines += [direct.demanded(swap.new), f"alter table {swap.table} drop constraint {swap.check};"]
    return lines


def instead(swap: Swap, plain: Statement, default: str | None) -> str:
    """What takes the place of the plain statement, and runs it where nothing was prepared."""
    return block(
        [],
        [
            f"if {_there(swap)} then",
            *inside(*swapped(swap, default)),
            "else",
            *inside(f"{plain.sql};"),
            "end if;",
        ],
    )


def instead_of_enum(
    swaps: Iterable[Swap], others: Iterable[str], plain: Statement, enum: ObjectId, second: str
) -> str:
    """The same for an enum: `others` change the columns that are not swapped, `second` is what the new type is called meanwhile."""
    ones = list(swaps)
    lines = [line for swap in ones for line in swapped(swap, None)]
    ready = " and ".join(_there(swap) for swap in ones)
    return block(
        [],
        [
            f"if {ready} then",
            *inside(
                *lines,
                *(f"{other};" for other in others),
                f"drop type {w.name(enum)};",
                f"alter type {ident(enum.schema, second)} rename to {ident(enum.name)};",
            ),
            "else",
            *inside(f"{plain.sql};"),
            "end if;",
        ],
    )


def undone(column: ObjectId, way: Way) -> str:
    """What an interrupted run of the opposite direction left."""
    tag = _tag(column, way, not way.forward)
    table, second = w.name(column), f"reconciler_{tag}"
    there = (
        f"exists (select from pg_catalog.pg_attribute as a where a.attrelid = pg_catalog.to_regclass({literal(table)})"
        f" and a.attname = {literal(second)})"
    )
    lines = [
        f"if {there} then",
        f"  drop function if exists {SCHEMA}.follow_{tag}() cascade;",
        f"  alter table {table} drop column if exists {second};",
        "end if;",
    ]
    return block([], lines)


def dressed(swap: Swap, context: Context) -> list[Statement]:
    """What the column has beside its values and was lost with the first one."""
    return columns.dressed(swap.new, context)


def _whole(swap: Swap) -> Loss:
    """The table for the loop over its rows."""
    table = ObjectId("table", swap.old.id.schema, swap.old.id.name)
    return Loss("values", table, (swap.old,), Key(()), (), "true", swap.only, swap.tag, swap.second)
