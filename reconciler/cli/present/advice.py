"""Explanations and the doctor's findings, as lines for people and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.text import Text

from reconciler.audit.rules import Rule
from reconciler.audit.rules.examples import Example
from reconciler.engine.checks import Check
from reconciler.engine.consent import rule_of
from reconciler.engine.explain import Explanation

_SIGNS = {"good": ("✓", "green"), "note": ("·", "yellow"), "missing": ("✗", "bold red")}


def explanation(found: Explanation) -> dict[str, Any]:
    return {
        "code": str(found.code),
        "means": found.means,
        "matters": found.matters,
        "safely": found.safely,
        "example": found.example,
        "consent": rule_of(found.code),
    }


def explanation_lines(found: Explanation) -> Iterator[Text]:
    """The four answers, at a width that reads well."""
    yield Text(str(found.code), style="bold")
    for title, words in (
        ("What it means", found.means), ("Why it matters", found.matters), ("How to do it safely", found.safely),
        ("Consent", rule_of(found.code)),
    ):  # fmt: skip
        yield Text(f"\n{title}", style="cyan")
        yield Text(textwrap.fill(words, 96, initial_indent="  ", subsequent_indent="  "))
    yield Text("\nExample", style="cyan")
    yield Text(f"  {found.example};")


def rule(found: Rule, example: Example | None = None) -> dict[str, Any]:
    said: dict[str, Any] = {
        "code": found.id,
        "title": found.title,
        "severity": found.severity,
        "condition": found.condition,
        "consequence": found.consequence,
        "remedy": found.remedy,
        "references": list(found.references),
    }
    return said | ({"bad": example.bad, "good": example.good} if example is not None else {})


def rule_lines(found: Rule, example: Example | None) -> Iterator[Text]:
    """The same answers, and the example as it stands in its two files."""
    yield Text(found.id, style="bold").append(f"  {found.title}").append(f"  ({found.severity})", style="dim")
    answers = [
        ("When it speaks", found.condition), ("Why it matters", found.consequence), ("What to do", found.remedy),
    ]  # fmt: skip
    for title, words in answers:
        yield Text(f"\n{title}", style="cyan")
        yield Text(textwrap.fill(words, 96, initial_indent="  ", subsequent_indent="  "))
    if found.references:
        yield Text("\nElsewhere", style="cyan")
        yield Text(f"  {', '.join(found.references)}")
    for title, sql in (("Bad", example.bad), ("Good", example.good)) if example is not None else ():
        yield Text(f"\n{title}", style="cyan")
        yield Text(textwrap.indent(sql, "  "))


def codes_lines(found: Iterable[Explanation], rules: Iterable[Rule]) -> Iterator[Text]:
    for one in found:
        first = one.means.split(". ")[0].rstrip(".")
        yield Text(f"{one.code:<18}", style="bold").append(f"  {textwrap.shorten(first, 90)}", style="dim")
    for known in rules:
        yield Text(f"{known.id:<18}", style="bold").append(f"  {known.title}", style="dim")


def check(found: Check) -> dict[str, Any]:
    return {
        "name": found.name,
        "state": found.state,
        "sentence": found.sentence,
        "hint": found.hint,
        "statements": list(found.statements),
    }


def check_lines(name: str, checks: Sequence[Check]) -> Iterator[Text]:
    yield Text(name, style="bold")
    for one in checks:
        sign, style = _SIGNS[one.state]
        yield Text(f"  {sign} ", style=style).append(f"{one.name:<15}").append(one.sentence)
        if one.hint and one.state != "good":
            yield Text(f"      → {one.hint}", style="dim")
        for statement in one.statements:
            yield Text(f"        {statement};")


def fix_lines(name: str, checks: Sequence[Check]) -> Iterator[Text]:
    """An SQL script of what is missing, for an administrator to read and run."""
    yield Text(f"-- {name}")
    helpful = [one for one in checks if one.state != "good"]
    if not helpful:
        yield Text("-- nothing is missing")
    for one in helpful:
        yield Text(f"-- {one.name}: {one.sentence}")
        if one.hint:
            yield Text(f"--   {one.hint}")
        for statement in one.statements:
            yield Text(f"{statement};")
