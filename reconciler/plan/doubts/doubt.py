"""One question to the rows: which of them would make a statement fail, or would lose something by it."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model import ObjectId

KEY = "reconciler key"
"""The column of a source that names a row: its primary key, or where it stands, as an array of texts."""
PLACE = "reconciler place"
"""The row's ctid, by which a table is read in pieces."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Rows of `source` for which `condition` is true are in the way of `subject`.

    `source` is what stands after FROM; it has the columns KEY and PLACE. `table` is what is read, by the name it has now;
    `keys` are the names of what KEY holds. `quick`, where it is given, finds out sooner whether there is any such row. `says` and `raises`
    are sentences with `{rows}` in them and verbs as `{are|is}`, the second about rows on which the condition cannot even be computed. `hint` is what to do.
    `loses` is for rows that would be changed, not refused. `sure` is false when the plan itself writes to the table: then its
    own statements may put right what is found. `declaration` says that only another declaration helps, not other rows.
    `byrow` says that the condition looks at one row at a time. Without `keys` it is only asked whether there is a row.
    `others` are tables whose rows count too.
    """

    subject: ObjectId
    table: ObjectId
    source: str
    condition: str
    says: str
    hint: str
    keys: tuple[str, ...] = ()
    quick: str = ""
    raises: str = ""
    loses: bool = False
    sure: bool = True
    declaration: bool = False
    byrow: bool = True
    others: tuple[ObjectId, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that validates rows and that no question was found for, in words."""

    subject: ObjectId
    why: str
