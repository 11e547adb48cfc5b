"""What belongs to a database rather than to a table: publications, event triggers, default privileges, casts, operators,
text search, foreign tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from grammar.code import Routine
from grammar.tables import RIGHTS, Table
from grammar.thing import BARE, OWNER, ROLES, WRITER, Dress, Hand, Made, Thing
from grammar.types import Composite, Enum, Schema, drawn_type, inside, needed
from reconciler.pg import ident, literal


@dataclass(frozen=True)
class Written(Thing):
    """An object that is its text."""

    dress: Dress = BARE
    texts: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    word: ClassVar[str] = ""

    def needs(self) -> set[str]:
        return super().needs().union(self.uses)

    def sql(self, made: Made) -> list[str]:
        return [*self.texts, *(self.dress.sql(self.word, self.full) if self.word else ())]


class Publication(Written):
    rank = 30
    word = "publication"


class EventTrigger(Written):
    rank = 31
    word = "event trigger"


class DefaultPrivileges(Written):
    rank = 32


class Cast(Written):
    rank = 9


class Operator(Written):
    rank = 9


class TextSearch(Written):
    rank = 9
    word = "text search configuration"


class Foreign(Written):
    rank = 9
    word = "server"

    def gives(self, made: Made) -> set[str]:
        return {f"server {self.name}"}


class ForeignTable(Written):
    rank = 11
    word = "foreign table"

    @property
    def key(self) -> tuple[str, str, str]:
        return ("relation", self.schema, self.name)


def publication(hand: Hand, world: Sequence[Thing]) -> Publication:
    tables = [t for t in world if isinstance(t, Table) and not t.unlogged]
    name = hand.name(("pub", "feed"))
    options = hand.one(("", " with (publish = 'insert')", " with (publish_via_partition_root = true)"))
    texts, needs = [], []
    schemas = [t.name for t in world if isinstance(t, Schema)]
    if hand.chance(5):
        texts.append(f"create publication {ident(name)} for all tables{options}")
    else:
        texts.append(f"create publication {ident(name)}{options}")
        for table in hand.some(tables, 0, 3):
            part = ""
            if hand.major >= 15 and table.columns and hand.chance(3) and "insert" in options:
                column = hand.one(table.columns)
                part = (
                    f" ({ident(column.name)})"
                    if hand.chance(2)
                    else f" where ({ident(column.name)} is not null)"
                )
                needs.append(f"column {table.full}.{column.name}")
            needs.append(f"relation {table.full}")
            texts.append(f"alter publication {ident(name)} add table {table.full}{part}")
        if hand.major >= 15 and schemas and hand.chance(4):
            schema = hand.one(schemas)
            needs.append(f"schema {schema}")
            texts.append(f"alter publication {ident(name)} add tables in schema {ident(schema)}")
    return Publication("", name, hand.dress(()), tuple(texts), tuple(needs))


def event_trigger(hand: Hand, world: Sequence[Thing]) -> EventTrigger:
    # Its function does nothing, and it watches what no plan here does.
    name = hand.name(("watch", "notice"))
    schema = inside(hand, world)
    function = ident(schema, hand.name(("watcher",)))
    event = hand.one(("ddl_command_end", "ddl_command_start", "sql_drop"))
    texts = [
        f"create function {function}() returns event_trigger language plpgsql as $$begin end$$",
        f"create event trigger {ident(name)} on {event} when tag in ('ALTER CONVERSION') execute function {function}()",
    ]
    if hand.chance(3):
        texts.append(
            f"alter event trigger {ident(name)} {hand.one(('disable', 'enable always', 'enable replica'))}"
        )
    return EventTrigger("", name, hand.dress(()), tuple(texts), (f"schema {schema}",) if schema else ())


def default_privileges(hand: Hand, world: Sequence[Thing]) -> DefaultPrivileges:
    owner = hand.maybe(3, f" for role {hand.one((OWNER, WRITER))}", "")
    schema = inside(hand, world)
    where = f" in schema {ident(schema)}" if hand.chance(2) else ""
    what, rights = hand.one(
        (
            ("tables", RIGHTS),
            ("sequences", ("usage", "select")),
            ("functions", ("execute",)),
            ("types", ("usage",)),
        )
    )
    right = hand.one(rights)
    if hand.chance(4):
        action = f"revoke {right} on {what} from {hand.one(('public', *ROLES))}"
    else:
        action = f"grant {right} on {what} to {hand.one(('public', *ROLES))}"
    text = f"alter default privileges{owner}{where} {action}"
    return DefaultPrivileges("", text, Dress(), (text,), (f"schema {schema}",))


def cast(hand: Hand, world: Sequence[Thing]) -> Cast | None:
    types = [t for t in world if isinstance(t, Enum | Composite)]
    if not types:
        return None
    one = hand.one(types)
    other = hand.one(("text", "integer", "jsonb"))
    how = hand.one(("", " as assignment"))
    texts = [f"create cast ({one.full} as {other}) with inout{how}"]
    if hand.chance(4):
        texts.append(f"comment on cast ({one.full} as {other}) is 'of a cast'")
    return Cast("", f"{one.full} as {other}", Dress(), tuple(texts), (f"type {one.full}",))


def operator(hand: Hand, world: Sequence[Thing]) -> Operator | None:
    functions = [
        t for t in world if type(t) is Routine and t.word == "function" and len(t.arguments) == 2
        and not any(default for *_, default in t.arguments) and t.returns in ("integer", "text", "boolean")
    ]  # fmt: skip
    if not functions:
        return None
    function = hand.one(functions)
    schema = inside(hand, world)
    symbol = f"{ident(schema)}.{hand.one(('===', '~>~', '+++'))}"
    left, right = (type for _, type, _ in function.arguments)
    texts = [f"create operator {symbol} (leftarg = {left}, rightarg = {right}, function = {function.full})"]
    if hand.chance(3):
        texts.append(f"comment on operator {symbol} ({left}, {right}) is 'of an operator'")
    return Operator(
        schema, f"{symbol} ({left}, {right})", Dress(), tuple(texts), (f"routine {function.signature}",)
    )


def text_search(hand: Hand, world: Sequence[Thing]) -> TextSearch:
    schema = inside(hand, world)
    name = hand.name(("own_words", "english2"))
    full = ident(schema, name)
    dictionary = ident(schema, hand.name(("plain", "stem")))
    option = hand.one(("", ", accept = false"))
    texts = [
        f"create text search dictionary {dictionary} (template = pg_catalog.simple{option})",
        f'create text search configuration {full} (parser = pg_catalog."default")',
        f"alter text search configuration {full} add mapping for {hand.one(('asciiword', 'asciiword, word'))} with {dictionary}",
    ]
    owner = hand.one(("", OWNER))
    return TextSearch(schema, name, Dress(hand.maybe(3, "of words", ""), owner), tuple(texts))


def foreign(hand: Hand, world: Sequence[Thing]) -> Foreign:
    wrapper, name = hand.one(("far", "Far Away")), hand.one(("remote", "other side"))
    host = hand.one(("h", "i"))
    return Foreign(
        "", name, hand.dress(()),
        (f"create foreign data wrapper {ident(wrapper)}", f"create server {ident(name)} foreign data wrapper {ident(wrapper)} options (host '{host}')"),
    )  # fmt: skip


def foreign_table(hand: Hand, world: Sequence[Thing]) -> ForeignTable | None:
    servers = [t for t in world if isinstance(t, Foreign)]
    if not servers:
        return None
    server, schema = hand.one(servers), inside(hand, world)
    columns, needs = [], [f"server {server.name}"]
    for name in hand.some(("a", "b", "Mixed Case"), 1, 3):
        type = drawn_type(hand, world)
        options = hand.maybe(3, f" options (name {literal(name.upper())})", "")
        columns.append(f"{ident(name)} {type}{options}{hand.maybe(4, ' not null', '')}")
        needs += needed(type)
    name = hand.name(("distant", "t"))
    text = f"create foreign table {ident(schema, name)} ({', '.join(columns)}) server {ident(server.name)}"
    return ForeignTable(schema, name, hand.dress(("select", "insert")), (text,), tuple(needs))
