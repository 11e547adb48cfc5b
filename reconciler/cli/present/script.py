"""One direction of a plan as a script that psql runs as it is."""

from __future__ import annotations

from typing import Literal

from reconciler.migrate import in_form, render_section
from reconciler.model import Migration, Plan


def script_of(plan: Plan, direction: Literal["up", "down"]) -> str:
    """The statements in explicit transactions, those that stand alone outside; psql stops at the first error."""
    migration = Migration("00000000000000", "difference", in_form(plan.up), in_form(plan.down))
    _title, *rest = render_section(migration, direction).split("\n")
    words = "BEFORE to AFTER" if direction == "up" else "AFTER back to BEFORE"
    return "\n".join([f"-- {direction.upper()}: from {words}", *rest])
