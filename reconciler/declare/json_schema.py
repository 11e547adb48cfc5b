"""The YAML format as a JSON Schema (draft 2020-12), for editors and for the documentation."""

from __future__ import annotations

from typing import Any


def json_schema() -> dict[str, Any]:
    """One schema for every YAML document of a declaration directory; each property says what it means."""
    # Here and not above: building the models takes longer than most of what does not need them.
    from pydantic import TypeAdapter

    from reconciler.declare.format import SINGLE, Document
    from reconciler.declare.format_scenario import OneScenario, Scenarios

    union: Any = Document
    for model in (*SINGLE.values(), OneScenario, Scenarios):
        union = union | model
    found = TypeAdapter(union).json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Declarations of reconciler",
        "description": "What a PostgreSQL database should look like. See schema/README.md for an example of every key.",
        **found,
    }
