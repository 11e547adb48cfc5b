"""The example of each rule: a few lines of SQL that have what it warns of, and the same lines mended.

They are the rule's test cases (`tests/audit/cases/<RULE>/`), brought along by the package. Reads files; runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import Stalled

_HERE: Final = Path(__file__).parent
_PLACES: Final = (_HERE / "examples", _HERE.parents[2] / "tests" / "audit" / "cases")
"""In an installed package, and in the repository."""


@dataclass(frozen=True, slots=True)
class Example:
    """`bad` has what the rule warns of, `good` has not. `also` are other rules that have something to say about `bad`."""

    bad: str
    good: str
    also: tuple[str, ...] = ()


def folder() -> Path:
    """Where the examples are: one folder for each rule."""
    for place in _PLACES:
        if place.is_dir():
            return place
    raise Stalled("the examples are missing from this installation", hint="install reconciler again")


def example(rule: str) -> Example | None:
    """That of a rule; None when it has none."""
    place = folder() / rule
    if not (place / "bad.sql").is_file() or not (place / "good.sql").is_file():
        return None
    bad, also = _headed((place / "bad.sql").read_text(encoding="utf-8"))
    return Example(bad, (place / "good.sql").read_text(encoding="utf-8").strip(), also)


def _headed(text: str) -> tuple[str, tuple[str, ...]]:
    """The SQL without its first line when that says `-- also: RULE, …`, and the rules named there."""
    first, _, rest = text.partition("\n")
    if not first.startswith("-- also:"):
        return text.strip(), ()
    return rest.strip(), tuple(first.removeprefix("-- also:").replace(",", " ").split())
