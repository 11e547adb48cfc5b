"""Explanations and the doctor's findings, as lines for people and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.text import Text

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


def codes_lines(found: Iterable[Explanation]) -> Iterator[Text]:
    for one in found:
        first = one.means.split(". ")[0].rstrip(".")
        yield Text(f"{one.code:<18}", style="bold").append(f"  {textwrap.shorten(first, 90)}", style="dim")


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
