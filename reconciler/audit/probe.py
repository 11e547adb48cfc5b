"""Two tenants, and everything that people of A try upon B: object by object, command by command, identity by identity.

Promises that every cell has a verdict, "undecided" with its reason where nothing else is honest, and that an interruption loses nothing
that was decided before. Says "attacked", never "proven": what was not tried is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.audit.attacks import conflicts, oracles, reads, writes
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attacks, Outcome
from reconciler.audit.scene import Scene, set_up
from reconciler.audit.script import script
from reconciler.audit.surface import Rights
from reconciler.audit.told import Remark, differing, findings, leaked, shared
from reconciler.audit.tried import tried
from reconciler.audit.verdict import Decision, Question, decided
from reconciler.model import Cell, Finding, Snapshot
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.values import Identity, World

Told = Callable[[int, int, str], None]
"""How far it is: done, of how many, what is attacked now."""

COMMANDS = {"table": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"), "view": ("SELECT", "INSERT", "UPDATE", "DELETE"),
            "materialized_view": ("SELECT",)}  # fmt: skip
FAMILIES: tuple[Callable[[Target], Attacks], ...] = (
    reads.attacks, writes.inserts, writes.updates, writes.moves, writes.deletes, writes.truncates, conflicts.attacks, oracles.attacks,
)  # fmt: skip


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
    with set_up(world) as scene:
        relations = [
            r
            for r in scene.catalogue.relations.values()
            if r.id in snapshot.digests and r.id.kind in COMMANDS
        ]
        attackers = [i for i in world.identities if "B" not in i.sides]
        cells: list[Cell] = []
        remarks: list[Remark] = []
        interrupted = False
        for done, relation in enumerate(relations):
            if not interrupted:
                try:
                    told(done, len(relations), str(relation.id))
                    some, said = _relation(scene, relation, attackers)
                except KeyboardInterrupt:
                    interrupted = True
                else:
                    cells += some
                    remarks += said
                    continue
            cells += [
                Cell(relation.id, command, identity.name, "undecided", "not reached")
                for identity in attackers
                for command in COMMANDS[relation.id.kind]
            ]
        return Attacked(tuple(cells), findings(remarks), interrupted)


def _relation(
    scene: Scene, relation: Relation, attackers: Sequence[Identity]
) -> tuple[list[Cell], list[Remark]]:
    outcomes: dict[str, list[Outcome]] = {}
    for identity in attackers:
        rights = scene.surface.of(identity.role, relation.oid)
        if rights.bypasses:
            continue
        target = Target(scene, relation, scene.base(relation), identity, rights)
        outcomes[identity.name] = [o for family in FAMILIES for o in _family(scene, family(target), identity)]
    cells: list[Cell] = []
    remarks: list[Remark] = []
    for identity in attackers:
        for command in COMMANDS[relation.id.kind]:
            rights = scene.surface.of(identity.role, relation.oid)
            if rights.bypasses or (rights.owner and command == "TRUNCATE"):
                reason = f"{identity.role} is not bound by row-level security here"
                cells.append(Cell(relation.id, command, identity.name, "bypass", reason))
                continue
            decision = _decision(scene, relation, command, identity, rights, outcomes)
            leak = decision.leak
            said = script(scene, leak) if leak and decision.verdict == "leak" else ""
            cells.append(
                Cell(
                    relation.id, command, identity.name, decision.verdict, decision.reason,
                    leak.attack.sql if leak else "", said,
                )
            )  # fmt: skip
            if leak is not None:
                remarks.append(leaked(leak, decision.reason) if decision.verdict == "leak" else shared(leak))
            else:
                remarks += differing(o for o in outcomes[identity.name] if o.attack.command == command)
    return cells, remarks


def _decision(
    scene: Scene,
    relation: Relation,
    command: str,
    identity: Identity,
    rights: Rights,
    outcomes: Mapping[str, Sequence[Outcome]],
) -> Decision:
    about = [o for o in outcomes[identity.name] if o.attack.command == command]
    friends = {i.name for i in scene.world.identities if i.name != identity.name and i.sides == ("A",)}
    alive = next((n for n in outcomes if n in friends and _works(outcomes[n], command)), "")
    ownership = scene.owner_of(relation).ownership
    return decided(Question(identity, command, rights, ownership, about, alive, _absent(scene, relation)))


def _family(scene: Scene, attacks: Attacks, identity: Identity) -> Iterator[Outcome]:
    try:
        attack = next(attacks)
        while True:
            outcome = tried(scene, attack, identity)
            yield outcome
            attack = attacks.send(outcome)
    except StopIteration:
        return


def _works(outcomes: Sequence[Outcome], command: str) -> bool:
    """Whether somebody could do it to rows of A."""
    about = [o for o in outcomes if o.attack.command == command]
    return any(o.reached for o in about if o.attack.own) or (
        command == "SELECT" and any(o.rows for o in about)
    )


def _absent(scene: Scene, relation: Relation) -> str:
    """Why there is nothing of B to be found; empty when there is."""
    below = scene.beneath(relation)
    if relation.kind == "m" and not scene.rows(relation, "B"):
        return scene.world.unseeded.get(relation.id, "it shows no row of B to anybody")
    if any(scene.rows(table, "B") for table in below):
        return ""
    reasons = [scene.world.unseeded[table.id] for table in below if table.id in scene.world.unseeded]
    return reasons[0] if reasons else "it holds no row of B"
