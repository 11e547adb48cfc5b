"""Procedures (manual: CREATE PROCEDURE): written and compared as functions are."""

from __future__ import annotations

from functools import partial

from reconciler.catalog.kinds import function
from reconciler.catalog.kinds.kind import Kind

KIND = Kind("procedure", partial(function.read, kinds="'p'"), function.create, function.drop, function.alter)
