"""Lengths of time as people and PostgreSQL both write them: 250ms, 30s, 20min, 2h, 14d."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_FORM = re.compile(r"(\d+)\s*(us|ms|s|min|h|d)")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """`seconds` for Python; `str()` is the text, in units that PostgreSQL's settings understand as well."""

    seconds: float
    text: str

    @classmethod
    def parse(cls, text: str) -> Duration:
        """A whole number and a unit (us, ms, s, min, h, d). `ValueError` otherwise."""
        found = _FORM.fullmatch(text.strip())
        if not found:
            raise ValueError(
                "is not a duration: write a whole number and a unit, like 250ms, 30s, 20min, 2h, 14d"
            )
        number, unit = found.groups()
        return cls(int(number) * _UNITS[unit], f"{int(number)}{unit}")

    def __str__(self) -> str:
        return self.text
