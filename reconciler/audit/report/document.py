"""An audit as JSON: one document, in shapes that only grow. Pure."""

from __future__ import annotations

from typing import Any

from reconciler.audit.report.values import Audit
from reconciler.model import Cell, Finding, ObjectId


def document(audit: Audit) -> dict[str, Any]:
    """Everything that was found, without the number of the format. `decided` is a share of the cells, 0 to 1."""
    return {
        "source": audit.source,
        "postgresql": audit.major,
        "attacked": audit.attacked,
        "complete": not audit.partial,
        "partial": audit.partial,
        "summary": summary(audit),
        "findings": [_finding(audit, finding) for finding in audit.worst_first],
        "exempted": [
            {**_finding(audit, one.finding), "reason": one.reason, "expires": one.expires}
            for one in sorted(audit.exempted)
        ],
        "cells": [_cell(cell) for cell in sorted(audit.cells)],
        "identities": [
            {
                "name": identity.name, "role": identity.role, "settings": dict(identity.settings), "tenants": list(identity.sides),
                "bypasses": identity.bypasses,
            }
            for identity in audit.identities
        ],
        "tenancy": {
            "root": str(audit.tenancy.root) if audit.tenancy.root else None,
            "users": str(audit.tenancy.users) if audit.tenancy.users else None,
            "tables": [
                {"id": str(id), "ownership": one.ownership, "columns": list(one.columns), "owner": one.owner, "why": one.why}
                for id, one in sorted(audit.tenancy.tables.items())
            ],
        },
        "unseeded": [{**_object(id), "why": why} for id, why in sorted(audit.unseeded.items())],
        "untried": list(audit.untried),
        "versions": dict(audit.versions),
        "seconds": round(audit.seconds, 3),
    }  # fmt: skip


def summary(audit: Audit) -> dict[str, Any]:
    """The counts alone."""
    return {
        "findings": dict(audit.by_severity),
        "exempted": len(audit.exempted),
        "cells": dict(audit.by_verdict),
        "decided": round(audit.decided, 4),
    }


def _object(id: ObjectId) -> dict[str, str]:
    return {"kind": id.kind, "id": str(id)}


def _finding(audit: Audit, finding: Finding) -> dict[str, Any]:
    place = audit.place(finding.subject)
    return {
        "key": finding.key, "rule": finding.rule, "severity": finding.severity, **_object(finding.subject), "detail": finding.detail,
        "says": finding.says, "evidence": finding.evidence, "remedy": finding.remedy,
        "file": place.file if place else None, "line": place.line if place else None,
    }  # fmt: skip


def _cell(cell: Cell) -> dict[str, str]:
    return {
        **_object(cell.object), "command": cell.command, "identity": cell.identity, "verdict": cell.verdict, "reason": cell.reason,
        "attack": cell.attack, "script": cell.script,
    }  # fmt: skip
