"""Triggers, and the functions that only the service role may call: read in their text, then fired between two tenants.

Knows a scratch database and a world of two tenants. Promises that an error is something that happened there; what a body's text says
is at most a warning. Never changes a trigger.
"""

from reconciler.audit.triggers.design import designed
from reconciler.audit.triggers.measured import fired, firing
from reconciler.audit.triggers.service import served, serving

__all__ = ["designed", "fired", "firing", "served", "serving"]
