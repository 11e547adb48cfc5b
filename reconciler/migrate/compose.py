"""A rehearsed plan becomes a migration: a version, a slug, statements in form, and a header that tells its
evidence.

Knows nothing of files or databases. Time and versions of programs are passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.declare.lexer import Text
from reconciler.migrate.items import items
from reconciler.migrate.naming import next_version, slug_of
from reconciler.migrate.weights import effects, timing
from reconciler.model import Hazard, HazardCode, Measured, Migration, Plan, Rehearsal, Statement, together
from reconciler.run.steps import normalised

_NO_DOWN = "the plan has no statement that would undo it"


def compose(
    plan: Plan,
    rehearsal: Rehearsal | None,
    *,
    now: datetime,
    existing: Iterable[str] = (),
    versions: Mapping[str, str] | None = None,
    slug: str = "",
    timeouts: Mapping[str, str] | None = None,
) -> Migration:
    """The migration for `plan`, with the next version after `existing`.

    `versions` names the programs involved, such as {"reconciler": "1.0", "postgresql": "16.4"}; `timeouts`
    holds `lock_timeout` and `statement_timeout` for the file where they are not the usual ones.
    """
    up, down = in_form(plan.up), in_form(plan.down)
    if up and not down and not any(one.code == HazardCode.IRREVERSIBLE for one in plan.hazards):
        last = up[-1]
        up = (*up[:-1], replace(last, hazards=(*last.hazards, Hazard(HazardCode.IRREVERSIBLE, _NO_DOWN))))
    return Migration(
        next_version(now, existing),
        slug or slug_of(plan.changes),
        up,
        down,
        plan.before,
        plan.after,
        (*(timeouts or {}).items(), *_header(plan, rehearsal, versions or {})),
    )


def in_form(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """One SQL statement each, without white space around it or a semicolon at its end; empty ones are left
    out.
    """
    formed: list[Statement] = []
    for statement in statements:
        parts = [item for item in items(Text(statement.sql, "statement")) if item.kind == "statement"]
        if len(parts) == 1 and statement.sql.strip().endswith(parts[0].text):
            formed.append(replace(statement, sql=statement.sql.strip()))
        else:
            formed += [
                replace(statement, sql=part.text, apart=statement.apart and part is parts[0])
                for part in parts
            ]
    return normalised(formed)


def _header(
    plan: Plan, rehearsal: Rehearsal | None, versions: Mapping[str, str]
) -> Iterable[tuple[str, str]]:
    yield from versions.items()
    yield "form", plan.form
    if plan.set_aside:
        yield "draft set aside", plan.set_aside
    for suggestion in plan.suggestions:
        yield "looks renamed", str(suggestion)
    if plan.hazards:
        yield "hazards", ", ".join(dict.fromkeys(hazard.code for hazard in plan.hazards))
    if rehearsal is None:
        yield "rehearsed", "no"
        return
    stages = ("up", "up_again", "down", "down_again", "reup")
    done = [stage.replace("_", " ") for stage in stages if getattr(rehearsal, stage)]
    rows = {True: "rows kept", False: "rows lost, as announced", None: "no rows to watch"}[
        rehearsal.rows_kept
    ]
    yield "rehearsed", f"{', '.join(done)}; {rows}; scope {rehearsal.scope}; {rehearsal.seconds:.2f} s"
    for sentence in rehearsal.unweighed:
        yield "times", sentence
    yield from _measured("up", rehearsal.measured_up)
    yield from _measured("down", rehearsal.measured_down)


def _measured(direction: str, found: Sequence[Measured]) -> Iterable[tuple[str, str]]:
    """One line per statement that locked, rewrote or scanned anything, numbered as in the section."""
    for number, one in enumerate(found, start=1):
        parts = effects(one)
        if parts or one.on_live is not None:
            yield f"{direction} {number}", "; ".join([timing(one.seconds, one.on_live), *parts])
    if found:
        yield f"{direction} total", timing(sum(one.seconds for one in found), together(found))
