"""The section `audit` of a database: who acts in it, whose its tables are, and which findings are accepted until when.

Knows nothing of rules: that an exemption names one which exists is seen when it is applied, and told as a finding.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from reconciler.model import Severity
from reconciler.settings.fields import Flag, Name, mapping
from reconciler.settings.section import Section

Sides = Literal["A", "B", "both", "none"]


def _key(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be the key of a finding in quotes, as the report shows it")  # noqa: TRY004
    text = " ".join(value.split())
    if not re.match(r"[A-Z]{2,5}[0-9]{3}( .|\*?\Z)", text):
        raise ValueError(
            'must begin with a rule, like "RLS004 table private.secrets" or "RLS004*" for all of that rule'
        )
    return text


def _reason(value: Any) -> str:
    if not isinstance(value, str) or len(value.strip()) < 8:
        raise ValueError("must say in a few words why the finding is accepted")
    return value.strip()


def _day(value: Any) -> datetime.date:
    if isinstance(value, str):
        try:
            value = datetime.date.fromisoformat(value.strip())
        except ValueError:
            value = None
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise ValueError("must be a day, like 2027-01-31")  # noqa: TRY004
    return value


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping of names")  # noqa: TRY004
    if not all(isinstance(one, str) and one.strip() for one in value.values()):
        raise ValueError("needs a text for every name: put numbers in quotes")
    return {str(name): str(one).strip() for name, one in value.items()}


def _paths(value: Any) -> tuple[Path, ...]:
    values = value.split(",") if isinstance(value, str) else value
    if not isinstance(values, list | tuple):
        raise ValueError("must be a list of SQL files; * and ? are wildcards")  # noqa: TRY004
    if not all(isinstance(one, str | Path) and str(one).strip() for one in values):
        raise ValueError("must name files")
    return tuple(Path(str(one).strip()).expanduser() for one in values)


def _list(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise ValueError("must be a list")  # noqa: TRY004
    return tuple(value)


_TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}

Texts = Annotated[Mapping[str, str], PlainValidator(_texts), WithJsonSchema(_TEXTS), PlainSerializer(dict)]
Paths = Annotated[
    tuple[Path, ...],
    PlainValidator(_paths),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
    PlainSerializer(lambda paths: [str(path) for path in paths]),
]
Key = Annotated[
    str, PlainValidator(_key), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2,5}[0-9]{3}( .|\\*?$)"})
]
Reason = Annotated[str, PlainValidator(_reason), WithJsonSchema({"type": "string", "minLength": 8})]
Day = Annotated[
    datetime.date,
    PlainValidator(_day),
    WithJsonSchema({"type": "string", "format": "date"}),
    PlainSerializer(datetime.date.isoformat),
]


class AuditIdentity(Section):
    """Someone who acts: a role, and what a request of theirs carries."""

    name: Annotated[Name, Field(description="How the report calls them")]
    role: Annotated[str, Field(description="The role that their sessions act as")]
    tenant: Annotated[Sides, Field(description="The tenants they belong to: A, B, both or none")] = "A"
    claims: Annotated[
        dict[str, Any] | None,
        BeforeValidator(mapping),
        Field(
            description="The JWT claims; {tenant} and {user} stand for the keys of the tenant and the user"
        ),
    ] = None
    settings: Annotated[
        Texts | None, Field(description="The settings of their session, like app.org_id: '{tenant}'")
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> AuditIdentity:
        if self.claims is not None and self.settings is not None:
            raise ValueError("has claims or settings, not both")
        return self


class Exemption(Section):
    """A finding that is accepted until a day."""

    key: Annotated[Key, Field(description="The key of the finding; a * at its end stands for any rest")]
    reason: Annotated[Reason, Field(description="Why it is accepted")]
    expires: Annotated[Day, Field(description="The last day on which it is")]


class Audit(Section):
    """What the audit cannot read from the schema."""

    fixtures: Annotated[
        Paths,
        Field(
            description="SQL files with rows of two tenants, instead of made-up ones; * and ? are wildcards"
        ),
    ] = ()
    identities: Annotated[
        tuple[AuditIdentity, ...],
        BeforeValidator(_list),
        Field(description="Who acts, beside the usual ones", strict=False),
    ] = ()
    tables: Annotated[
        Texts,
        Field(
            description="Whose a table is: global, root, user, or the column that names its tenant or user"
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    exemptions: Annotated[
        tuple[Exemption, ...],
        BeforeValidator(_list),
        Field(description="Findings that are accepted until a day", strict=False),
    ] = ()
    attacks: Annotated[
        Flag, Field(description="Whether plans and the daemon attack, too; the rules are always asked")
    ] = False
    fail_on: Annotated[Severity, Field(description="The mildest finding that fails the audit")] = "error"
