"""The cells of one object: what each identity could do with it, decided from everything that was tried.

All identities come first, then the verdicts: what one of A may do with A's own rows says something about the others. Promises a
cell for every command and identity.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.audit.attacks import (
    cascades,
    claims,
    conflicts,
    former,
    functions,
    oracles,
    prepared,
    promotions,
    reads,
    sequences,
    writes,
)
from reconciler.audit.attacks.target import Target
from reconciler.audit.attacks.values import Attacks, Outcome
from reconciler.audit.scene import Scene
from reconciler.audit.script import script
from reconciler.audit.steps import steps
from reconciler.audit.surface import Routine
from reconciler.audit.surface import Sequence as Numbers
from reconciler.audit.told import Remark, differing, leaked, promoted, settable, shared
from reconciler.audit.tried import footprint, tried
from reconciler.audit.verdict import Decision, Question, called, decided
from reconciler.model import Cell, ObjectId, Verdict
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.tokens import mentions
from reconciler.shadow.tenants.values import Identity

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "table": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"),
    "view": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "materialized_view": ("SELECT",),
    "foreign_table": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "function": ("EXECUTE",),
    "procedure": ("EXECUTE",),
    "sequence": ("USAGE",),
}
FAMILIES: tuple[Callable[[Target], Attacks], ...] = (
    reads.attacks, writes.inserts, writes.updates, writes.moves, writes.deletes, writes.truncates, conflicts.attacks,
    cascades.attacks, claims.attacks, prepared.attacks, promotions.attacks, former.attacks, oracles.attacks,
)  # fmt: skip


@dataclass(slots=True)
class Told:
    """The cells of one object, and what is to be said about it."""

    cells: list[Cell] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def decide(self, id: ObjectId, command: str, identity: Identity, verdict: Verdict, reason: str) -> None:
        self.cells.append(Cell(id, command, identity.name, verdict, reason))

    def decided(
        self, scene: Scene, id: ObjectId, command: str, identity: Identity, decision: Decision
    ) -> None:
        """The cell of a decision, with the script where it is a leak."""
        leak, verdict = decision.leak, decision.verdict
        if leak is not None and verdict == "leak":
            leak = footprint(scene, leak)
        if leak is not None and verdict == "leak" and _owns(scene, identity, leak):
            reason = f"{identity.role} is not bound by row-level security on what this reads or writes"
            self.decide(id, command, identity, "bypass", reason)
            return
        if leak is None:
            self.decide(id, command, identity, verdict, decision.reason)
            return
        said = script(scene, leak) if verdict == "leak" else ""
        self.cells.append(Cell(id, command, identity.name, verdict, decision.reason, leak.attack.sql, said))
        self.remarks.append(leaked(leak, decision.reason) if verdict == "leak" else shared(leak))


def relation(scene: Scene, about: Relation, attackers: Sequence[Identity]) -> Told:
    """A table, partition, view or materialized view."""
    outcomes: dict[str, list[Outcome]] = {}
    for identity in attackers:
        rights = scene.surface.of(identity.role, about.oid)
        if not rights.bypasses:
            target = Target(scene, about, scene.base(about), identity, rights)
            outcomes[identity.name] = [
                o for family in FAMILIES for o in _family(scene, family(target), identity)
            ]
    told = Told()
    for identity in attackers:
        for command in COMMANDS[about.id.kind]:
            rights = scene.surface.of(identity.role, about.oid)
            if rights.bypasses or (rights.owner and command == "TRUNCATE"):
                reason = f"{identity.role} is not bound by row-level security here"
                told.decide(about.id, command, identity, "bypass", reason)
                continue
            tries = [o for o in outcomes[identity.name] if o.attack.command == command]
            alive = _alive(scene, identity, outcomes, command)
            ownership = scene.owner_of(about).ownership
            question = Question(identity, command, rights, ownership, tries, alive, _absent(scene, about))
            decision = decided(question)
            told.decided(scene, about.id, command, identity, decision)
            if decision.leak is None:
                told.remarks += differing(tries)
        told.remarks += promoted(about, identity, steps(scene, identity))
    return told


def foreign(scene: Scene, about: Relation, attackers: Sequence[Identity]) -> Told:
    """A foreign table. Its rows are on another server, where nothing is attacked; row-level security does not know it."""
    told = Told()
    for identity in attackers:
        rights = scene.surface.of(identity.role, about.oid)
        for command in COMMANDS[about.id.kind]:
            if _exempt(scene, identity) or rights.owner:
                reason = f"{identity.role} is not bound by row-level security here"
                told.decide(about.id, command, identity, "bypass", reason)
            elif not rights.may(command):
                reason = f"permission denied for foreign table {about.name}"
                told.decide(about.id, command, identity, "isolated", reason)
            else:
                reason = "its rows are on another server, and row-level security does not bind anybody here"
                told.decide(about.id, command, identity, "undecided", reason)
    return told


def routine(scene: Scene, about: Routine, attackers: Sequence[Identity]) -> Told:
    """A function or procedure. What a role does with it that row-level security does not bind is tried elsewhere."""
    outcomes: dict[str, list[Outcome]] = {}
    for identity in attackers:
        if not _exempt(scene, identity):
            outcomes[identity.name] = list(
                _family(scene, functions.attacks(scene, about, identity), identity)
            )
    told = Told()
    for identity in attackers:
        if identity.name not in outcomes:
            reason = f"{identity.role} is not bound by row-level security"
            told.decide(about.id, "EXECUTE", identity, "bypass", reason)
            continue
        alive = _alive(scene, identity, outcomes, "EXECUTE")
        tries = outcomes[identity.name]
        pure = not about.arguments or not (
            _speaks_of_rows(scene, about)
            or any(footprint(scene, o).answer.touched for o in tries if o.trouble is None)
        )
        decision = called(identity, tries, alive, pure=pure)
        told.decided(scene, about.id, "EXECUTE", identity, decision)
        if decision.leak is None:
            told.remarks += differing(o for o in outcomes[identity.name] if not _owns(scene, identity, o))
    return told


def _speaks_of_rows(scene: Scene, about: Routine) -> bool:
    """Whether its body names a table or makes statements at run time: a call that happened to touch none shows nothing then."""
    body = about.body.lower()
    names = (r.name.lower() for r in scene.catalogue.relations.values())
    return bool(re.search(r"\bexecute\b", body)) or any(mentions(body, name) for name in names)


def numbers(scene: Scene, about: Numbers, attackers: Sequence[Identity]) -> Told:
    """A sequence: nobody's, yet not to be set by anybody."""
    told = Told()
    for identity in attackers:
        if _exempt(scene, identity):
            told.decide(
                about.id, "USAGE", identity, "bypass", f"{identity.role} is not bound by row-level security"
            )
            continue
        outcomes = list(_family(scene, sequences.attacks(about), identity))
        reached = [o for o in outcomes if o.trouble is None or o.code == "22003"]  # out of its bounds
        if not reached:
            told.decide(about.id, "USAGE", identity, "isolated", outcomes[0].words)
            continue
        told.decide(
            about.id,
            "USAGE",
            identity,
            "shared",
            f"numbers are nobody's; {identity.role} {', '.join(o.attack.does for o in reached)}",
        )
        if about.owner != identity.role:  # whoever it belongs to may always set it
            told.remarks += settable(reached)
    return told


def _owns(scene: Scene, identity: Identity, outcome: Outcome) -> bool:
    """Whether the attack touched a table on which row-level security does not bind the identity itself."""
    if outcome.attack.before:
        return False
    rights = scene.surface
    return any(rights.of(identity.role, touched.oid).bypasses for touched in outcome.answer.touched)


def _exempt(scene: Scene, identity: Identity) -> bool:
    role = scene.catalogue.roles.get(identity.role)
    return identity.bypasses or (role is not None and (role.bypasses or role.superuser))


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
    if command == "SELECT":
        return any(o.rows for o in about)
    if command == "EXECUTE":
        return any(o.answered for o in about if o.attack.own)
    return any(o.reached for o in about if o.attack.own)


def _alive(scene: Scene, identity: Identity, outcomes: Mapping[str, Sequence[Outcome]], command: str) -> str:
    """Somebody else of A who could do it to A's own rows."""
    friends = {i.name for i in scene.world.identities if i.name != identity.name and i.sides == ("A",)}
    return next((n for n in outcomes if n in friends and _works(outcomes[n], command)), "")


def _absent(scene: Scene, relation: Relation) -> str:
    """Why there is nothing of B to be found; empty when there is."""
    below = scene.beneath(relation)
    if relation.kind == "m" and not scene.rows(relation, "B"):
        return scene.world.unseeded.get(relation.id, "it shows no row of B to anybody")
    if any(scene.rows(table, "B") for table in below):
        return ""
    reasons = [scene.world.unseeded[table.id] for table in below if table.id in scene.world.unseeded]
    return reasons[0] if reasons else "it holds no row of B"
