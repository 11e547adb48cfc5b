"""An audit as SARIF 2.1.0, for code hosts: each finding at the file and line of its declaration, where that is known. Pure.

The shapes are those of the OASIS standard; what GitHub asks for beyond it (fingerprints that stay, a rule's level) is there too.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from reconciler.audit.report.values import Audit, Exempted
from reconciler.audit.rules import Rule
from reconciler.model import Finding, Severity

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
_SCORES: dict[Severity, str] = {"error": "9.0", "warning": "5.0", "info": "2.0"}
"""How code hosts rank what concerns security, 0 to 10."""


def sarif(audit: Audit, root: PurePath | None = None) -> dict[str, Any]:
    """The whole log: one run. Exempted findings stand in it, suppressed. Files below `root` are named from there, as code hosts know them."""
    found = [(finding, None) for finding in audit.worst_first] + [
        (one.finding, one) for one in sorted(audit.exempted)
    ]
    ids = sorted({finding.rule for finding, _ in found} | set(audit.rules))
    severities = {finding.rule: finding.severity for finding, _ in reversed(found)}
    rules = [
        _rule(audit.rules.get(id) or Rule(id, f"rule {id}", severities[id], f"rule {id}", "", ""))
        for id in ids
    ]
    notes = [audit.partial] if audit.partial else []
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "reconciler",
                        "version": audit.versions.get("reconciler", "0"),
                        "rules": rules,
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {"level": "warning", "message": {"text": text}}
                            for text in (*notes, *audit.untried)
                        ],
                    }
                ],
                "columnKind": "unicodeCodePoints",
                "results": [_result(audit, finding, ids, exempted, root) for finding, exempted in found],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    text = "\n\n".join(part for part in (rule.condition, rule.consequence, rule.remedy) if part)
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.condition},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": ["security", *rule.references],
            "security-severity": _SCORES[rule.severity],
        },
    }


def _result(
    audit: Audit, finding: Finding, ids: list[str], exempted: Exempted | None, root: PurePath | None
) -> dict[str, Any]:
    parts = (finding.says, finding.evidence, f"Remedy: {finding.remedy}" if finding.remedy else "")
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": str(finding.subject), "kind": finding.subject.kind}]
    }
    place = audit.place(finding.subject)
    if place is not None:
        file = PurePath(place.file)
        if root is not None and file.is_relative_to(root):
            file = file.relative_to(root)
        location["physicalLocation"] = {
            "artifactLocation": {"uri": file.as_posix()},
            "region": {"startLine": max(place.line, 1)},
        }
    return {
        "ruleId": finding.rule,
        "ruleIndex": ids.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join(part for part in parts if part)},
        "locations": [location],
        "partialFingerprints": {"finding/v1": finding.key},
        **(
            {
                "suppressions": [
                    {"kind": "external", "justification": f"{exempted.reason} (until {exempted.expires})"}
                ]
            }
            if exempted
            else {}
        ),
    }
