"""What the rows of a database may forbid a plan: each thing that validates data, as a question to the rows as they are now.

Pure: builds SQL that only reads, and runs none. A rehearsal has made-up rows; these questions are for the real ones.
"""

from reconciler.plan.doubts.doubt import Doubt, Gap
from reconciler.plan.doubts.raised import Doubted, raised
from reconciler.plan.doubts.writes import Writes, writes

__all__ = ["Doubt", "Doubted", "Gap", "Writes", "raised", "writes"]
