"""The key `renamed_from`, wherever an object or a part of one has a name.

Knows what an old name may look like: with its schema where an object may have come from another one. Never looks for the object.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from reconciler.declare.names import Name
from reconciler.declare.node import Node

_DESCRIPTION = (
    "The old name: it is renamed instead of dropped and created. Harmless once the old name is gone."
)


class Part(Node):
    """A part of an object, or what lives in no schema."""

    renamed_from: str | None = Field(None, description=_DESCRIPTION)


class Whole(Node):
    """An object that lives in a schema."""

    renamed_from: Name | None = Field(None, description=_DESCRIPTION)


class Named(Part):
    """A constraint with a name of its own, or with the one that PostgreSQL gives it."""

    name: str | None = Field(
        None, description="The constraint's name; PostgreSQL's own choice when left out."
    )

    @model_validator(mode="after")
    def _is_called_something(self) -> Named:
        if self.renamed_from is not None and self.name is None:
            raise ValueError("renamed_from needs name beside it: what the constraint is called now")
        return self
