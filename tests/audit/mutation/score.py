"""The mutation score of one schema: each mutant is audited as a user would, every reproduction is run by psql, what is not reported is
judged by brute force.

    behavioural   somebody of A reaches more of B than before: an attack of the audit whose script shows it, or else the matrix
    hygiene       nobody does, and the audit has something new to say, or the operator only aims at how well something is guarded; and who
                  learns no more than that a row is there: then the audit has to say just that
    equivalent    nobody does, the matrix is the same, and nothing is said: left out of both scores, listed
"""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg
from catalog import read
from matrix import Fact, facts
from operators import mutants
from values import Mutant

from reconciler.audit.report import Audit
from reconciler.engine.auditing import audited
from reconciler.engine.subject import Subject, of_source
from reconciler.pg import Url, connect
from reconciler.settings import Database
from reconciler.shadow.tenants import world
from reconciler.shadow.tenants.values import World

ORACLE = "ATK020"
"""An answer that differs where the other tenant does not exist, and shows nothing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """`kind` is behavioural, hygiene or equivalent; `hit` whether the audit met it; `by` the keys of what it said anew."""

    schema: str
    operator: str
    target: str
    aim: str
    kind: str
    hit: bool
    by: tuple[str, ...]
    seconds: float
    note: str = ""

    @property
    def line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def chosen(found: Iterable[Mutant], each: int, seed: int) -> list[Mutant]:
    """At most `each` of every operator, the same ones for the same seed."""
    by: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in found:
        by[mutant.operator].append(mutant)
    dice = random.Random(seed)
    return [one for them in by.values() for one in (them if len(them) <= each else dice.sample(them, each))]


def judged(
    name: str,
    source: Path,
    database: Database,
    *,
    each: int,
    seed: int,
    only: str,
    known: Collection[tuple[str, str, str]],
) -> Iterator[Judged]:
    """Every chosen mutant of one schema, but those that are `known`."""
    with of_source(str(source)) as subject:
        with connect(subject.start) as session:
            todo = [
                one
                for one in chosen(mutants(read(session)), each, seed)
                if any(word in one.name for word in only.split(","))
                and (name, one.operator, one.target) not in known
            ]
        if not todo:
            return
        original = audited(subject, database)
        assert not original.leaks, [
            f"{leak.command} {leak.object} {leak.identity}" for leak in original.leaks
        ]
        column = database.tenant_column or ""
        with world.build(subject.shadow, subject.start, tenant_column=column) as made:
            base = facts(made, made.both, made.alone)
            for mutant in todo:
                yield _one(name, subject, database, original, made, base, mutant)


def _one(
    name: str,
    subject: Subject,
    database: Database,
    original: Audit,
    made: World,
    base: frozenset[Fact],
    mutant: Mutant,
) -> Judged:
    def answer(kind: str, hit: bool, by: Iterable[str] = (), note: str = "", seconds: float = 0.0) -> Judged:
        return Judged(
            name,
            mutant.operator,
            mutant.target,
            mutant.aim,
            kind,
            hit,
            tuple(sorted(by))[:5],
            round(seconds, 2),
            note,
        )

    start = subject.shadow.create(template=subject.start)
    try:
        refused = _applied(start, mutant)
        if refused:
            return answer("equivalent", False, note=f"PostgreSQL refuses it: {refused}")
        found = audited(replace(subject, start=start), database)
        known = {finding.key for finding in original.findings}
        new = [finding for finding in found.findings if finding.key not in known]
        leaks = [leak for leak in found.leaks if leak.script]
        shown = next((leak for leak in leaks if runs(subject, start, leak.script)), None)
        if shown is not None:
            by = (f"{shown.command} {shown.object} as {shown.identity}",)
            return answer("behavioural", True, by, seconds=found.seconds)
        silent = f"{len(leaks)} scripts show nothing" if leaks else ""
        both, alone = subject.shadow.create(template=made.both), subject.shadow.create(template=made.alone)
        try:
            _applied(both, mutant)
            _applied(alone, mutant)
            now = facts(made, both, alone)
        finally:
            subject.shadow.drop(both)
            subject.shadow.drop(alone)
        more = now - base
        if more and mutant.aim == "oracle" and {fact[0] for fact in more} == {"call"}:
            told = [f.key for f in new if f.rule == ORACLE]
            return answer("hygiene", bool(told), told, silent, found.seconds)
        if more:
            first = " ".join(str(word) for word in min(more))[:200]
            return answer(
                "behavioural", False, (f.key for f in new), f"{silent} reached: {first}", found.seconds
            )
        if new or mutant.aim == "hygiene":
            return answer("hygiene", bool(new), (f.key for f in new), silent, found.seconds)
        note = "the matrix is the same" if now == base else "less is reached than before"
        return answer("equivalent", False, note=note, seconds=found.seconds)
    finally:
        subject.shadow.drop(start)


def _applied(database: Url, mutant: Mutant) -> str:
    """Changes the schema; why not, where PostgreSQL refuses."""
    with connect(database) as session:
        try:
            session.execute(mutant.sql.encode())
        except psycopg.Error as error:
            return str(error).splitlines()[0]
    return ""


def runs(subject: Subject, start: Url, script: str) -> bool:
    """Whether psql, given the script, shows the leak on a copy of the schema."""
    assert subject.shadow.programs is not None
    with subject.shadow.copy(start) as copy:
        done = subprocess.run(
            [str(subject.shadow.programs.program("psql")), "-X", "-q", "-d", copy.reveal(), "-f", "-"],
            input=script, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return "LEAK" in done.stdout or "STARVED" in done.stdout


def summed(found: list[Judged]) -> str:
    """The score, with every miss and what was left out."""
    kinds = Counter(one.kind for one in found)
    hits = Counter(one.kind for one in found if one.hit)
    lines = [
        f"{len(found)} mutants of {len({one.operator for one in found})} operators in {len({one.schema for one in found})} schemas"
    ]
    for kind in ("behavioural", "hygiene"):
        share = hits[kind] / kinds[kind] if kinds[kind] else 1.0
        lines.append(f"{kind}: {hits[kind]} of {kinds[kind]} ({share:.1%})")
    lines.append(
        f"equivalent, left out: {kinds['equivalent']} ({kinds['equivalent'] / max(len(found), 1):.1%})"
    )
    for one in found:
        if not one.hit:
            lines.append(
                f"  {one.kind:<11} {one.schema} {one.operator} {one.target}: {one.note} {' · '.join(one.by)}"
            )
    return "\n".join(lines)
