"""Functions that only the service role may call, given one tenant's key together with another tenant's row (rules SRV001, SRV002).

Row-level security does not bind their caller, so that they must check themselves. Promises that an error happened, with its script; isolated says that
the same call with A's keys alone did something, and that every mismatched one was refused or did nothing of B's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.audit.rules.triggers import BY_ID
from reconciler.audit.triggers import script
from reconciler.audit.triggers.calls import Call, Served, call, controls, served_by
from reconciler.audit.triggers.stage import Fired, Stage, fire, staged
from reconciler.audit.triggers.trace import Note
from reconciler.model import Cell, Finding, Snapshot
from reconciler.shadow.tenants.values import Identity, Side, World

_BY_CHANCE = frozenset({"23505", "23502", "57014", "55P03"})
"""Errors that say nothing about whose the rows are."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """A mismatched call and what came of it; `says` names the argument that was B's."""

    call: Call
    says: str
    fired: Fired


def served(
    world: World, snapshot: Snapshot, *, told: Callable[[str], None] = lambda sentence: None
) -> tuple[tuple[Cell, ...], tuple[Finding, ...]]:
    """Every function that only roles beyond row-level security may call, as each of them."""
    came = list(serving(world, snapshot, told=told))
    return tuple(sorted(cell for cell, _ in came)), tuple(sorted(one for _, found in came for one in found))


def serving(
    world: World, snapshot: Snapshot, *, told: Callable[[str], None] = lambda sentence: None
) -> Iterator[tuple[Cell, tuple[Finding, ...]]]:
    """The same, function by function, for those who may be interrupted. No finding comes twice."""
    known: set[str] = set()
    with staged(world.both, world, snapshot) as stage:
        for identity in (one for one in world.identities if one.bypasses):
            for function in served_by(stage, identity):
                told(f"call {function.id} as {identity.name}")
                cell, found = _judged(stage, function, identity)
                yield cell, tuple(one for one in found if one.key not in known)
                known |= {one.key for one in found}


def _judged(stage: Stage, function: Served, identity: Identity) -> tuple[Cell, list[Finding]]:
    def cell(verdict: str, reason: str, attack: str = "", made: str = "") -> Cell:
        return Cell(function.id, "EXECUTE", identity.name, verdict, reason, attack, made)  # type: ignore[arg-type]

    if len(function.pairs) + function.secret < 2:
        return cell("bypass", "it takes no two keys that could belong to different tenants"), []
    control, number, said = _control(stage, function, identity)
    if control is None:
        return cell("undecided", f"with A's own keys it could not be called: {said}"), []
    decided = ""
    for mixed in _mixed(stage, function, identity, control, number):
        finding, made = _fault(stage, function, identity, mixed)
        if finding is not None:
            return cell("leak", finding.says, mixed.call.sql, made), [finding]
        if mixed.fired.code in _BY_CHANCE:
            decided = f"{mixed.says}: {mixed.fired.code}: {mixed.fired.message}"
    if decided:
        return cell("undecided", decided), []
    return cell(
        "isolated",
        "called with A's keys and one of B's, each in turn: refused, or nothing of B's was written or shown",
    ), []


def _control(stage: Stage, function: Served, identity: Identity) -> tuple[Call | None, int, str]:
    """The first call with A's keys alone that did something, and of which rows its values were."""
    said = "it did and returned nothing"
    for place, one in enumerate(controls(stage, function, identity)):
        done = fire(stage, one.identity, one.sql, setup=one.setup)
        if not done.code and done.ready and (done.notes or any(row[0] for row in done.rows)):
            return one, (0, 1, -1)[place % 3], ""
        if done.code:
            said = f"{done.code}: {done.message}"
    return None, 0, said


def _mixed(stage: Stage, function: Served, identity: Identity, control: Call, number: int) -> Iterator[Mixed]:
    """One argument B's at a time, then all but that one; where a secret of A's is shown, all of them B's, too."""
    seen: set[tuple[Side | None, ...]] = set()
    choices = [{place} for place in function.pairs]
    choices += [set(function.pairs) - {place} for place in function.pairs]
    choices += [set(function.pairs)] if function.secret else []
    for chosen in choices:
        sides: tuple[Side | None, ...] = tuple(
            "B" if i in chosen else "A" for i in range(len(function.meanings))
        )
        if not chosen or sides in seen:
            continue
        seen.add(sides)
        one = call(function, identity, sides, number, control.setup)
        names = ", ".join(function.names[i] or f"argument {i + 1}" for i in sorted(chosen))
        beside = "a secret of A" if function.secret else "keys of A"
        yield Mixed(one, f"{names} of B beside {beside}", fire(stage, one.identity, one.sql, setup=one.setup))


def _fault(stage: Stage, function: Served, identity: Identity, mixed: Mixed) -> tuple[Finding | None, str]:
    if mixed.fired.code or not mixed.fired.ready:
        return None, ""
    acting, strange = _sides(function, mixed.call)
    keys = {
        value
        for i, value in enumerate(mixed.call.values)
        if i in function.pairs and mixed.call.sides[i] == strange
    }
    wrong = [
        note for note in mixed.fired.notes if note.of(strange) or (note.of(acting) and _carries(note, keys))
    ]
    one = mixed.call
    if wrong:
        says = (
            f"{function.id}, called with {mixed.says}, wrote {len(wrong)} rows, the first in {wrong[0].table}"
        )
        tables = [note.table for note in wrong]
        made = script.calling(stage, one.identity, one.sql, one.setup, tables, (), says)
        return BY_ID["SRV001"].finding(function.id, f"{says}.", evidence=one.sql, detail=mixed.says), made
    shown = _shown(stage, mixed, strange)
    if shown:
        says = f"{function.id}, called with {mixed.says}, returned what is {strange}'s: {shown[0]}"
        made = script.calling(stage, one.identity, one.sql, one.setup, (), shown, says)
        return BY_ID["SRV002"].finding(function.id, f"{says}.", evidence=one.sql, detail=mixed.says), made
    return None, ""


def _sides(function: Served, one: Call) -> tuple[Side, Side]:
    """For whom the call is made, as the secret or the tenant's key says, and who the other one is."""
    tenants = [one.sides[i] for i in function.pairs if function.meanings[i].kind == "tenant"]
    acting: Side = "A" if function.secret or not tenants or tenants[0] != "B" else "B"
    return acting, "B" if acting == "A" else "A"


def _carries(note: Note, keys: set[str | None]) -> bool:
    """Whether a row now holds a key that it did not hold before."""
    was = {str(value) for value in (note.was or {}).values()}
    return any(
        str(value) in keys and str(value) not in was
        for value in (note.now or {}).values()
        if value is not None
    )


def _shown(stage: Stage, mixed: Mixed, strange: Side) -> list[str]:
    """Canaries of the other tenant, and the keys of its rows, in what came back and not in what was given."""
    text = " ".join(str(value) for row in mixed.fired.rows for value in row if value is not None)
    given = " ".join(value for value in mixed.call.values if value)
    words = set(re.findall(r"[\w-]+", text)) - set(re.findall(r"[\w-]+", given))
    held = set(stage.world.canaries[strange]) | {
        value
        for rows in stage.world.rows[strange].values()
        for row in rows
        for value in row.values.values()
        if value and re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", value)
    }
    return sorted(words & held)[:5]
