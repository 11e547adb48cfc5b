"""Findings that somebody accepted: by key, with a reason and a last day.

Promises that nothing is accepted for ever or by mistake: an exemption that has expired accepts nothing and is a finding, and so is one that
matches nothing any more. Reads no clock: today is passed in.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.audit.rule import Rule
from reconciler.model import Finding, ObjectId


@dataclass(frozen=True, slots=True, order=True)
class Exemption:
    """`key` is that of a finding; with a `*` at its end, of every finding whose key begins so. `expires` is the last day."""

    key: str
    reason: str
    expires: datetime.date

    def matches(self, finding: Finding) -> bool:
        if self.key.endswith("*"):
            return finding.key.startswith(self.key[:-1])
        return finding.key == self.key


EXPIRED = Rule(
    id="EXM001",
    title="An exemption has expired",
    severity="warning",
    condition="The last day of an exemption in the configuration is over and it still matches a finding.",
    consequence="The finding counts again. Whoever accepted it wanted it to be looked at by now.",
    remedy="Mend what the finding names, or look at the reason again and give the exemption another day.",
)
UNUSED = Rule(
    id="EXM002",
    title="An exemption matches nothing",
    severity="info",
    condition="No finding has the key of an exemption in the configuration, or begins with it where it ends with a star.",
    consequence="What it accepted is mended or has another name. Left there, it would accept the same thing again, unseen.",
    remedy="Take it out of the configuration, or correct its key: the report shows the keys of all findings.",
)
RULES = (EXPIRED, UNUSED)


def exempted(
    findings: Iterable[Finding], exemptions: Iterable[Exemption], today: datetime.date
) -> tuple[tuple[Finding, ...], tuple[tuple[Finding, Exemption], ...], tuple[Finding, ...]]:
    """The findings that count; those that are accepted, each with the exemption that does it; and what is to be said of the
    exemptions themselves."""
    every = tuple(findings)
    asked = tuple(exemptions)
    kept = []
    accepted = []
    for finding in every:
        by = next((one for one in asked if one.expires >= today and one.matches(finding)), None)
        if by is None:
            kept.append(finding)
        else:
            accepted.append((finding, by))
    own = tuple(said for one in sorted(asked) if (said := _said(one, every, today)) is not None)
    return tuple(kept), tuple(accepted), own


def _said(exemption: Exemption, findings: tuple[Finding, ...], today: datetime.date) -> Finding | None:
    subject = ObjectId("exemption", "", exemption.key)
    matched = sum(exemption.matches(finding) for finding in findings)
    if not matched:
        return UNUSED.finding(
            subject, f"The exemption “{exemption.key}” ({exemption.reason}) matches no finding."
        )
    if exemption.expires < today:
        words = "a finding" if matched == 1 else f"{matched} findings"
        return EXPIRED.finding(
            subject,
            f"The exemption “{exemption.key}” ({exemption.reason}) expired on {exemption.expires} and still matches {words}.",
        )
    return None
