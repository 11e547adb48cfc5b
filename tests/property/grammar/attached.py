"""What stands on a table: constraints, indexes, triggers, policies, rules, statistics, owned sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from grammar.code import Routine
from grammar.tables import WHOLE, Column, SequenceOf, Table
from grammar.thing import ROLES, Expr, Hand, Made, Thing
from grammar.types import Enum
from grammar.views import MaterializedView, View
from reconciler.pg import ident, literal


@dataclass(frozen=True)
class OnTable(Thing):
    """`schema` is empty: the name of the relation says where it lives."""

    table: str = ""
    uses: tuple[str, ...] = ()
    text: str = ""
    comment: str = ""
    more: tuple[str, ...] = ()
    home: str = ""
    word: ClassVar[str] = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return (type(self).__name__, self.table, self.name)

    def needs(self) -> set[str]:
        return {f"relation {self.table}", *self.uses}

    def sql(self, made: Made) -> list[str]:
        found = [self.text, *self.more]
        if self.comment:
            found.append(
                f"comment on {self.word} {ident(self.name)} on {self.table} is {literal(self.comment)}"
            )
        return found


class Constraint(OnTable):
    rank = 11
    word = "constraint"

    @property
    def key(self) -> tuple[str, str, str]:
        return ("Constraint", self.table, "" if " primary key " in self.text else self.name)

    def gives(self, made: Made) -> set[str]:
        unique = " unique " in self.text or " primary key " in self.text
        return {f"constraint {self.table}.{self.name}"} if unique else set()


class ForeignKey(Constraint):
    rank = 12


class Index(OnTable):
    rank = 13

    @property
    def key(self) -> tuple[str, str, str]:
        return ("relation", self.home, self.name)

    def gives(self, made: Made) -> set[str]:
        return {f"index {self.table}.{self.name}"}


class Late(OnTable):
    """What only makes sense after indexes: clustering, replica identity by index."""

    rank = 14


class Trigger(OnTable):
    rank = 19
    word = "trigger"


class Policy(OnTable):
    rank = 20
    word = "policy"


class Rule(OnTable):
    rank = 18
    word = "rule"


class Statistics(OnTable):
    rank = 15


class Owned(OnTable):
    rank = 16


def _tables(world: Sequence[Thing], *, parted: bool = True) -> list[Table]:
    return [t for t in world if isinstance(t, Table) and (parted or not t.partitioned)]


def _column(hand: Hand, table: Table) -> Column:
    return hand.one(table.columns)


def uses(table: Table, *names: str) -> tuple[str, ...]:
    return tuple(f"column {table.full}.{name}" for name in names)


def predicate(
    hand: Hand, world: Sequence[Thing], table: Table, *, wide: bool = False, prefix: str = ""
) -> Expr:
    """A condition over the table's rows, over functions and types; `wide` may read other tables too."""
    chosen = _column(hand, table)
    name = prefix + ident(chosen.name)
    here = uses(table, chosen.name)
    kind = hand.number(0, 6 if wide else 5)
    if kind == 1 and chosen.type in WHOLE:
        return Expr(f"{name} > {hand.number(-2, 0)}", here)
    if kind == 2:
        return Expr(f"{name}::text <> 'zz'", here)
    if kind == 3:
        functions = [
            t for t in world
            if type(t) is Routine and t.returns == "boolean" and t.word == "function"
        ]  # fmt: skip
        if functions:
            f = hand.one(functions)
            arguments = ", ".join(f"null::{type}" for _, type, _ in f.arguments)
            return Expr(f"coalesce({f.full}({arguments}), true)", (f"routine {f.signature}",))
    if kind == 4:
        enums = [t for t in world if isinstance(t, Enum)]
        if enums:
            e = hand.one(enums)
            return Expr(f"{literal(e.labels[0])}::{e.full} is not null", (f"type {e.full}",))
    if kind == 5:
        other = _column(hand, table)
        return Expr(
            f"{name} is not null or {prefix}{ident(other.name)} is null or true",
            (*here, *uses(table, other.name)),
        )
    if kind == 6:
        other_table = hand.one(_tables(world))
        chosen = _column(hand, other_table)
        return Expr(
            f"exists (select 1 from {other_table.full} as o where o.{ident(chosen.name)} is not null)",
            uses(other_table, chosen.name),
        )
    return Expr(f"{name} is not null or true", here)


def constraint(hand: Hand, world: Sequence[Thing]) -> Constraint | None:
    tables = _tables(world)
    if not tables:
        return None
    table = hand.one(tables)
    name = hand.name(("t_pkey", "unique_a", "c_check", "c1"))
    head = f"alter table {table.full} add constraint {ident(name)}"
    comment = hand.maybe(8, "of a constraint", "")
    kind = hand.number(0, 5)
    chosen = hand.some([c.name for c in table.columns], 1, 2)
    columns = ", ".join(ident(c) for c in chosen)
    here = uses(table, *chosen)
    if kind in (0, 1):
        # Mostly the first column alone, so that foreign keys find something to point to.
        first = table.columns[0].name
        return Constraint(
            "", name, table.full, uses(table, first), f"{head} primary key ({ident(first)})", comment
        )
    if kind == 2:
        nulls = " nulls not distinct" if hand.major >= 15 and hand.chance(4) else ""
        deferrable = hand.one(("", "", " deferrable", " deferrable initially deferred"))
        extra = hand.one([c.name for c in table.columns])
        include = ""
        if extra not in chosen and hand.chance(4):
            include, here = f" include ({ident(extra)})", (*here, *uses(table, extra))
        return Constraint(
            "", name, table.full, here, f"{head} unique{nulls} ({columns}){include}{deferrable}", comment
        )
    if kind == 3 and hand.chance(2):
        where = f" where ({ident(chosen[0])} is not null)" if hand.chance(3) else ""
        method = hand.one(("btree", "hash"))
        return Constraint(
            "", name, table.full, uses(table, chosen[0]),
            f"{head} exclude using {method} ({ident(chosen[0])} with =){where}", comment,
        )  # fmt: skip
    check = predicate(hand, world, table)
    tail = hand.one(("", "", " no inherit", " not valid"))
    if hand.major >= 18 and hand.chance(6):
        tail = " not enforced"
    return Constraint("", name, table.full, check.uses, f"{head} check ({check.text}){tail}", comment)


def foreign_key(hand: Hand, world: Sequence[Thing]) -> ForeignKey | None:
    keys = [t for t in world if type(t) is Constraint and " primary key " in t.text]
    tables = _tables(world)
    if not tables or not keys:
        return None
    target = hand.one(keys)
    table = hand.one(tables)
    parents = [t for t in tables if t.full == target.table]
    if not parents:
        return None
    parent = parents[0]
    wanted = parent.columns[0].type
    fitting = [c.name for c in table.columns if c.type == wanted or (c.type in WHOLE and wanted in WHOLE)]
    if not fitting:
        return None
    mine = hand.one(fitting)
    name = hand.name(("t_fkey", "fk_a", "c1"))
    actions = (
        "",
        "",
        " on delete cascade",
        " on delete set null",
        " on update cascade",
        " on delete restrict",
        " match full",
    )
    tail = hand.one(actions) + hand.one(
        ("", "", "", " deferrable", " deferrable initially deferred", " not valid")
    )
    if hand.major >= 18 and hand.chance(10):
        tail = " not enforced"
    text = f"alter table {table.full} add constraint {ident(name)} foreign key ({ident(mine)}) references {target.table} ({ident(parent.columns[0].name)}){tail}"
    needs = (
        *uses(table, mine), f"constraint {target.table}.{target.name}", f"relation {target.table}",
        *uses(parent, parent.columns[0].name),
    )  # fmt: skip
    return ForeignKey("", name, table.full, needs, text, hand.maybe(10, "points there", ""))


def index(hand: Hand, world: Sequence[Thing]) -> Index | None:
    relations = [t for t in world if isinstance(t, Table | MaterializedView)]
    if not relations:
        return None
    relation = hand.one(relations)
    name = hand.name(("by_a", "by_b", "t_idx", "counter"))
    names = [c.name for c in relation.columns] if isinstance(relation, Table) else list(relation.names)
    types = {c.name: c.type for c in relation.columns} if isinstance(relation, Table) else {}
    chosen = hand.some(names, 1, 2)
    needs = [f"column {relation.full}.{n}" for n in chosen]
    parts = []
    for each in chosen:
        text = ident(each)
        if hand.chance(5):
            text = f"lower({text})" if types.get(each) == "text" else f"(coalesce({text}, {text}))"
        elif types.get(each) == "text" and hand.chance(4):
            text += " " + hand.one(("text_pattern_ops", 'collate "C"', 'collate "POSIX" text_pattern_ops'))
        parts.append(text + hand.one(("", "", " desc", " desc nulls last", " nulls first")))
    unique = hand.maybe(5, "unique ", "")
    method, tail = "", ""
    if hand.chance(8):
        method, parts, unique = hand.one(("using hash ", "using brin ")), [ident(chosen[0])], ""
    else:
        extra = hand.one(names)
        if extra not in chosen and hand.chance(5):
            tail += f" include ({ident(extra)})"
            needs.append(f"column {relation.full}.{extra}")
        if unique and hand.major >= 15 and hand.chance(3):
            tail += " nulls not distinct"
        if hand.chance(8):
            tail += " with (fillfactor = 60)"
    if hand.chance(5) and isinstance(relation, Table):
        where = predicate(hand, world, relation)
        if "::text" not in where.text and "routine" not in str(where.uses):
            tail += f" where {where.text}"
            needs += where.uses
    only = "only " if isinstance(relation, Table) and relation.partitioned and hand.chance(6) else ""
    text = f"create {unique}index {ident(name)} on {only}{relation.full} {method}({', '.join(parts)}){tail}"
    schema = relation.schema
    more = []
    if parts[0].startswith("(") and hand.chance(3):
        more.append(f"alter index {ident(schema, name)} alter column 1 set statistics 77")
    if hand.chance(8):
        more.append(f"comment on index {ident(schema, name)} is 'of an index'")
    return Index("", name, relation.full, tuple(needs), text, more=tuple(more), home=schema)


def late(hand: Hand, world: Sequence[Thing]) -> Late | None:
    indexes = [t for t in world if isinstance(t, Index)]
    if not indexes:
        return None
    chosen = hand.one(indexes)
    words = hand.one(("cluster on", "cluster on", "replica identity using index"))
    text = f"alter table {chosen.table} {words} {ident(chosen.name)}"
    return Late("", words, chosen.table, (f"index {chosen.table}.{chosen.name}",), text)


def trigger(hand: Hand, world: Sequence[Thing]) -> Trigger | None:
    functions = [t for t in world if type(t) is Routine and t.returns == "trigger"]
    tables = _tables(world)
    if not tables or not functions:
        return None
    table, function = hand.one(tables), hand.one(functions)
    name = hand.name(("stamp", "audit", "guard"))
    kind = hand.number(0, 4)
    needs: list[str] = [f"routine {function.signature}"]
    events = " or ".join(hand.some(("insert", "update", "delete"), 1, 3))
    if "update" in events and kind < 4 and hand.chance(3):
        column = _column(hand, table)
        events = events.replace("update", f"update of {ident(column.name)}")
        needs += uses(table, column.name)
    when = ""
    if hand.chance(4) and "delete" not in events:
        column = _column(hand, table)
        when = f" when (new.{ident(column.name)} is not null)"
        needs += uses(table, column.name)
    call = f"execute function {function.full}({hand.one(('', '', chr(39) + 'arg' + chr(39)))})"
    head, level = "create trigger", "for each row"
    timing = hand.one(("before", "after"))
    if kind == 3:
        when = ""
        timing, level = "after", "for each statement"
    elif kind == 4:
        timing, when = "after", ""
        events = hand.one(("insert", "update", "delete"))
        level = {
            "insert": "referencing new table as fresh",
            "update": "referencing old table as stale new table as fresh",
            "delete": "referencing old table as stale",
        }[events] + " for each statement"
    elif kind == 2:
        head, timing = "create constraint trigger", "after"
        level = hand.one(("", "deferrable ", "deferrable initially deferred ")) + "for each row"
    text = f"{head} {ident(name)} {timing} {events} on {table.full} {level}{when} {call}"
    more = ()
    if hand.chance(5):
        state = hand.one(("disable trigger", "enable always trigger", "enable replica trigger"))
        more = (f"alter table {table.full} {state} {ident(name)}",)
    return Trigger("", name, table.full, tuple(needs), text, hand.maybe(6, "of a trigger", ""), more)


def policy(hand: Hand, world: Sequence[Thing]) -> Policy | None:
    tables = _tables(world)
    if not tables:
        return None
    table = hand.one(tables)
    name = hand.name(("own", "everyone", "own rows"))
    command = hand.one(("all", "select", "insert", "update", "delete"))
    kind = hand.maybe(4, " as restrictive", "")
    roles = ", ".join(hand.some((*ROLES, "public"), 1, 2)) if hand.chance(2) else "public"
    needs: list[str] = []
    tail = ""
    if command != "insert":
        condition = predicate(hand, world, table, wide=True)
        tail += f" using ({condition.text})"
        needs += condition.uses
    if command == "insert" or (command in ("all", "update") and hand.chance(2)):
        condition = predicate(hand, world, table, wide=True)
        tail += f" with check ({condition.text})"
        needs += condition.uses
    text = f"create policy {ident(name)} on {table.full}{kind} for {command} to {roles}{tail}"
    return Policy("", name, table.full, tuple(needs), text, hand.maybe(6, "of a policy", ""))


def rule(hand: Hand, world: Sequence[Thing]) -> Rule | None:
    relations = [t for t in world if isinstance(t, Table | View)]
    if not relations:
        return None
    relation = hand.one(relations)
    name = hand.name(("quiet", "also"))
    event = hand.one(("insert", "update", "delete"))
    action = hand.one(("do instead nothing", "do also notify told", "do also nothing"))
    if isinstance(relation, View) and "also" in action:
        action = "do instead nothing"
    text = f"create rule {ident(name)} as on {event} to {relation.full} {action}"
    return Rule("", name, relation.full, (), text, hand.maybe(6, "of a rule", ""))


def statistics(hand: Hand, world: Sequence[Thing]) -> Statistics | None:
    tables = [t for t in _tables(world) if len(t.columns) > 1]
    if not tables:
        return None
    table = hand.one(tables)
    chosen = hand.some([c.name for c in table.columns], 2, 3)
    name = ident(table.schema, hand.name(("together", "linked")))
    kinds = hand.one(("", "", " (ndistinct)", " (dependencies, mcv)"))
    text = f"create statistics {name}{kinds} on {', '.join(ident(c) for c in chosen)} from {table.full}"
    more = []
    if hand.chance(3):
        more.append(f"alter statistics {name} set statistics 33")
    if hand.chance(3):
        more.append(f"comment on statistics {name} is 'of statistics'")
    return Statistics("", name, table.full, uses(table, *chosen), text, more=tuple(more))


def owned(hand: Hand, world: Sequence[Thing]) -> Owned | None:
    sequences = [t for t in world if isinstance(t, SequenceOf)]
    tables = _tables(world, parted=False)
    if not tables or not sequences:
        return None
    chosen, table = hand.one(sequences), hand.one(tables)
    column = hand.one([c.name for c in table.columns if c.type in WHOLE] or [table.columns[0].name])
    text = f"alter sequence {chosen.full} owned by {table.full}.{ident(column)}"
    return Owned("", chosen.full, table.full, (f"sequence {chosen.full}", *uses(table, column)), text)
