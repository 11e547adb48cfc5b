"""The reference of all rules as one Markdown file, `reconciler/audit/RULES.md`. Written anew by

    python -m reconciler.audit.rules.reference

and kept current by a test. Nothing is said there that `reconciler explain RULE` does not say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from reconciler.audit.rule import Rule
from reconciler.audit.rules import RULES
from reconciler.audit.rules.examples import example

FILE: Final = Path(__file__).parents[1] / "RULES.md"
FAMILIES: Final[Mapping[str, str]] = {
    "ATK": "Attacks: what somebody of one tenant did to another's rows",
    "EXM": "Exemptions",
    "FUN": "Functions",
    "GRANT": "Privileges and roles",
    "POL": "Policies",
    "PRF": "What policies cost",
    "RLS": "Tables",
    "SRV": "The service role",
    "STO": "Keys, and what shows rows beside tables and views",
    "TRG": "Triggers",
    "VIEW": "Views",
}


def family(rule: str) -> str:
    """`POL` of `POL001`."""
    return rule.rstrip("0123456789")


def markdown(rules: Mapping[str, Rule]) -> str:
    """The whole file."""
    return "\n".join(_lines(rules)) + "\n"


def _lines(rules: Mapping[str, Rule]) -> Iterator[str]:
    yield "# The rules of the audit"
    yield ""
    yield "Written by `python -m reconciler.audit.rules.reference`; change the rules, not this file. `reconciler explain RULE` prints the"
    yield "same. An *error* was shown by an attack that ran, with the statements that make it happen again. A *warning* is an oracle,"
    yield "or something that a rule read in the catalog; an *info* is worth knowing. A severity here is the most that a finding can have."
    ordered = sorted(rules.values(), key=lambda rule: rule.id)
    for name, members in groupby(ordered, key=lambda rule: family(rule.id)):
        listed = list(members)
        yield ""
        yield f"## {FAMILIES[name]}"
        yield ""
        yield "| rule | severity | |"
        yield "|---|---|---|"
        for rule in listed:
            yield f"| [{rule.id}](#{rule.id.lower()}) | {rule.severity} | {_capital(rule.title)} |"
        for rule in listed:
            yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield ""
    yield f"### {rule.id}"
    yield ""
    yield f"**{_capital(rule.title)}** ({rule.severity}). {rule.condition}"
    yield ""
    yield f"*Why it matters.* {rule.consequence}"
    yield ""
    yield f"*What to do.* {rule.remedy}"
    if rule.references:
        yield ""
        yield f"*Elsewhere.* {', '.join(rule.references)}"
    shown = example(rule.id)
    if shown is not None:
        for title, sql in (("Bad", shown.bad), ("Good", shown.good)):
            yield ""
            yield f"{title}:"
            yield ""
            yield f"```sql\n{sql}\n```"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    FILE.write_text(markdown(RULES), encoding="utf-8")
