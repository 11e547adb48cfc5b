"""What a trigger costs, with a verdict against its budget: PASS, FAIL, or INCONCLUSIVE where the noise does not let anybody say.

Knows a scratch database with made-up rows. Promises that a verdict is given only when it would be the same at either end of the
interval, widened by what the same statement differs from itself on this machine (A/A). Never judges a trigger that did not fire.
"""

from reconciler.lab.overhead.bench import Subject, measured, subjects
from reconciler.lab.overhead.values import (
    Advice,
    Budget,
    Contention,
    Cost,
    Estimate,
    Scale,
    Spread,
    Timed,
    Verdict,
)

__all__ = [
    "Advice",
    "Budget",
    "Contention",
    "Cost",
    "Estimate",
    "Scale",
    "Spread",
    "Subject",
    "Timed",
    "Verdict",
    "measured",
    "subjects",
]
