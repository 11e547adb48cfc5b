"""What is read from the text of a policy or function."""

from __future__ import annotations

import pytest

from reconciler.shadow.tenants.claims import meaning, stem
from reconciler.shadow.tenants.expressions import Ask, asks, comparisons, equalities, insides, sources
from reconciler.shadow.tenants.tokens import column, constants, tokens

JWT = {("auth", "jwt"): "request.jwt.claims"}


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("tenant_id = current_setting('app.tenant_id'::text, true)::uuid", {Ask("app.tenant_id")}),
        (
            "((auth.jwt() -> 'app_metadata'::text) ->> 'tenant_id'::text)",
            {Ask("request.jwt.claims", ("app_metadata", "tenant_id"))},
        ),
        ("auth.jwt() #>> '{app_metadata,org}'", {Ask("request.jwt.claims", ("app_metadata", "org"))}),
        ("nullif(auth.jwt() ->> 'org_id', '')::uuid", {Ask("request.jwt.claims", ("org_id",))}),
        (
            "(current_setting('request.jwt.claims', true)::json->>'sub')::uuid",
            {Ask("request.jwt.claims", ("sub",))},
        ),
        (
            "coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb ->> 'a'",
            {Ask("request.jwt.claims", ("a",))},
        ),
        (
            "c := current_setting('app.session', true)::jsonb; return c ->> 'org';",
            {Ask("app.session", ("org",))},
        ),
        ("payload ->> 'org_id' = 'x' -- auth.jwt() ->> 'no'", set()),
        ("(current_setting('a.b'), payload ->> 'k', '->')", {Ask("a.b")}),
    ],
)
def test_what_is_asked(sql: str, wanted: set[Ask]) -> None:
    assert asks(tokens(sql), JWT) == wanted


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("((tenant_id)::text = current_setting('x'))", {("", "tenant_id")}),
        ("(auth.uid() = t.user_id)", {("t", "user_id")}),
        ('("Odd Name".id IN ( SELECT m.org FROM m))', {("Odd Name", "id")}),
        ("NOT (org_id IS DISTINCT FROM private.org())", {("", "org_id")}),
        ("(NOT (a.b <> 3))", set()),
        ("(org_id = ANY (private.my_orgs()))", {("", "org_id")}),
        ("((x.kind)::character varying = 'a')", {("x", "kind")}),
        ("(lower(email) = auth.email())", set()),
    ],
)
def test_which_columns_are_compared(sql: str, wanted: set[tuple[str, str]]) -> None:
    assert {c.column for c in comparisons(tokens(sql))} == wanted


def test_small_parts() -> None:
    assert column(tokens("((a.b.c)::double precision)")) == ("b", "c")
    assert column(tokens("f(a)")) is None
    assert column(tokens("current_user")) is None
    assert constants(tokens("ANY (ARRAY['a'::text, 'b''c'::text])")) == ("a", "b'c")
    assert constants(tokens("lower('a')")) == ()
    assert sources(tokens('select 1 from public.members as m, "T" join x.y on true where exists (select from only z)')) == {
        "m": ("public", "members"), "T": ("", "T"), "y": ("x", "y"), "z": ("", "z")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("current_org_id", "org"), ("orgId", "org"), ("orgs", "org"), ("companies", "company"), ("app.current_tenant", "tenant"),
     ("user_id", "user"), ("business_id", "business")],
)  # fmt: skip
def test_stems(name: str, wanted: str) -> None:
    assert stem(name) == wanted


@pytest.mark.parametrize(
    ("ask", "wanted"),
    [(Ask("request.jwt.claims", ("sub",)), "user"), (Ask("app.user_id"), "user"), (Ask("app.current_tenant_id"), "tenant"),
     (Ask("x.org_ids"), "tenant"), (Ask("j", ("user_role",)), "role"), (Ask("j", ("email",)), "email"), (Ask("app.moon"), "other")],
)  # fmt: skip
def test_meanings(ask: Ask, wanted: str) -> None:
    assert meaning(ask) == wanted


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("((x.doc -> 'a'::text) ->> 'b'::text)::integer = 3", [(("x", "doc"), ("a", "b"), "integer")]),
        ("coalesce((new.meta->>'n')::int, 0) > (new.meta #>> '{a,b}')::uuid", [(("new", "meta"), ("n",), "int"), (("new", "meta"), ("a", "b"), "uuid")]),
        ("extra->>'role' in ('owner') and d -> 'k' ->> 'm' = 'z'", [(("", "extra"), ("role",), ""), (("", "d"), ("k", "m"), "")]),
    ],
)  # fmt: skip
def test_what_is_read_inside_documents(sql: str, wanted: list[object]) -> None:
    assert [(column(read.base), read.path, read.cast) for read in insides(tokens(sql))] == wanted


def test_what_may_be_missing_and_what_cases_compare() -> None:
    found = tokens(
        "(d -> 'a') is null or case (d ->> 'b') when 'x' then 1 when 'y' then 2 else 3 end > (d ->> 'c')::int"
    )
    assert [(read.path, read.missing) for read in insides(found)] == [
        (("a",), True),
        (("b",), False),
        (("c",), False),
    ]
    assert [constants(other) for one, other in equalities(found) if constants(other)] == [("x",), ("y",)]
