"""Two tenants, and everything that people of A try upon B: object by object, command by command, identity by identity.

Promises that every cell has a verdict, "undecided" with its reason where nothing else is honest, and that an interruption loses nothing
that was decided before. Says "attacked", never "proven": what was not tried is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from reconciler.audit import cells as cells_of
from reconciler.audit.cells import COMMANDS
from reconciler.audit.scene import Scene, set_up
from reconciler.audit.told import Remark, findings
from reconciler.model import Cell, Finding, ObjectId, Snapshot
from reconciler.shadow.tenants.values import Identity, World

Told = Callable[[int, int, str], None]
"""How far it is: done, of how many, what is attacked now."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """What the attacks came to. `interrupted`: somebody stopped them; what was not reached is undecided."""

    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...]
    interrupted: bool = False


def _silent(done: int, of: int, what: str) -> None:
    return None


def attacked(world: World, snapshot: Snapshot, *, told: Told = _silent) -> Attacked:
    """Attacks every table, view, materialized view, function and sequence of `snapshot` in `world`."""
    attackers = [identity for identity in world.identities if "B" not in identity.sides]
    cells: list[Cell] = []
    remarks: list[Remark] = []
    interrupted = False
    with set_up(world) as scene:
        things = [thing for thing in _things(scene, attackers) if thing[0] in snapshot.digests]
        for done, (id, attack) in enumerate(things):
            if not interrupted:
                try:
                    told(done, len(things), str(id))
                    found = attack()
                except KeyboardInterrupt:
                    interrupted = True
                else:
                    cells += found.cells
                    remarks += found.remarks
                    continue
            cells += [
                Cell(id, command, identity.name, "undecided", "not reached")
                for identity in attackers
                for command in COMMANDS[id.kind]
            ]
    return Attacked(tuple(cells), findings(remarks), interrupted)


def _things(
    scene: Scene, attackers: Sequence[Identity]
) -> Iterator[tuple[ObjectId, Callable[[], cells_of.Told]]]:
    """What is attacked, and how: everything that the database has."""
    for relation in scene.catalogue.relations.values():
        if relation.id.kind in COMMANDS:
            yield relation.id, partial(cells_of.relation, scene, relation, attackers)
    for routine in scene.surface.routines:
        yield routine.id, partial(cells_of.routine, scene, routine, attackers)
    for sequence in scene.surface.sequences:
        yield sequence.id, partial(cells_of.numbers, scene, sequence, attackers)
