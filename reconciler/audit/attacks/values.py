"""The words of the attacks: what is tried, and what it came to."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from reconciler.audit.attempt import Answer, Trouble
from reconciler.model import ObjectId
from reconciler.shadow.tenants.values import Identity


@dataclass(frozen=True, slots=True)
class Attack:
    """What an identity tries with one object, for one cell of the matrix.

    `does` says it in words that go on after a name ("deletes …"); `rule` names the finding when it is a leak. The harness does `setup` first, as superuser
    without triggers, then others do `before`. `own`: upon A's own rows, where success is expected: a control. `compared`: also run where B does
    not exist; `reads`: the rows that come back are rows of the object, so that any more of them there are B's. `oracle` names the
    finding when the two answers differ and still show nothing. `watched` are tables (OIDs) whose rows are read again right before
    the attack, because the steps before change them. `by` plays another identity than the cell's; `fresh`: in a session where no setting was ever made. `query` is
    the query whose lines come back, where `sql` is not that itself. `aside`: one way more to
    do it, whose failure alone would not make a cell isolated. `tells`: it asks about
    something of B, so that a figure or a row that is another without B is B's. `asks`: the same of any answer that is a third one
    where B has a row less. `nobody`: the control once more with keys that nobody has; where that
    answers alike, the control showed nothing.
    """

    object: ObjectId
    command: str
    does: str
    sql: str
    rule: str
    setup: tuple[str, ...] = ()
    before: tuple[tuple[Identity, str], ...] = ()
    own: bool = False
    compared: bool = False
    reads: bool = False
    oracle: str = ""
    watched: tuple[int, ...] = ()
    by: Identity | None = None
    fresh: bool = False
    query: str = ""
    aside: bool = False
    tells: bool = False
    nobody: bool = False
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attack came to. `rows` are the lines that came back.

    `hurt` are B's rows that were changed or removed, `planted` new rows that are B's, `moved` counts A's rows that were changed, removed or added;
    `shown` are lines, errors or notices in which something of B stood. `differs` says what was different in the world of A alone.
    """

    attack: Attack
    identity: Identity
    answer: Answer
    rows: tuple[str, ...] = ()
    hurt: tuple[tuple[ObjectId, str], ...] = ()
    planted: tuple[tuple[ObjectId, str], ...] = ()
    moved: int = 0
    shown: tuple[str, ...] = ()
    differs: str = ""

    @property
    def trouble(self) -> Trouble | None:
        return self.answer.trouble

    @property
    def ready(self) -> bool:
        return self.answer.ready

    @property
    def leaked(self) -> bool:
        return bool(self.hurt or self.planted or self.shown)

    @property
    def denied(self) -> bool:
        """Refused for want of a privilege: whatever the row."""
        return self.code == "42501" and "permission denied" in self.words

    @property
    def refused(self) -> bool:
        """Refused by row-level security, or by the check option of a view."""
        return self.code == "44000" or (self.code == "42501" and "permission denied" not in self.words)

    @property
    def reached(self) -> bool:
        """An own row was changed, or would have been but for a key that other rows hold on to: row-level security let it pass."""
        return self.moved > 0 or self.code in ("23503", "23001")

    @property
    def answered(self) -> bool:
        """A call did something: it wrote, said something, or gave back more than nothing."""
        said = self.moved > 0 or bool(self.answer.notices)
        return self.trouble is None and (said or any(row not in ("", "()") for row in self.rows))

    @property
    def code(self) -> str:
        return self.answer.trouble.code if self.answer.trouble else ""

    @property
    def words(self) -> str:
        return self.answer.trouble.message if self.answer.trouble else ""


def alike(control: Outcome, nobody: Outcome) -> bool:
    """Whether a control came to nothing else than the same with keys of nobody."""
    same = control.rows == nobody.rows and control.answer.notices == nobody.answer.notices
    return nobody.trouble is None and not nobody.moved and not control.moved and same


Attacks = Generator[Attack, Outcome, None]
"""A family of attacks: each is sent back what it came to before the next is chosen."""
