"""A plan, its rehearsal and its parts as JSON, in the shapes the contract promises. More fields may come; none goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.migrate import state_of
from reconciler.model import (
    Applied,
    Band,
    Change,
    Finding,
    Measured,
    ObjectId,
    Plan,
    Rehearsal,
    Statement,
    Suggestion,
    together,
)

if TYPE_CHECKING:
    from reconciler.engine.preflight import Answers

STAGES = ("up", "up_again", "down", "down_again", "reup")


def plan_document(plan: Plan, rehearsal: Rehearsal | None) -> dict[str, Any]:
    """The document of `diff` and `plan`, without its format number. `proof` is null when nothing was rehearsed."""
    found = rehearsal or Rehearsal()
    return {
        "in_sync": in_sync(plan),
        "form": plan.form,
        "changes": changes(plan.changes),
        "up": statements(plan.up, found.measured_up),
        "down": statements(plan.down, found.measured_down),
        "seconds_on_live": {
            "up": _band(together(found.measured_up)),
            "down": _band(together(found.measured_down)),
        },
        "proof": None if rehearsal is None else proof(rehearsal),
        "share": share(plan),
        "hazards": [{"code": str(h.code), "consequence": h.consequence} for h in plan.hazards],
        "suggestions": [suggestion(one) for one in plan.suggestions],
        "notes": list(plan.notes),
        "unmodelled": list(plan.unmodelled),
    }


def finding(found: Finding) -> dict[str, str]:
    """What an audit says of one object."""
    return {
        "key": found.key, "rule": found.rule, "severity": found.severity, "kind": found.subject.kind, "id": str(found.subject),
        "says": found.says, "evidence": found.evidence, "remedy": found.remedy,
    }  # fmt: skip


def in_sync(plan: Plan) -> bool:
    """Nothing to do, and nothing that could not be compared."""
    return not plan.changes and not plan.up and not plan.unmodelled


def changes(found: Iterable[Change]) -> list[dict[str, Any]]:
    return [
        {
            "verb": c.verb,
            "kind": c.id.kind,
            "id": str(c.id),
            "attributes": list(c.attributes),
            "was": str(c.was) if c.was else None,
        }
        for c in found
    ]


def suggestion(found: Suggestion) -> dict[str, str]:
    """What looks like a rename, and what to write to make it one."""
    return {
        "kind": found.new.kind, "old": str(found.old), "new": str(found.new), "hint": found.hint, "place": found.place,
        "says": str(found),
    }  # fmt: skip


def answers(found: Answers) -> dict[str, Any]:
    """What the live rows say: how many questions, which rows are in the way, what is not decided."""
    return {
        "asked": found.asked,
        "found": [
            {
                "object": str(one.doubt.subject), "kind": one.doubt.subject.kind, "table": str(one.doubt.table), "rows": one.count,
                "at_least": one.at_least, "loses": one.loses, "certain": one.doubt.sure, "says": one.sentence, "hint": one.doubt.hint,
            }
            for one in found.found
        ],
        "undecided": [{"object": str(one.subject), "kind": one.subject.kind, "why": one.why} for one in found.undecided],
        "seconds": round(found.seconds, 3),
    }  # fmt: skip


def applied(row: Applied) -> dict[str, Any]:
    """A row of the history without its scripts; `show` has those."""
    return {
        "version": row.version,
        "slug": row.slug,
        "direction": row.direction,
        "state": state_of(row),
        "applied_by": row.applied_by,
        "started_at": row.started_at,
        "finished_at": row.finished_at or None,
        "seconds": round(row.seconds, 3),
        "steps_done": row.steps_done,
        "steps": row.steps,
        "checksum": row.checksum,
        "before": row.before,
        "after": row.after,
        "tool": row.tool,
        "consents": [
            {"code": one.code, "how": one.how, "who": one.who, "at": one.at or None} for one in row.consents
        ],
    }


def identities(found: Iterable[ObjectId]) -> list[dict[str, str]]:
    return [{"kind": id.kind, "id": str(id)} for id in found]


def statements(found: Sequence[Statement], measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Each statement with what its rehearsal measured; nothing was measured where the rehearsal did not come that far."""
    return [
        _statement(statement, measured[n] if n < len(measured) else None) for n, statement in enumerate(found)
    ]


def _statement(statement: Statement, measured: Measured | None) -> dict[str, Any]:
    seen = measured or Measured()
    return {
        "sql": statement.sql,
        "reason": statement.reason,
        "source": statement.source,
        "transactional": statement.transactional,
        "apart": statement.apart,
        "hazards": [str(hazard.code) for hazard in statement.hazards],
        "consequences": [hazard.consequence for hazard in statement.hazards],
        "locks": [
            {"relation": lock.relation, "mode": lock.mode, "blocks": list(lock.blocks)} for lock in seen.locks
        ],
        "rewrites": list(seen.rewrites),
        "scans": list(seen.scans),
        "seconds": round(seen.seconds, 6) if measured else None,
        "seconds_on_live": _band(seen.on_live),
        "subject": {"kind": statement.subject.kind, "id": str(statement.subject)}
        if statement.subject
        else None,
    }


def _band(found: Band | None) -> dict[str, float] | None:
    """Seconds on the target's row counts; null where no scales were timed."""
    return {"low": round(found.low, 3), "high": round(found.high, 3)} if found else None


def proof(rehearsal: Rehearsal) -> dict[str, Any]:
    """What the rehearsal found. A stage that was not reached is null."""
    return {
        "passed": rehearsal.passed,
        "scope": rehearsal.scope,
        **{stage: getattr(rehearsal, stage) for stage in STAGES},
        "rows_kept": rehearsal.rows_kept,
        "residue": list(rehearsal.residue),
        "seeded": list(rehearsal.seeded),
        "unseeded": list(rehearsal.unseeded),
        "unweighed": list(rehearsal.unweighed),
        "seconds": round(rehearsal.seconds, 3),
    }


def share(plan: Plan) -> dict[str, Any]:
    """Who wrote how many of the UP statements, and why migra's draft was set aside where it was."""
    return {
        "migra": sum(statement.source == "migra" for statement in plan.up),
        "catalog": sum(statement.source == "catalog" for statement in plan.up),
        "set_aside": plan.set_aside,
    }
