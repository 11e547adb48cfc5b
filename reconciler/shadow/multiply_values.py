"""Another value of a type for each number, as SQL: what makes the repetitions of a row differ.

Promises that different values stay different under the same number. Knows numbers, texts, uuids, dates, times, bytes and addresses,
and domains over them; other types have no repetitions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.pg import ident
from reconciler.shadow.seed_tables import Column, Type

NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8", "money")
TIMES = ("timestamp", "timestamptz")
_TEXTS = ("text", "varchar", "bpchar", "name", "citext")
_SPREAD = 31
"""By how much the number is multiplied where a text counts on in its own letters, so that two that were alike do not meet."""

HELPERS = """
create or replace function pg_temp.reconciler_counted(v text, n bigint) returns text language plpgsql immutable strict as $$
declare
  done text := ''; c text; code int; first int; base int; rest bigint := n;
begin
  for i in reverse pg_catalog.length(v)..1 loop
    if rest = 0 then
      return pg_catalog.left(v, i) || done;
    end if;
    c := pg_catalog.substr(v, i, 1);
    code := pg_catalog.ascii(c);
    if code between 48 and 57 then first := 48; base := 10;
    elsif code between 65 and 90 then first := 65; base := 26;
    elsif code between 97 and 122 then first := 97; base := 26;
    else done := c || done; continue;
    end if;
    code := code - first + (rest % base)::int;
    rest := rest / base + code / base;
    done := pg_catalog.chr(first + code % base) || done;
  end loop;
  return done;
end $$
"""
"""Counts on from a text like an odometer: digits stay digits, letters stay letters of their case, and the length stays. In the
session's temporary schema: it is gone with the session."""


def base(types: Mapping[int, Type], oid: int) -> str:
    """The name of the type, or of the one that a domain is over."""
    while oid in types and types[oid].kind == "d":
        oid = types[oid].inner
    return types[oid].name if oid in types else ""


def written(types: Mapping[int, Type], column: Column) -> str:
    """The column's type as SQL; of a domain, the type that it is over: what the domain asks for is looked at afterwards."""
    text, oid = column.type_text, column.type
    while oid in types and types[oid].kind == "d":
        text, oid = types[oid].inner_text, types[oid].inner
    return text


def asked(types: Mapping[int, Type], column: Column) -> list[str]:
    """What the domains of a column ask of its values, as conditions."""
    found, oid = [], column.type
    while oid in types and types[oid].kind == "d":
        found += [re.sub(r"\bVALUE\b", lambda _: ident(column.name), check) for check in types[oid].checks]
        oid = types[oid].inner
    return found


def is_domain(types: Mapping[int, Type], column: Column) -> bool:
    return column.type in types and types[column.type].kind == "d"


def length_of(type_text: str) -> int | None:
    """The limit in `character varying(20)`; None without one."""
    inside = type_text.partition("(")[2].partition(")")[0]
    if inside.isdigit():
        return int(inside)
    return {"character": 1, "name": 63}.get(type_text)


def family(types: Mapping[int, Type], column: Column) -> str:
    """Columns of one family that a check compares move together; empty for what does not move."""
    name = base(types, column.type)
    return "times" if name in (*TIMES, "date") else "numbers" if name in NUMBERS else ""


def repeated(own: str, column: Column, types: Mapping[int, Type], n: str, stride: int, shaped: bool) -> str:
    """The value `own` of the column for repetition `n`; empty where none is known.

    Numbers and times move by `stride`; a `shaped` text keeps its length and its kinds of letters.
    """
    name, type_ = base(types, column.type), written(types, column)
    if name in NUMBERS:
        return f"({own} + ({n} * {stride})::{'numeric' if name == 'money' else name})::{type_}"
    if name == "uuid":
        return f"md5({own}::text || {n})::uuid::{type_}"
    if name in _TEXTS and shaped:
        return f"pg_temp.reconciler_counted({own}::text, {n}::bigint * {_SPREAD})::{type_}"
    limit = length_of(type_)
    if name in _TEXTS and limit is not None:
        return f"left({n} || '~' || {own}::text, {limit})::{type_}"
    if name in _TEXTS:
        return f"({own}::text || '~' || {n})::{type_}"
    if name in TIMES:
        return f"({own} + {n} * {stride} * interval '1 day')::{type_}"
    if name == "date":
        return f"({own} + {n} * {stride})::{type_}"
    if name == "bytea" and shaped:
        other = f"pg_catalog.sha256({own} || int4send(({n})::int))"
        return f"(substr({other}, 1, length({own})) || substr({own}, 33))::{type_}"
    if name == "bytea":
        return f"({own} || int4send(({n})::int))::{type_}"
    return f"({own} + {n})::{type_}" if name == "inet" else ""


def on_a_line(column: Column, types: Mapping[int, Type]) -> str:
    """The value as a number, for types whose repetitions are added; empty for others."""
    name, own = base(types, column.type), ident(column.name)
    if name == "money":
        return f"{own}::numeric"
    if name in TIMES:
        return f"extract(epoch from {own}) / 86400"
    if name == "date":
        return f"{own} - date '2000-01-01'"
    return own if name in NUMBERS else ""
