"""The stage of the attacks: both databases open, every row of them known with whose it is, and how B's texts are recognised.

A row is B's when it is in the world of both and not in that of A alone. Promises that rows are read once, as text, by a superuser.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from reconciler.audit import surface as surfaces
from reconciler.audit.attempt import Session, attempt, look, looked, opened, over, sent
from reconciler.audit.surface import Surface
from reconciler.pg import ident, literal
from reconciler.shadow.footprint import Watch, watch
from reconciler.shadow.tenants import catalogue as catalogues
from reconciler.shadow.tenants.catalogue import Catalogue, Relation
from reconciler.shadow.tenants.evidence import Evidence
from reconciler.shadow.tenants.values import Identity, Owned, World

Whose = Literal["A", "B", ""]
"""A's, B's, or nobody's: shared by all."""

_WORD = re.compile(r"[0-9A-Za-z_\-]+")
_SHORTEST = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """A row as it stands in the world of both: in which table (for a partitioned one the partition), where, as text, and whose."""

    oid: int
    ctid: str
    text: str
    values: Mapping[str, str | None]
    whose: Whose


@dataclass(frozen=True, slots=True)
class Step:
    """One statement that makes an identity more than it was (`audit/steps.py`). `power`: the column is called like what says how much somebody may do."""

    oid: int
    column: str
    value: str
    sql: str
    power: bool
    does: str
    setup: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything an attack is made from. `words` are texts that stand in B's rows and nowhere else, `lines` whole rows of B.

    `kept` are the rows of each table and partition by OID; `base` says which tables make up a relation: itself, or its partitions
    and heirs. `authority` are tables that say who belongs to what: an identity whose rows were taken from there would be nobody; `consulted`
    are those that are read when somebody reads another table. `steps` by identity and `evidence` are for `audit/steps.py`, which asks once.
    """

    world: World
    both: Session
    alone: Session
    catalogue: Catalogue
    surface: Surface
    kept: Mapping[int, tuple[Kept, ...]]
    words: frozenset[str]
    owned: Mapping[int, Owned]
    lines: frozenset[str] = frozenset()
    folded: frozenset[str] = frozenset()
    unset: tuple[Session, Session] | None = None
    thorough: Watch | None = None
    authority: set[int] = field(default_factory=set)
    consulted: set[int] = field(default_factory=set)
    steps: dict[str, tuple[Step, ...]] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)

    def seeing(self, session: Session) -> Session:
        """The session with a watch that sees also what is read through indexes."""
        return replace(session, watch=self.thorough) if self.thorough is not None else session

    def sessions(self, fresh: bool) -> tuple[Session, Session]:
        """Where to attack, and where B does not exist; `fresh`: where no setting was ever made."""
        return self.unset if fresh and self.unset else (self.both, self.alone)

    def relation(self, oid: int) -> Relation:
        return self.catalogue.relations[oid]

    def owner_of(self, relation: Relation) -> Owned:
        """Whose the rows of a relation are; those of a view are somebody's when any beneath it are."""
        known = self.owned.get(relation.oid)
        if known is not None or relation.kind not in ("v", "m"):
            return known or Owned(relation.id, "unknown")
        below = [self.owner_of(table) for table in self.beneath(relation)]
        kinds = {owned.ownership for owned in below} - {"global"}
        return Owned(relation.id, "tenant" if kinds else "global")

    def rows(self, relation: Relation, whose: Whose) -> list[Kept]:
        """The rows of a relation that are A's, B's or nobody's."""
        return [row for oid in self.leaves(relation) for row in self.kept.get(oid, ()) if row.whose == whose]

    def leaves(self, relation: Relation) -> list[int]:
        """The relation itself, its partitions and heirs at every depth."""
        found = [relation.oid]
        for oid in found:
            found += [r.oid for r in self.catalogue.relations.values() if r.above == oid]
        return found

    def beneath(self, relation: Relation) -> list[Relation]:
        """The tables that a view or materialized view reads, at every depth; a table itself."""
        found, todo, seen = [], [relation.oid], set()
        while todo:
            oid = todo.pop()
            below = self.catalogue.relations.get(oid)
            if oid in seen or below is None:
                continue
            seen.add(oid)
            if below.kind in ("v", "m"):
                todo += self.surface.views[oid].reads if oid in self.surface.views else ()
            else:
                found.append(below)
        return found

    def base(self, relation: Relation) -> Relation:
        """The table that a view stands for: the one beneath it that shares most of its columns. A table itself."""
        if relation.kind not in ("v", "m"):
            return relation
        names = {column.name for column in relation.columns}

        def shared(below: Relation) -> tuple[int, str]:
            return (len(names & {column.name for column in below.columns}), str(below.id))

        return max(self.beneath(relation), key=shared, default=relation)

    def said(self, text: str, known: str = "") -> frozenset[str]:
        """The words of B that stand in `text`, in capitals or not, and not in what the attacker said."""
        found = words(text) & self.words - words(known)
        return found or words(text.casefold()) & self.folded - words(known.casefold())

    def of_b(self, owner: str | None) -> bool:
        """Whether a row's owner, as `Owned.owner` gives it, is B or a user of B."""
        return owner is not None and owner in {self.world.keys["B"], *self.world.users["B"]}

    def people(self, identity: Identity) -> list[str]:
        """The keys of A's users that this identity carries, else A's first user's."""
        users = self.world.users["A"]
        said = {word for value in identity.settings.values() for word in words(value)}
        carried = [user for user in users if user in said]
        return carried or list(users[:1])

    def rival(self, identity: Identity) -> Identity:
        """Who is in B what this one is in A: the same role, with B's keys in the place of A's."""
        settings = {name: self._instead(name, text) for name, text in identity.settings.items()}
        return Identity(f"{identity.name}, of B instead", identity.role, settings, ("B",), identity.bypasses)

    def _instead(self, name: str, text: str) -> str:
        """A setting or a claim with B's key where A's is; where a tenant and a user have the same key, its name decides."""
        if text[:1] in ("{", "["):
            with suppress(ValueError):
                return json.dumps(self._exchanged(name, json.loads(text)))
        found = self._exchanged(name, text)
        return found if isinstance(found, str) else text

    def _exchanged(self, name: str, value: object) -> object:
        if isinstance(value, dict):
            return {key: self._exchanged(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._exchanged(name, inner) for inner in value]
        users = dict(zip(self.world.users["A"], self.world.users["B"], strict=False))
        tenants = {self.world.keys["A"]: self.world.keys["B"]}
        told = {**tenants, **users} if re.search(r"user|uid|sub\b", name) else {**users, **tenants}
        return told.get(str(value), value)


def words(text: str) -> frozenset[str]:
    """What a text is made of, in pieces that could be keys or canaries."""
    return frozenset(_WORD.findall(text))


@contextmanager
def set_up(world: World) -> Iterator[Scene]:
    """Opens both databases, reads them, and closes them again."""
    names = sorted({name for identity in world.identities for name in identity.settings})
    with ExitStack() as open_:
        sessions = []
        for url, settings in ((world.both, names), (world.alone, names), (world.both, []), (world.alone, [])):
            session = opened(url, settings)
            open_.callback(session.connection.close)
            sessions.append(session)
        both, alone, *unset = sessions
        scene = replace(
            _read(world, both, alone), unset=(unset[0], unset[1]), thorough=watch(both.connection)
        )
        _consulted(scene)
        yield scene


def _read(world: World, both: Session, alone: Session) -> Scene:
    catalogue = catalogues.read(both.connection)
    surface = surfaces.read(both.connection, [identity.role for identity in world.identities])
    owned = _owned(world, catalogue)
    kept: dict[int, tuple[Kept, ...]] = {}
    seen: set[str] = set()
    for relation in catalogue.relations.values():
        if relation.kind in ("r", "m"):
            lonely = _texts(alone, relation)
            seen |= {word for text in lonely for word in words(text)}
            shared = world.shared.get(relation.id, ())
            everybody = owned.get(relation.oid, Owned(relation.id, "unknown")).ownership == "global"
            kept[relation.oid] = _kept(both, relation, lonely, [row.values for row in shared], everybody)
    found = {word for rows in kept.values() for row in rows if row.whose == "B" for word in words(row.text)}
    known = {*world.canaries["B"], world.keys["B"], *world.users["B"]}
    told = {word for word in found - seen if len(word) >= (7 if word.isdecimal() else _SHORTEST)}
    told |= {word for word in known - seen if len(word) >= _SHORTEST}
    for oid, whose in list(owned.items()):
        if (
            whose.owner
            and looked(both, [look(oid, catalogue.relations[oid].sql, whose.owner)])[1] is not None
        ):
            owned[oid] = replace(whose, owner="")
    theirs = {row.text for rows in kept.values() for row in rows if row.whose == "B"}
    others = {row.text for rows in kept.values() for row in rows if row.whose != "B"}
    lines = frozenset(line for line in theirs - others if len(line) > 2 * _SHORTEST)
    folded = frozenset(word.casefold() for word in told) - {word.casefold() for word in seen}
    scene = Scene(world, both, alone, catalogue, surface, kept, frozenset(told), owned, lines, folded)
    for relation in catalogue.relations.values():
        if scene.owner_of(relation).ownership == "membership" or relation.id == world.tenancy.users:
            scene.authority.add(relation.oid)
    return scene


def _consulted(scene: Scene) -> None:
    """Which tables are read when people of A read others: their policies ask them something."""
    for identity in scene.world.identities:
        for relation in scene.catalogue.relations.values():
            rights = scene.surface.of(identity.role, relation.oid)
            if identity.sides != ("A",) or relation.kind not in ("r", "p") or not rights.may("SELECT"):
                continue
            answer = attempt(scene.seeing(scene.both), identity, f"select from {relation.sql}")
            over(scene.both)
            own = set(scene.leaves(relation))
            scene.consulted.update(touched.oid for touched in answer.touched if touched.oid not in own)


def _owned(world: World, catalogue: Catalogue) -> dict[int, Owned]:
    """Whose the rows of each table are; a partition's are as those of what it is a part of."""
    found: dict[int, Owned] = {}
    for relation in catalogue.relations.values():
        above: Relation | None = relation
        while above is not None and above.id not in world.tenancy.tables:
            above = catalogue.relations.get(above.above)
        if above is not None:
            found[relation.oid] = world.tenancy.tables[above.id]
    return found


def _texts(session: Session, relation: Relation) -> list[str]:
    results, _ = sent(session.connection, f"select (x.*)::text from only {relation.sql} as x")
    return [row[0] or "" for result in results for row in result.rows]


def _kept(
    session: Session,
    relation: Relation,
    lonely: Sequence[str],
    shared: Sequence[Mapping[str, str | None]],
    everybody: bool,
) -> tuple[Kept, ...]:
    columns = "".join(f", x.{ident(column.name)}::text" for column in relation.columns)
    results, trouble = sent(
        session.connection,
        f"select x.ctid::text, (x.*)::text{columns} from only {relation.sql} as x order by 1",
    )
    if trouble is not None:
        return ()
    left = Counter(lonely)
    found = []
    for ctid, text, *rest in results[0].rows:
        values = dict(zip((column.name for column in relation.columns), rest, strict=True))
        whose: Whose = "B"
        if left[text or ""] > 0:
            left[text or ""] -= 1
            common = everybody or any(all(values.get(k) == v for k, v in row.items()) for row in shared)
            whose = "" if common else "A"
        found.append(Kept(relation.oid, ctid or "", text or "", values, whose))
    return tuple(found)


def same(relation: Relation, row: Kept, alias: str = "x") -> str:
    """A condition on `x` that is true for this row: by its primary key, or else by its whole text."""
    if relation.primary:
        types = {column.name: column.type for column in relation.columns}
        return " and ".join(
            f"{alias}.{ident(name)} = {literal(row.values[name] or '')}::{types[name]}"
            for name in relation.primary
        )
    return f"({alias}.*)::text = {literal(row.text)}"


def value(relation: Relation, column: str, of: Mapping[str, str | None]) -> str:
    """A row's value as an SQL constant of the column's type."""
    found, text = relation.column(column), of.get(column)
    if text is None:
        return "null"
    return f"{literal(text)}::{found.type}" if found else literal(text)
