"""The loop on one machine: whatever moves, files, database or clock, leads to a pass; what a pass found is published."""

from reconciler.daemon.loop import Loop, run

__all__ = ["Loop", "run"]
