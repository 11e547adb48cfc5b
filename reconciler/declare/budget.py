"""What a trigger may cost, as its author says: `single 10%, bulk 50%`, in SQL and YAML alike."""

from __future__ import annotations

import re

from reconciler.declare.values import Budget
from reconciler.errors import Source, Usage

_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_SIZES = ("single", "bulk")
HINT = "single is for one row, bulk for 10,000 by one statement: budget single 10%, bulk 50%"


def budget(said: dict[str, str], source: Source) -> Budget:
    """From size → text; Usage for a size that is none, or a share that is not written in per cent."""
    shares: dict[str, float] = {}
    for size, text in said.items():
        found = _SHARE.fullmatch(str(text).strip())
        if size not in _SIZES or found is None:
            raise Usage(f"{size} {text} is no budget of a trigger", hint=HINT, sources=(source,))
        shares[size] = float(found[1]) / 100
    return Budget(shares.get("single"), shares.get("bulk"))


def of_words(text: str, source: Source) -> Budget:
    """From one line."""
    said: dict[str, str] = {}
    for part in text.split(","):
        size, _, share = part.strip().partition(" ")
        said[size] = share
    return budget(said, source)
