"""From what attacks came to, to what a cell of the matrix says. Pure.

"Isolated" needs three things: an attack ran; it neither showed nor changed a row of B; and the identity could do the same to A's own
rows, or is refused altogether (no privilege, row-level security without a policy, or a policy that lets others of A do it). Where one is
missing the cell is undecided, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.audit.attacks.values import Outcome, alike
from reconciler.audit.surface import Rights
from reconciler.model import Verdict
from reconciler.shadow.tenants.values import Identity, Ownership

MILD = frozenset({"ATK025"})
"""What changes rows of B only after a step that nobody may do: told as a warning."""


@dataclass(frozen=True, slots=True)
class Question:
    """One cell before it is decided: what was tried for it, and what is known beside.

    `alive` names somebody else of A who could do it to A's own rows. `absent` says why there is no row of B to attack.
    """

    identity: Identity
    command: str
    rights: Rights
    ownership: Ownership
    outcomes: Sequence[Outcome]
    alive: str = ""
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    reason: str
    leak: Outcome | None = None


def decided(question: Question) -> Decision:
    """The verdict of one cell, with a sentence about why."""
    attacks = [o for o in question.outcomes if not o.attack.own]
    leak = next((o for o in question.outcomes if o.leaked and o.attack.rule not in MILD), None)
    if question.ownership == "global":
        return _shared(question, attacks)
    if leak is not None:
        if question.ownership == "unknown":
            return Decision("undecided", "rows are within reach, and nobody knows whose they are")
        return Decision("leak", _told(leak), leak)
    denied = next((o for o in question.outcomes if o.denied), None)
    if denied is not None and not any(o.reached for o in question.outcomes if o.attack.own):
        return Decision("isolated", denied.words)
    return _unharmed(question, [o for o in attacks if o.ready])


def called(identity: Identity, outcomes: Sequence[Outcome], alive: str, *, pure: bool) -> Decision:
    """The verdict about calling a function or procedure; `pure`: it touched no table, or there are no arguments to choose."""
    leak = next((o for o in outcomes if o.leaked), None)
    if leak is not None:
        return Decision("leak", _told(leak), leak)
    denied = next((o for o in outcomes if o.denied and o.attack.own), None)
    if denied is not None:
        return Decision("isolated", denied.words)
    attacks = [o for o in outcomes if not o.attack.own and o.ready]
    if not attacks:
        return Decision("undecided", "no call could be made")
    best = next((o for o in attacks if o.trouble is not None), attacks[0])
    oracle = next((o for o in attacks if o.differs), None)
    if oracle is not None:
        return Decision("undecided", f"answers something else where B does not exist: {oracle.differs}")
    controls = [o for o in outcomes if o.attack.own and not o.attack.nobody]
    if any(_worked(o, outcomes) for o in controls):
        return Decision("isolated", f"works with A's own keys; {_came_to(best)}")
    if any(o.trouble is None for o in controls) and pure:
        return Decision("isolated", "touches no table, or takes no argument")
    if all(o.code in _RAISED for o in outcomes) and (alive or "A" not in identity.sides):
        return Decision("isolated", f"refuses: {best.words}")
    if any(o.trouble is None for o in controls):
        if alive or "A" not in identity.sides:
            return Decision("isolated", f"does nothing; {_came_to(best)}")
        return Decision(
            "undecided", "does nothing with A's own keys either: which ones it wants is not known"
        )
    return Decision("undecided", f"does not work with A's own keys either: {outcomes[0].trouble}")


def _worked(control: Outcome, outcomes: Sequence[Outcome]) -> bool:
    """Whether the call did something with A's key that it does not do with nobody's, which is tried right after it."""
    if not control.answered:
        return False
    at = next(i for i, outcome in enumerate(outcomes) if outcome is control) + 1
    after = outcomes[at] if at < len(outcomes) else None
    return after is None or not after.attack.nobody or not alike(control, after)


_RAISED = ("42501", "28000", "P0001", "P0002", "22023")
"""What functions raise when they refuse: no privilege, no authorization, an exception of their own, no data, a bad argument."""


_UNABLE = ("55000", "0A000", "42809")
_FIXED = ("428C9", "UPDATE")
"""Through a view PostgreSQL sets no identity that is always generated, not even to its default."""


def _unharmed(question: Question, attacks: Sequence[Outcome]) -> Decision:
    command, rights = question.command, question.rights
    unable = next((o for o in attacks if o.code in _UNABLE or (o.code, command) == _FIXED), None)
    if unable is not None and all(o.trouble for o in attacks):
        return Decision("isolated", unable.words)
    if rights.ruled(command):
        return Decision(
            "isolated",
            f"row-level security is on, and no policy for {command} speaks of {question.identity.role}",
        )
    if question.absent:
        return Decision("undecided", question.absent)
    plain = [o for o in attacks if not o.attack.aside]
    if not plain:
        return Decision("undecided", "no attack could be made")
    founding = (
        question.ownership == "root" and command == "INSERT"
    )  # B's tenant is there already: no other can be it
    reached = next(
        (o for o in plain if o.code.startswith("23") and not (founding and o.code == "23505")), None
    )
    if reached is not None:  # constraints are looked at after rights: those let it pass
        return Decision("undecided", f"only a constraint stopped it: {reached.trouble}")
    controls = [o for o in question.outcomes if o.attack.own and o.ready]
    worked = any(o.reached for o in controls) or (command == "SELECT" and any(o.rows for o in plain))
    conclusive = [o for o in plain if o.trouble is None or o.refused or o.denied]
    if worked:
        return Decision("isolated", f"works on A's own rows; {_came_to(next(iter(conclusive), plain[0]))}")
    if not conclusive:
        return Decision("undecided", f"stopped by something else than rights: {plain[0].trouble}")
    if "A" not in question.identity.sides:
        if question.alive or command == "SELECT" or any(o.refused for o in conclusive):
            return Decision("isolated", f"of no tenant; {_came_to(conclusive[0])}")
        return Decision(
            "undecided", "nothing happened, and nobody can do it: there is nothing to compare with"
        )
    if question.alive:
        return Decision("isolated", f"refused on A's own rows as well, where {question.alive} may")
    other = next((o for o in controls if o.trouble is not None and not o.refused and not o.denied), None)
    if other is not None:
        return Decision("undecided", f"does not work on A's own rows either: {other.trouble}")
    return Decision("undecided", "refused on A's own rows as well, and nobody of A is let through")


def _shared(question: Question, attacks: Sequence[Outcome]) -> Decision:
    wrote = next((o for o in question.outcomes if o.hurt or o.planted or o.moved), None)
    if wrote is not None:
        return Decision("shared", f"belongs to nobody, and {question.identity.role} may write it", wrote)
    return Decision("shared", "belongs to nobody")


def _came_to(outcome: Outcome) -> str:
    if outcome.trouble is not None:
        return f"upon B's: {outcome.trouble.message}"
    if outcome.rows:
        return f"of {len(outcome.rows)} rows none is B's"
    return "no row of B's was reached"


def _told(leak: Outcome) -> str:
    if leak.hurt:
        table, text = leak.hurt[0]
        return f"{leak.attack.does}: {len(leak.hurt)} of B's rows, e.g. {table} {text[:120]}"
    if leak.planted:
        table, text = leak.planted[0]
        return f"{leak.attack.does}: {table} {text[:120]}"
    return f"{leak.attack.does}: shows {leak.shown[0][:160]}"
