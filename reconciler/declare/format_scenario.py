"""The YAML of a scenario: rows that are given, who acts, and what is to come of it, one after another or at once.

A document with the key `scenario` may stand in any YAML file of the schema directory; it declares nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from reconciler.declare.node import Node, Sql

Level = Literal["read committed", "repeatable read", "serializable"]


class Acting(Node):
    """Who acts: a role, and what a request of theirs carries. Without a role it is the superuser, whom nothing binds."""

    short: ClassVar[str | None] = "role"
    role: str = Field(
        "", description="The role that the transaction takes on; the superuser's when left out."
    )
    claims: dict[str, Any] = Field({}, description="The JWT claims, as Supabase sets them.")
    settings: dict[str, Sql] = Field({}, description="Settings of the transaction, like app.org_id.")


class Statements(Node):
    """SQL statements of one transaction, in order. Short form: one of them."""

    short_items: ClassVar[str | None] = "statements"
    one_item: ClassVar[bool] = True
    statements: list[str] = Field(description="The statements, one each.", min_length=1)


class Turn(Node):
    """One transaction. In `steps` it says what is to come of it."""

    actor: str | None = Field(None, alias="as", description="One of the actors; without it, the superuser.")
    run: Statements = Field(description="Its statements; a text or a list.")
    rows: list[list[Any]] | None = Field(None, description="What the last statement gives, row by row.")
    error: str | None = Field(None, description="The SQLSTATE it fails with; all of it is undone.")
    message: str | None = Field(None, description="What the message of that error says, or a part of it.")
    adds: dict[str, int] = Field({}, description="Table → how many rows more it holds afterwards.")


class Common(Node):
    """What a scenario stands on, or several of one document do."""

    given: str = Field("", description="SQL that runs first, as a superuser with triggers on.")
    actors: dict[str, Acting] = Field({}, description="Who acts: name → role, claims, settings.")
    levels: list[Level] = Field([], description="Isolation levels; all three when left out.")
    invariants: dict[str, str] = Field(
        {}, description="What must hold besides: name → a query that must return no row."
    )


class Scenario(Common):
    """A scenario, on the declared schema without any rows but its own."""

    steps: list[Turn] = Field([], description="Transactions one after another.")
    race: list[Turn] = Field([], description="Two or three transactions at once, in every order.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Scenario:
        if bool(self.steps) == bool(self.race):
            raise ValueError("a scenario has steps, or a race")
        if self.race and not 2 <= len(self.race) <= 3:
            raise ValueError("a race is between two or three transactions")
        return self


class OneScenario(Scenario):
    """A document that is one scenario: `scenario: what it shows` and its keys beside it."""

    scenario: str = Field(description="What it shows, in a sentence.")


class Scenarios(Common):
    """A document of several scenarios, and what they have in common."""

    scenarios: dict[str, Scenario] = Field(description="What each shows, in a sentence → steps or race.")
