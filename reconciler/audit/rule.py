"""What a rule is: its words, and one pure function over what was read of the catalog.

A rule whose `check` is None speaks of something that only an attack or a fired trigger shows; its words are here all the same,
so that `explain`, reports and exemptions know one list. Knows nothing of single rules; runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model import Finding, ObjectId, Severity

if TYPE_CHECKING:
    from reconciler.audit.rules.subject import Subject


Check = Callable[["Subject"], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """`condition` says when it speaks, `consequence` what that costs, `remedy` what to do instead.

    `severity` is the most that a finding of it can be. `references` name the same thing elsewhere: `splinter 0013`, `pgrls SEC001`,
    or a chapter of PostgreSQL's manual.
    """

    id: str
    title: str
    severity: Severity
    condition: str
    consequence: str
    remedy: str
    references: tuple[str, ...] = ()
    check: Check | None = None

    def finding(
        self,
        subject: ObjectId,
        says: str,
        *,
        evidence: str = "",
        remedy: str = "",
        detail: str = "",
        severity: Severity | None = None,
    ) -> Finding:
        """A finding of this rule, with the rule's severity unless it is milder here."""
        return Finding(
            self.id, severity or self.severity, subject, says, evidence, remedy or self.remedy, detail
        )
