"""The races that a trigger asks for: its table written twice at once, and against what it points to or looks at.

Every race is made from rows that stood in the world, by an identity that can run each transaction alone. What cannot be made is named with
the reason. The names are stable: the same schema gives the same races.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.drafts import drafts, marked, three
from reconciler.lab.favour import favour
from reconciler.lab.invariants import Invariants
from reconciler.lab.material import Material, acting, prepared, without
from reconciler.lab.shapes import shaped
from reconciler.lab.triggers import Trigger
from reconciler.lab.values import Actor, Draft, Race
from reconciler.model import ObjectId

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Made:
    """A race of a table's triggers, or why there is none."""

    table: ObjectId
    name: str
    race: Race | None
    why: str = ""


def races(
    connection: Connection,
    material: Material,
    triggers: Iterable[Trigger],
    invariants: Mapping[str, str],
    sessions: int = 2,
) -> Iterator[Made]:
    """Those of every table with triggers, at no level in particular yet; with three `sessions` also one of three inserts. `connection` is a superuser's in the world's database."""
    by_table: dict[int, set[str]] = {}
    said: dict[int, str] = {}
    for trigger in triggers:
        by_table.setdefault(trigger.relation, set()).update(trigger.events)
        said[trigger.relation] = f"{said.get(trigger.relation, '')}\n{trigger.source}"
    for oid, events in by_table.items():
        relation = material.catalogue.relations.get(oid)
        if relation is None or relation.kind not in ("r", "p"):
            continue
        found = (
            *drafts(connection, material, relation, said),
            *marked(material, relation, said[oid]),
            *shaped(connection, material, relation, said[oid]),
            *three(material, relation, sessions),
        )
        favoured: dict[str, tuple[str, ...]] = {}
        for draft in found:
            if not draft.fires & events:
                continue
            name = f"{relation.id}/{draft.name}"
            tried = acting(connection, material, relation, draft.scripts, draft.given)
            if not tried.actors and tried.meets:
                bare = replace(draft, given=(*draft.given, *without(material, tried.meets)))
                again = acting(connection, material, relation, bare.scripts, bare.given)
                draft, tried = (bare, again) if again.actors else (draft, tried)
            if not tried.actors and not draft.optional and not draft.elsewhere:
                first = draft.scripts[0][0]
                if first not in favoured:
                    favoured[first] = favour(connection, material, relation, first, draft.given, said[oid])
                better = replace(draft, given=(*draft.given, *favoured[first]))
                again = acting(connection, material, relation, better.scripts, better.given)
                draft, tried = (better, again) if again.actors else (draft, tried)
            if tried.actors:
                asked = _protected(connection, draft, tried.actors[1:], invariants)
                race = Race(name, tried.actors, invariants=asked, given=draft.given, subject=relation.id)
                yield Made(relation.id, name, race)
            elif not draft.optional:
                yield Made(relation.id, name, None, f"nobody can run {tried.why}")
        if not material.rows(relation):
            why = material.world.unseeded.get(relation.id, "it has no row")
            yield Made(relation.id, str(relation.id), None, why)


def _protected(
    connection: Connection, draft: Draft, others: Sequence[Actor], invariants: Mapping[str, str]
) -> Mapping[str, str]:
    """The invariants that a race is asked for: a change of another table that was made up, and breaks one by itself, says nothing of the triggers."""
    if not draft.elsewhere or not invariants:
        return invariants
    broken: set[str] = set()
    for actor in others:
        with connection.transaction(force_rollback=True):
            prepared(connection, draft.given)
            for statement in (*actor.first, *actor.statements, "set constraints all immediate", "reset role"):
                connection.execute(statement.encode())
            broken |= {one.name for one in Invariants(invariants).broken(connection)}
    return {name: query for name, query in invariants.items() if name not in broken}
