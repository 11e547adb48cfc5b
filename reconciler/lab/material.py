"""What statements are made from: the rows of tenant A in a world, and who may write them.

Every value is one that stood in a row already, so constraints are known to allow it; a row that is to be inserted is taken away first,
with what points to it. Keys that a default makes are left to it. Needs a superuser for what is taken away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.saved import makes
from reconciler.lab.values import Actor
from reconciler.pg import ident, literal
from reconciler.shadow.tenants import catalogue
from reconciler.shadow.tenants.catalogue import Catalogue, Key, Relation
from reconciler.shadow.tenants.values import Identity, World

Connection = psycopg.Connection[TupleRow]
Values = Mapping[str, str | None]
_DEEP = 6
"""How far what points to a row is followed."""
_IDENTITY = (
    "select a.attrelid::bigint, a.attname::text from pg_catalog.pg_attribute as a where a.attidentity <> ''"
    " and a.attrelid >= 16384 order by 1, 2"
)
_CLOCK = re.compile(r"\bnow\(|current_timestamp|clock_timestamp|localtimestamp|current_date", re.IGNORECASE)
TEXTS = ("text", "character varying", "character(", "citext")
"""How the names of types begin that hold words."""
NOBODY = Identity("superuser", "")
"""Acts without becoming anybody."""


def begins(identity: Identity) -> tuple[str, ...]:
    """How a transaction of this identity begins. SET and not set_config(): that would take a snapshot (see `Actor`)."""
    settings = [f"set local {ident(name)} to {literal(value)}" for name, value in identity.settings.items()]
    return (*settings, f"set local role {ident(identity.role)}") if identity.role else tuple(settings)


@dataclass(frozen=True, slots=True)
class Material:
    """A world and its catalog. `made` are the columns, by table, whose values a default makes."""

    world: World
    catalogue: Catalogue
    made: Mapping[int, frozenset[str]]

    def rows(self, relation: Relation) -> tuple[Values, ...]:
        """A's rows, or where nobody's rows are in the table, those."""
        found = self.world.rows["A"].get(relation.id) or self.world.shared.get(relation.id, ())
        return tuple(row.values for row in found)

    def identities(self, relation: Relation) -> tuple[Identity, ...]:
        """Members first, then who is bound by less, at last nobody in particular. For a table that says who may do what, who is bound by nothing
        comes first: others would change their own rights in the middle of a race."""
        mine = [one for one in self.world.identities if "A" in one.sides and not one.name.startswith("owner")]
        rest = [one for one in self.world.identities if one not in mine and one.role != "anon"]
        owned = self.world.tenancy.tables.get(relation.id)
        if owned is not None and owned.ownership in ("membership", "root"):
            return (*sorted(rest, key=lambda one: one.name.startswith("owner")), *mine, NOBODY)
        return (*mine, *rest, NOBODY)

    def stored(self, relation: Relation) -> list[str]:
        """Columns that an INSERT names: all but those that are computed or that a default makes."""
        made = self.made.get(relation.oid, frozenset())
        return [c.name for c in relation.columns if not c.generated and c.name not in made]

    def natural(self, relation: Relation) -> tuple[str, ...]:
        """The columns of the first unique key that no default makes and that is not only what a foreign key says."""
        made = self.made.get(relation.oid, frozenset())
        pointing = {name for key in relation.keys for name in key.columns}
        generated = {c.name for c in relation.columns if c.generated}
        for columns in relation.unique:
            own = [name for name in columns if name not in pointing | generated]
            if columns and not made & set(columns) and own:
                return tuple(own)
        return ()

    def plain(self, relation: Relation) -> list[str]:
        """Columns whose change moves no row to another key, parent or tenant."""
        held = {name for columns in relation.unique for name in columns}
        held |= {name for key in relation.keys for name in key.columns} | set(relation.primary)
        owned = self.world.tenancy.tables.get(relation.id)
        held |= set(owned.columns) if owned else set()
        free = [name for name in self.stored(relation) if name not in held]
        defaults = {c.name: c.default for c in relation.columns}
        return [name for name in free if not _CLOCK.search(defaults[name])] or free

    def insert(self, relation: Relation, values: Values) -> str:
        names = [name for name in self.stored(relation) if name in values]
        if not names:
            return f"insert into {relation.sql} default values"
        columns = ", ".join(ident(name) for name in names)
        return f"insert into {relation.sql} ({columns}) values ({', '.join(constant(relation, n, values) for n in names)})"

    def update(self, relation: Relation, row: Values, columns: Sequence[str], to: Values) -> str:
        set_ = ", ".join(f"{ident(name)} = {constant(relation, name, to)}" for name in columns)
        return f"update {relation.sql} as x set {set_} where {same(relation, row)}"

    def delete(self, relation: Relation, row: Values) -> str:
        return f"delete from {relation.sql} as x where {same(relation, row)}"

    def found(self, relation: Relation, row: Values, event: str) -> str:
        """A condition on `x` by which a row is found that was just inserted (its made keys are not known) or updated."""
        made = self.made.get(relation.oid, frozenset())
        if event != "insert" and relation.primary:
            return same(relation, row)
        types = {c.name: c.type for c in relation.columns}
        pointing = [name for key in relation.keys for name in key.columns]
        names = [n for n in dict.fromkeys((*self.natural(relation), *pointing)) if n not in made]
        names = names or [n for n in self.stored(relation) if types[n] not in ("json", "xml", "point")]
        return " and ".join(
            f"x.{ident(n)} is not distinct from {constant(relation, n, row)}" for n in names if n in row
        )

    def away(self, relation: Relation, row: Values, *, itself: bool = True) -> tuple[str, ...]:
        """Takes a row away with everything that points to it, or only the latter. For a session in replica mode."""
        return tuple(self._away(relation, lambda x: same(relation, row, x), itself, (relation.oid,)))

    def _away(
        self, relation: Relation, condition: Callable[[str], str], itself: bool, path: tuple[int, ...]
    ) -> Iterator[str]:
        """`condition` is true for the rows, given the name of one."""
        for other in self.catalogue.tables:
            for key in other.keys:
                if key.target == relation.oid and other.oid not in path and len(path) < _DEEP:
                    yield from self._away(
                        other, _pointing(relation, key, condition), True, (*path, other.oid)
                    )
        if itself:
            yield f"delete from {relation.sql} as x where {condition('x')}"


def _pointing(relation: Relation, key: Key, condition: Callable[[str], str]) -> Callable[[str], str]:
    def points(x: str) -> str:
        above = f"{x}p"
        pairs = zip(key.columns, key.theirs, strict=True)
        matched = " and ".join(f"{x}.{ident(own)} = {above}.{ident(their)}" for own, their in pairs)
        return f"exists (select from {relation.sql} as {above} where {matched} and {condition(above)})"

    return points


def read(connection: Connection, world: World) -> Material:
    """As the world stands."""
    found = catalogue.read(connection)
    made: dict[int, set[str]] = {}
    for oid, name in connection.execute(_IDENTITY.encode()).fetchall():
        made.setdefault(oid, set()).add(name)
    for relation in found.tables:
        own = {c.name for c in relation.columns if makes(c.default)}
        if own:
            made.setdefault(relation.oid, set()).update(own)
    return Material(world, found, {oid: frozenset(names) for oid, names in made.items()})


def constant(relation: Relation, column: str, values: Values) -> str:
    """A value as SQL of the column's type."""
    found, text = relation.column(column), values.get(column)
    if text is None:
        return "null"
    return f"{literal(text)}::{found.type}" if found else literal(text)


def same(relation: Relation, row: Values, x: str = "x") -> str:
    """A condition on the row called `x` that is true for this one: by its primary key, else by all its values."""
    names = relation.primary or tuple(name for name in row)
    return " and ".join(
        f"{x}.{ident(n)} is null" if row.get(n) is None else f"{x}.{ident(n)} = {constant(relation, n, row)}"
        for n in names
    )


@dataclass(frozen=True, slots=True)
class Tried:
    """Who can run these transactions, each alone, so that every statement writes a row; nobody where `why` says what came of it. `meets` is
    the table, as SQL, where a row that a trigger wrote met one that was there."""

    actors: tuple[Actor, ...] = ()
    why: str = ""
    meets: str = ""


def acting(
    connection: Connection,
    material: Material,
    relation: Relation,
    scripts: Sequence[Sequence[str]],
    given: Sequence[str],
) -> Tried:
    """The first identity that can run all of them; else for each of them the first that can. One identity is better: what one transaction
    does to the rights of another is no question of triggers. `given` are statements of a superuser in replica mode; all is rolled back.
    """
    able: list[list[Identity]] = [[] for _ in scripts]
    why = meets = ""
    for identity in material.identities(relation):
        first = begins(identity)
        for number, script in enumerate(scripts):
            said, where = _alone(connection, (*first, *script), given, len(first))
            if said:
                why = why or f"“{script[0]}” as {identity.name}: {said}"
                meets = meets or (where if where != relation.sql else "")
            else:
                able[number].append(identity)
        if all(identity in one for one in able):
            able = [[identity] for _ in scripts]
            break
    if not all(able):
        return Tried(why=why, meets=meets)
    return Tried(
        tuple(
            Actor(f"session {n}", tuple(script), begins(who[0]), identity=who[0].name)
            for n, (script, who) in enumerate(zip(scripts, able, strict=True), start=1)
        )
    )


def change(
    connection: Connection,
    material: Material,
    relation: Relation,
    row: Values,
    to: Values,
    given: Sequence[str] = (),
) -> str:
    """An UPDATE of this row that somebody can run alone: to the plain values of `to`, or to some of them, or to what it holds already; empty where
    there is none."""
    plain = material.plain(relation)
    telling = [name for name in plain if row.get(name) != to.get(name)]
    choices = [(plain, to), *(([name], to) for name in telling), *(([name], row) for name in plain)]
    for columns, values in choices:
        if (
            columns
            and acting(
                connection,
                material,
                relation,
                [[sql := material.update(relation, row, columns, values)]],
                given,
            ).actors
        ):
            return sql
    return ""


def labels(connection: Connection, type: str) -> list[str]:
    """Those of an enum, in its order; empty for other types."""
    rows = connection.execute(
        "select e.enumlabel::text from pg_catalog.pg_enum as e where e.enumtypid = pg_catalog.to_regtype(%s)"
        " order by e.enumsortorder",
        (type,),
    ).fetchall()
    return [str(label) for (label,) in rows]


def met(error: psycopg.Error) -> str:
    """The table, as SQL, in which a key was there already; empty for other errors."""
    if error.sqlstate != "23505" or not error.diag.table_name:
        return ""
    return ident(error.diag.schema_name or "public", error.diag.table_name)


def without(material: Material, table: str) -> tuple[str, ...]:
    """Takes away every row of a table (as SQL) and what points to them: made-up rows of a table that triggers keep are none that they could
    have made. For a session in replica mode."""
    relation = next((one for one in material.catalogue.tables if one.sql == table), None)
    return (
        () if relation is None else tuple(material._away(relation, lambda x: "true", True, (relation.oid,)))
    )


def _alone(
    connection: Connection, statements: Sequence[str], given: Sequence[str], first: int
) -> tuple[str, str]:
    """Why not, and `met`; empty where every statement beyond the first ones wrote or gave a row."""
    try:
        with connection.transaction(force_rollback=True):
            prepared(connection, given)
            for number, statement in enumerate(statements):
                done = connection.execute(statement.encode())
                if number >= first and done.rowcount == 0:
                    return "no row is written", ""
            connection.execute("set constraints all immediate")
    except psycopg.Error as error:
        return (error.diag.message_primary or str(error)).strip(), met(error)
    return "", ""


def stands(connection: Connection, given: Sequence[str]) -> bool:
    """Whether the tables take what is to stand before a race."""
    try:
        with connection.transaction(force_rollback=True):
            prepared(connection, given)
    except psycopg.Error:
        return False
    return True


def prepared(connection: Connection, given: Sequence[str]) -> None:
    """Runs what is to stand before a race, with triggers and foreign keys off; inside a transaction."""
    if given:
        connection.execute("set local session_replication_role to replica")
        for statement in given:
            connection.execute(statement.encode())
        connection.execute("set local session_replication_role to origin")
