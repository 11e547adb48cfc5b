"""The migration that an audit proposes: the remedies that are SQL already, worst finding first; notes propose nothing. Never applied by itself.

A remedy counts as mechanical when it is a statement from its first word on and holds no blank to fill in. Everything else
stays advice, and is not in the script.
"""

from __future__ import annotations

import re

from reconciler.audit.report.values import Audit
from reconciler.model import Finding

_SQL = re.compile(r"(?:alter|create|drop|revoke|grant|comment|set)\s")
_BLANK = re.compile(r"<[a-z][\w ,.-]*>|…|\.\.\.")


def mechanical(finding: Finding) -> str:
    """The statements of a remedy, each closed; empty when a person must write them."""
    text = finding.remedy.strip()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    code = "\n".join(lines).strip()
    if not _SQL.match(code) or _BLANK.search(code):
        return ""
    return text if code.endswith(";") else text.replace(code, f"{code};")


def remedy(audit: Audit) -> str:
    """One script in one transaction; empty when no remedy is mechanical. What several findings propose stands there once."""
    found: dict[str, list[Finding]] = {}
    for finding in audit.at_least("warning"):
        sql = mechanical(finding)
        if sql:
            found.setdefault(sql, []).append(finding)
    if not found:
        return ""
    lines = [
        f"-- What the audit of {_line(audit.source)} proposes. Read it, change it, take it into the declarations:",
        "-- reconciler applies nothing of this by itself.",
        "begin;",
    ]
    for sql, findings in found.items():
        lines.append("")
        lines += [f"-- {one.rule}: {_line(one.says)}" for one in findings]
        lines.append(sql)
    return "\n".join([*lines, "", "commit;", ""])


def _line(text: str) -> str:
    return " ".join(text.split())
