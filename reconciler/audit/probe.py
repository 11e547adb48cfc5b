"""Two tenants, and everything that people of A try upon B: object by object, command by command, identity by identity.

Promises that every cell has a verdict, "undecided" with its reason where nothing else is honest, and that an interruption loses nothing
that was decided before. Says "attacked", never "proven": what was not tried is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
Thing = tuple[ObjectId, Callable[[], cells_of.Told]]
"""An object, and what attacks it."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """What the attacks came to. `interrupted`: somebody stopped them; what was not reached is undecided. `beside` are sentences about what is in
    the database and no part of what is audited."""

    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...]
    interrupted: bool = False
    beside: tuple[str, ...] = ()


def _silent(done: int, of: int, what: str) -> None:
    return None


def attacked(world: World, snapshot: Snapshot, *, told: Told = _silent) -> Attacked:
    """Attacks every table, view, materialized view, function and sequence in `world`, but those of extensions and of schemas that `snapshot`
    does not know: these are named. A foreign table is undecided where it is not refused."""
    attackers = [identity for identity in world.identities if "B" not in identity.sides]
    cells: list[Cell] = []
    remarks: list[Remark] = []
    interrupted = False
    with set_up(world) as scene:
        things, beside = _parted(scene, snapshot, _things(scene, attackers))
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
    return Attacked(tuple(cells), findings(remarks), interrupted, beside)


def _parted(scene: Scene, snapshot: Snapshot, things: Iterable[Thing]) -> tuple[list[Thing], tuple[str, ...]]:
    """What is to be attacked, and sentences that name the rest. What stands beside audited objects is one of them, whether or not the snapshot
    knows it."""
    # A trigger or a policy on a table of the platform does not make that table one's own.
    schemas = {id.schema for id in snapshot.digests if id.kind not in ("trigger", "policy")}
    extensions = {r.id: r.extension for r in scene.catalogue.relations.values() if r.extension}
    attacked: list[Thing] = []
    beside: dict[str, list[str]] = {}
    for id, attack in things:
        if id.schema not in schemas:
            beside.setdefault(f"the schema {id.schema} is no part of what is audited", []).append(str(id))
        elif id in extensions:
            beside.setdefault(f"the extension {extensions[id]} brings it", []).append(str(id))
        else:
            attacked.append((id, attack))
    said = (f"not attacked, as {why}: {', '.join(sorted(names))}" for why, names in sorted(beside.items()))
    return attacked, tuple(said)


def _things(scene: Scene, attackers: Sequence[Identity]) -> Iterator[Thing]:
    """What can be attacked, and how: everything that the database has."""
    for relation in scene.catalogue.relations.values():
        how = cells_of.foreign if relation.kind == "f" else cells_of.relation
        yield relation.id, partial(how, scene, relation, attackers)
    for routine in scene.surface.routines:
        yield routine.id, partial(cells_of.routine, scene, routine, attackers)
    for sequence in scene.surface.sequences:
        yield sequence.id, partial(cells_of.numbers, scene, sequence, attackers)
