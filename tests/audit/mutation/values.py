"""The words of the mutation score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Aim = Literal["behaviour", "hygiene", "oracle"]
"""What an operator is meant to damage: who reaches whose rows, only how well that is guarded, or who learns that a row is there without seeing anything of it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a schema: `sql` makes it, `target` says where."""

    operator: str
    target: str
    sql: str
    aim: Aim

    @property
    def name(self) -> str:
        return f"{self.operator} {self.target}"
