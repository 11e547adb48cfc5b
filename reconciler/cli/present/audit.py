"""An audit as lines for people: what was shown first, then what is known of the rest, then what is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from reconciler.audit.report import VERDICTS, Audit
from reconciler.audit.report.values import grouped
from reconciler.cli.present.plan import words
from reconciler.model import Finding, Severity

_SIGNS: dict[Severity, tuple[str, str]] = {
    "error": ("✗", "bold red"),
    "warning": ("!", "yellow"),
    "info": ("·", "dim"),
}
_MANY, _FEW = 8, 3
"""How many warnings of one rule are shown, and of how many informations the objects are named."""


def audit_lines(audit: Audit) -> Iterator[Text]:
    """Short: every error whole, other findings by rule, what is undecided by reason."""
    yield Text(audit.source, style="bold").append(
        f"  PostgreSQL {audit.major}, {len(audit.tenancy.tables)} tables, {len(audit.identities)} identities, {audit.seconds:.1f} s",
        style="dim",
    )
    yield from _sums(audit)
    if audit.partial:
        yield Text(f"Partial: {audit.partial}", style="bold yellow")
    for finding in audit.worst_first:
        if finding.severity == "error":
            yield Text()
            yield from _whole(audit, finding)
    yield from _warnings(audit)
    yield from _informations(audit)
    if audit.undecided:
        yield Text("\nUndecided", style="yellow")
        for (_, reason), cells in grouped(audit.undecided).items():
            first, more = cells[0], f" and {len(cells) - 1} more" if len(cells) > 1 else ""
            yield Text(f"  {reason}: {first.command} {first.object} as {first.identity}{more}")
    if audit.unseeded or audit.untried:
        yield Text("\nNot tried", style="yellow")
        for id, why in sorted(audit.unseeded.items()):
            yield Text(f"  {id} has no rows: {why}")
        for sentence in audit.untried:
            yield Text(f"  {sentence}")


def _sums(audit: Audit) -> Iterator[Text]:
    found = audit.by_severity
    style = "bold red" if found["error"] else "yellow" if found["warning"] else "green"
    yield Text(audit.counted, style=style)
    if audit.cells:
        counts = ", ".join(f"{audit.by_verdict[one]} {one}" for one in VERDICTS if audit.by_verdict[one])
        yield Text(f"{len(audit.cells)} cells attacked: {counts}; {audit.decided:.1%} decided")
    elif not audit.attacked:
        yield Text("Rules only: nothing was attacked.", style="dim")


def _whole(audit: Audit, finding: Finding) -> Iterator[Text]:
    sign, colour = _SIGNS[finding.severity]
    detail = f" ({finding.detail})" if finding.detail else ""
    line = Text(f"{sign} {finding.rule} ", style=colour)
    yield line.append(f"{words(finding.subject.kind)} {finding.subject}{detail}", style="bold")
    yield Text(f"    {finding.says}")
    for text in finding.evidence.strip().splitlines()[:6]:
        yield Text(f"      {text}", style="cyan")
    yield from _remedy(finding)
    place = audit.place(finding.subject)
    if place is not None:
        yield Text(f"    {place}", style="dim")


def _warnings(audit: Audit) -> Iterator[Text]:
    sign, colour = _SIGNS["warning"]
    for id, found in _by_rule(audit, "warning").items():
        yield Text(f"\n{sign} {id} ", style=colour).append(_title(audit, found), style="bold")
        for finding in found[:_MANY]:
            yield Text(f"    {words(finding.subject.kind)} {finding.subject}: {finding.says}")
        if len(found) > _MANY:
            yield Text(f"    and {len(found) - _MANY} more", style="dim")
        yield from _remedy(found[0])


def _informations(audit: Audit) -> Iterator[Text]:
    """One line a rule: the other formats have them whole."""
    sign, colour = _SIGNS["info"]
    rules = _by_rule(audit, "info")
    if rules:
        yield Text()
    for id, found in rules.items():
        named = ", ".join(dict.fromkeys(str(finding.subject) for finding in found[:_FEW]))
        more = f" and {len(found) - _FEW} more" if len(found) > _FEW else ""
        yield Text(f"{sign} {id} {_title(audit, found)}: {named}{more}", style=colour)


def _by_rule(audit: Audit, severity: Severity) -> dict[str, list[Finding]]:
    rules: dict[str, list[Finding]] = {}
    for finding in audit.worst_first:
        if finding.severity == severity:
            rules.setdefault(finding.rule, []).append(finding)
    return rules


def _title(audit: Audit, found: list[Finding]) -> str:
    rule = audit.rules.get(found[0].rule)
    return rule.title if rule else f"{len(found)} findings"


def _remedy(finding: Finding) -> Iterator[Text]:
    lines: Sequence[str] = finding.remedy.strip().splitlines()
    for number, text in enumerate(lines[:4]):
        yield Text(f"    {'→' if number == 0 else ' '} {text}", style="green")
