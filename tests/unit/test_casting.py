"""How values change their type: a direct cast where PostgreSQL has one, by text elsewhere, and what can be lost."""

from __future__ import annotations

import pytest

from reconciler.catalog.kinds.casting import lossy, rounds, using

PRINTED = "case when pg_catalog.num_nulls(c) = 0 then pg_catalog.format('%s', c) end"


@pytest.mark.parametrize(
    ("old", "new", "expression", "direct"),
    [
        ("integer", "bigint", "c::bigint", True),
        ("character varying(20)", "text", "c::text", True),
        ("uuid", "text", "c::text", True),
        ("numeric(9,2)", "numeric(12,4)", "c::numeric(12,4)", True),
        ("timestamp without time zone", "timestamp with time zone", "c::timestamp with time zone", True),
        ("timestamp(3) without time zone", "date", "c::date", True),
        ("json", "jsonb", "c::jsonb", True),
        ("text", "integer", "c::text::integer", False),
        ("public.mood", "public.other", f"({PRINTED})::public.other", False),
        ("public.mood[]", "public.other[]", f"({PRINTED})::text[]::public.other[]", False),
        ("public.mood", "text", "c::text", True),
        ("integer[]", "bigint[]", "c::bigint[]", True),
        ("text", "text[]", "c::text::text[]", False),
        ('"Odd (Type)"', "text", "c::text", True),
    ],
)
def test_the_expression(old: str, new: str, expression: str, direct: bool) -> None:
    assert using("c", old, new) == (expression, direct)


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("integer", "bigint", False),
        ("bigint", "integer", True),
        ("smallint", "double precision", False),
        ("bigint", "double precision", True),
        ("integer", "numeric", False),
        ("integer", "numeric(3,0)", True),
        ("character varying(20)", "character varying(30)", False),
        ("character varying(30)", "character varying(20)", True),
        ("character varying(30)", "character varying", False),
        ("character varying", "character varying(30)", True),
        ("numeric(9,2)", "numeric(12,4)", False),
        ("numeric(9,2)", "numeric(9,4)", True),
        ("numeric(9,2)", "numeric(12,1)", True),
        ("numeric", "numeric(12,1)", True),
        ("public.mood", "text", False),
        ("text", "public.mood", True),
        ("date", "timestamp with time zone", False),
        ("timestamp with time zone", "date", True),
        ("integer[]", "integer", True),
    ],
)
def test_what_can_be_lost(old: str, new: str, lost: bool) -> None:
    assert lossy(old, new) is lost


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("bigint", "integer", False),
        ("integer", "numeric(3,0)", False),
        ("integer", "numeric(3,-2)", True),
        ("numeric(10,2)", "numeric(10,4)", False),
        ("numeric(10,4)", "numeric(10,2)", True),
        ("numeric", "numeric(9,4)", True),
        ("text", "character varying(3)", True),
        ("character varying(3)", "text", False),
        ("text", "integer", True),
        ("integer[]", "integer", True),
    ],
)
def test_what_fits_or_fails_does_not_round(old: str, new: str, changed: bool) -> None:
    assert rounds(old, new) is changed
