"""PostgreSQL servers of our own, from programs found on this machine: for shadows, the demo and the tests."""

from reconciler.embedded.binaries import Binaries, available, find
from reconciler.embedded.home import reap
from reconciler.embedded.server import Server, local, scratch

__all__ = ["Binaries", "Server", "available", "find", "local", "reap", "scratch"]
