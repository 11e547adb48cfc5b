"""What the grammar is made of: things that need and give names, and the hand that draws them.

A *thing* is one object with all that belongs to it. It is written as SQL only when every name it needs has been given by a
thing before it, so that an edit which takes an object away takes away what stood on it. Knows no PostgreSQL server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st

from reconciler.pg import ident, literal

T = TypeVar("T")
Made = Collection[str]
"""The names that are there: `schema app`, `type app.mood`, `relation app.t`, `column app.t.c`, `routine app.f(integer)`."""

READER, WRITER, OWNER = ROLES = ("pairs_reader", "pairs_writer", "pairs_owner")
ODD = ("Mixed Case", "ünï·cödé", "n" * 63, "dot.ted", 'quo"te', "it's", "select", "$dollar$", "100%")


@dataclass(frozen=True)
class Expr:
    """SQL text and the names it needs."""

    text: str
    uses: tuple[str, ...] = ()

    def stands(self, made: Made) -> bool:
        return all(name in made for name in self.uses)


@dataclass(frozen=True)
class Dress:
    """What objects of most kinds can wear. A grant is (privilege, role, with grant option); `-` before the privilege revokes."""

    comment: str = ""
    owner: str = ""
    grants: tuple[tuple[str, str, bool], ...] = ()

    def sql(self, word: str, name: str, granted: str = "") -> list[str]:
        """The statements for the object `word name`. `granted` is the word GRANT uses, where it is another one."""
        found = []
        if self.owner:
            found.append(f"alter {word} {name} owner to {self.owner}")
        for privilege, role, option in self.grants:
            kind = granted or word
            if privilege.startswith("-"):
                found.append(f"revoke {privilege[1:]} on {kind} {name} from {role}")
            else:
                tail = " with grant option" if option and role != "public" else ""
                found.append(f"grant {privilege} on {kind} {name} to {role}{tail}")
        if self.comment:
            found.append(f"comment on {word} {name} is {literal(self.comment)}")
        return found


BARE = Dress()


@dataclass(frozen=True)
class Thing:
    """One object. Subclasses are dataclasses whose fields an edit can take one by one from another drawing."""

    schema: str
    name: str
    rank: ClassVar[int] = 0

    @property
    def full(self) -> str:
        return ident(self.schema, self.name)

    @property
    def key(self) -> tuple[str, str, str]:
        """What no other thing of a world may have too."""
        return (type(self).__name__, self.schema, self.name)

    def needs(self) -> set[str]:
        return {f"schema {self.schema}"} if self.schema else set()

    def gives(self, made: Made) -> set[str]:
        return set()

    def sql(self, made: Made) -> list[str]:
        raise NotImplementedError


@dataclass(frozen=True)
class Named(Thing):
    """A thing whose name is shared with those of relations and types, as PostgreSQL has it."""

    @property
    def key(self) -> tuple[str, str, str]:
        return ("relation", self.schema, self.name)


class Hand:
    """Draws values in a way that shrinks: towards fewer, earlier, plainer. `major` is the PostgreSQL that will read them."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], major: int) -> None:
        self._draw = draw
        self.major = major

    def number(self, low: int, high: int) -> int:
        return int(self._draw(st.integers(low, high)))

    def chance(self, one_in: int) -> bool:
        return self.number(0, one_in - 1) == one_in - 1

    def one(self, options: Sequence[T]) -> T:
        return options[self.number(0, len(options) - 1)]

    def maybe(self, one_in: int, option: T, otherwise: T) -> T:
        return option if self.chance(one_in) else otherwise

    def some(self, options: Sequence[T], low: int, high: int) -> tuple[T, ...]:
        """Between `low` and `high` different options, fewer when there are not so many."""
        left = list(options)
        found = []
        for _ in range(self.number(min(low, len(left)), min(high, len(left)))):
            found.append(left.pop(self.number(0, len(left) - 1)))
        return tuple(found)

    def name(self, plain: Sequence[str], odd: int = 8) -> str:
        """One of the plain names, and once in `odd` times one that needs quotes."""
        return self.one(ODD) if self.chance(odd) else self.one(plain)

    def dress(self, privileges: Sequence[str], *, owners: Sequence[str] = (OWNER, WRITER)) -> Dress:
        grants: list[tuple[str, str, bool]] = []
        if privileges and self.chance(4):
            for privilege in self.some(privileges, 1, 3):
                grants.append((privilege, self.one((*ROLES, "public")), self.chance(4)))
            if self.chance(5):
                grants.append(
                    (
                        f"-{self.one(privileges).removeprefix('-')}",
                        self.one((OWNER, "public", "current_user")),
                        False,
                    )
                )
        return Dress(
            self.maybe(4, self.one(("a comment", "it's another", "third\nline")), ""),
            self.one(owners) if owners and self.chance(6) else "",
            tuple(grants),
        )
