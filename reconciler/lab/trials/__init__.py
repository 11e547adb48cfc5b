"""What is tried with every trigger by itself: it fires, in bulk, on broken rows, when its own writes fail, beside locks, again, as anybody.

Knows one scratch copy of a world; every trial is rolled back. Promises that a trial which says nothing of the trigger (nobody may run its
statement, it does not fire) is told as not tried.
"""

from reconciler.lab.trials.bench import Bench, Tried, Verdict, open_bench
from reconciler.lab.trials.every import every

__all__ = ["Bench", "Tried", "Verdict", "every", "open_bench"]
