"""One attack run and looked at: which rows of B moved, which new ones are B's, what came back that only B's rows hold.

The same attack is run again where B does not exist, when what came back could be told apart by that. What differs between two runs in
one world (clock, random source, sequences) is masked. Never decides what it means for the cell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from reconciler.audit.attacks.arena import taken_away
from reconciler.audit.attacks.values import Attack, Outcome
from reconciler.audit.attempt import Answer, Seen, Session, attempt, look, looked, over
from reconciler.audit.scene import Scene, words
from reconciler.model import ObjectId
from reconciler.shadow.tenants.values import Identity

_VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.\d]*(?:[+-]\d\d)?|\d+"
)


def tried(scene: Scene, attack: Attack, identity: Identity) -> Outcome:
    """Runs the attack as this identity and takes everything back."""
    actor = attack.by or identity
    session, _ = scene.sessions(attack.fresh)
    try:
        looks = [_look(scene, oid) for oid in attack.watched]
        answer = attempt(
            session,
            actor,
            attack.sql,
            setup=attack.setup,
            before=attack.before,
            looks=looks,
            watched=not attack.reads,
        )
        hurt, planted, moved = _moved(scene, session, attack, answer)
    finally:
        over(session)
    rows = _lines(answer)
    known = "\n".join((attack.sql, *(does for _, does in attack.before), *actor.settings.values()))
    shown = _telling(scene, answer, rows, known)
    differs = ""
    if attack.compared and answer.ready and not _denied(answer):
        shown, differs = _compared(scene, attack, actor, answer, rows, shown)
    return Outcome(attack, identity, answer, rows, hurt, planted, moved, shown, differs)


def footprint(scene: Scene, outcome: Outcome) -> Outcome:
    """The same outcome with every table that the attack read or wrote: it is run once more, and watched more closely."""
    attack = outcome.attack
    session, _ = scene.sessions(attack.fresh)
    answer = _run(scene.seeing(session), attack, attack.by or outcome.identity)
    return replace(outcome, answer=replace(outcome.answer, touched=answer.touched))


def _denied(answer: Answer) -> bool:
    trouble = answer.trouble
    return trouble is not None and trouble.code == "42501" and "permission denied" in trouble.message


def _lines(answer: Answer) -> tuple[str, ...]:
    """The rows of the last statement that gave any, each as one line."""
    for result in reversed(answer.results):
        if result.columns:
            return tuple("\t".join(cell or "" for cell in row) for row in result.rows)
    return ()


def _telling(scene: Scene, answer: Answer, rows: Iterable[str], known: str) -> tuple[str, ...]:
    """What came back with words of B that the attacker did not say."""
    texts = [*rows, *answer.notices]
    if answer.trouble is not None:
        texts.append(answer.trouble.text)
    return tuple(text for text in texts if scene.said(text, known))


def _compared(
    scene: Scene,
    attack: Attack,
    actor: Identity,
    answer: Answer,
    rows: tuple[str, ...],
    shown: tuple[str, ...],
) -> tuple[tuple[str, ...], str]:
    if attack.reads and answer.trouble is None and not rows:
        return shown, ""
    lonely = _alone(scene, attack, actor)
    if not lonely.ready:
        return shown, ""
    theirs = _lines(lonely)
    if attack.reads and answer.trouble is None and lonely.trouble is None:
        more, fewer = Counter(rows) - Counter(theirs), Counter(theirs) - Counter(rows)
        if not more and not fewer:
            return (), ""
        if not fewer:
            return tuple(more.elements()), ""
    here, there = _essence(answer, rows), _essence(lonely, theirs)
    if here == there:
        return (), ""
    again = _alone(scene, attack, actor)
    steady = _essence(again, _lines(again)) == there
    whole = tuple(line for line in rows if line in scene.lines and line not in theirs)
    if attack.tells and steady and not whole and answer.trouble is None and lonely.trouble is None:
        said = words("\n".join((attack.sql, *actor.settings.values())))
        more = Counter(rows) - Counter(theirs)
        whole = tuple(line for line in more if line and not words(line) <= said)
    shown = shown or whole
    if attack.asks and steady and not shown and _graded(scene, attack, actor, (here, there)):
        shown = tuple(row for row in rows if row not in theirs)
    if not steady and _masked(here) == _masked(there):
        return shown, ""
    return shown, f"{_shortly(answer, rows)} with tenant B there, {_shortly(lonely, theirs)} without"


def _graded(
    scene: Scene, attack: Attack, actor: Identity, known: tuple[tuple[str, ...], tuple[str, ...]]
) -> bool:
    """Whether the answer is a third one where B has a row less in some table: then it tells more of B than that it is there."""
    session, _ = scene.sessions(attack.fresh)
    for touched in _run(scene.seeing(session), attack, actor).touched:
        relation = scene.catalogue.relations.get(touched.oid)
        rows = scene.rows(relation, "B") if relation is not None and relation.kind in ("r", "p") else []
        if relation is None or len(rows) < 2:
            continue
        answer = _run(session, attack, actor, (taken_away(relation, rows[-1:]),))
        if answer.ready and answer.trouble is None and _essence(answer, _lines(answer)) not in known:
            return True
    return False


def _run(
    session: Session, attack: Attack, actor: Identity, more: tuple[str, ...] = (), *, watched: bool = True
) -> Answer:
    """The attack once more, after some more preparations."""
    setup = (*attack.setup, *more)
    try:
        return attempt(session, actor, attack.sql, setup=setup, before=attack.before, watched=watched)
    finally:
        over(session)


def _alone(scene: Scene, attack: Attack, actor: Identity) -> Answer:
    _, session = scene.sessions(attack.fresh)
    return _run(session, attack, actor, watched=False)


def _essence(answer: Answer, rows: tuple[str, ...]) -> tuple[str, ...]:
    trouble = (answer.trouble.code, answer.trouble.text) if answer.trouble else ("", "")
    tags = tuple(result.tag for result in answer.results)
    return (*sorted(rows), *answer.notices, *trouble, *tags)


def _masked(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(_VARYING.sub("…", text) for text in texts))


def _shortly(answer: Answer, rows: tuple[str, ...]) -> str:
    if answer.trouble is not None:
        return str(answer.trouble)
    if rows:
        return f"{len(rows)} row{'s' if len(rows) > 1 else ''} ({rows[0][:80]})"
    return answer.results[-1].tag if answer.results else "nothing"


def _look(scene: Scene, oid: int) -> str:
    relation = scene.relation(oid)
    return look(oid, relation.sql, scene.owner_of(relation).owner)


def _moved(
    scene: Scene, session: Session, attack: Attack, answer: Answer
) -> tuple[tuple[tuple[ObjectId, str], ...], tuple[tuple[ObjectId, str], ...], int]:
    """B's rows that are no longer as they were, new rows that are B's, and how many others changed."""
    written = [touched.oid for touched in answer.touched if touched.written and touched.oid in scene.kept]
    written = [oid for oid in written if scene.relation(oid).kind == "r"]
    if not written:
        return (), (), 0
    now, _ = looked(session, [_look(scene, oid) for oid in written])
    hurt: list[tuple[ObjectId, str]] = []
    planted: list[tuple[ObjectId, str]] = []
    moved = 0
    for oid in written:
        id = scene.relation(oid).id
        before = _before(scene, attack, answer, oid)
        after = {(row.ctid, row.text): row for row in now if row.oid == oid}
        for place, whose in before.items():
            if place not in after and whose == "B":
                hurt.append((id, place[1]))
            elif place not in after:
                moved += 1
        for place, row in after.items():
            if place in before:
                continue
            if scene.of_b(row.owner) and not _instead(hurt, id, attack, row):
                planted.append((id, row.text))
            else:
                moved += 1
    return tuple(hurt), tuple(planted), moved


def _instead(hurt: list[tuple[ObjectId, str]], id: ObjectId, attack: Attack, row: Seen) -> bool:
    """Whether a new row of B stands where one of B's was changed: then that one is the leak."""
    return any(where == id for where, _ in hurt) and attack.command != "INSERT"


def _before(scene: Scene, attack: Attack, answer: Answer, oid: int) -> dict[tuple[str, str], str]:
    """The rows of a table right before the attack, by place and text, with whose each is."""
    if oid in attack.watched:
        theirs = {kept.text for kept in scene.kept[oid] if kept.whose == "B"}
        return {
            (row.ctid, row.text): "B" if scene.of_b(row.owner) or row.text in theirs else "A"
            for row in answer.looked
            if row.oid == oid
        }
    return {
        (kept.ctid, kept.text): kept.whose
        for kept in scene.kept[oid]
        if (oid, kept.ctid) not in answer.removed
    }
