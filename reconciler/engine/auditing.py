"""The audit of a schema, start to end: whose the rows are, what the rules say, what attacks show.

Knows a subject in a scratch database, never the live one. Promises that what was found before an interruption is told, marked as
partial.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from reconciler import __version__
from reconciler.audit import rules
from reconciler.audit.report import Audit, Exempted
from reconciler.engine.subject import Subject
from reconciler.engine.work import Told
from reconciler.model import Cell, Finding
from reconciler.pg import connect
from reconciler.settings import Database


@dataclass(slots=True)
class _Found:
    """What is known so far."""

    findings: list[Finding] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    exempted: list[Exempted] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    partial: str = ""
    stage: str = ""


def audited(
    subject: Subject,
    database: Database,
    *,
    attacks: bool = True,
    told: Told = lambda stage: None,
) -> Audit:
    """Everything that is to be said about `subject`; `database` has the configuration that goes with it. Without `attacks` the rules alone
    speak. An interruption (Ctrl-C) ends the attacks, and what was found until then is returned."""
    began = time.monotonic()
    found = _Found()

    def tell(stage: str) -> None:
        found.stage = stage
        told(stage)

    with _until_interrupted(found), connect(subject.start) as session:
        tell("ask the rules")
        found.findings += rules.check(session, None, platform=subject.platform, schemas=subject.scope)
    return Audit(
        source=subject.name, major=subject.shadow.major, cells=tuple(found.cells), findings=tuple(found.findings),
        exempted=tuple(found.exempted), untried=tuple(found.untried), attacked=False, partial=found.partial, places=subject.places,
        rules=rules.RULES, versions={"reconciler": __version__}, seconds=time.monotonic() - began,
    )  # fmt: skip


@contextmanager
def _until_interrupted(found: _Found) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        found.partial = f"interrupted ({found.stage}): what is not here was not looked at"
