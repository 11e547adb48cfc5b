"""The statements migra can emit: what each one is about, and its form that can run twice.

One row per shape. A statement that fits no row is left to the kinds. Knows migra 3.0's spelling and nothing about a
particular plan.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reconciler.catalog.kinds.writing import guarded
from reconciler.pg import literal

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_PATH = rf"(?P<path>{_NAME}\.{_NAME})"
_PART = rf"(?P<part>{_NAME})"


@dataclass(frozen=True, slots=True)
class About:
    """What a statement does: `verb` to the object of one of `kinds` with this schema, name and part (empty: any)."""

    verb: Literal["create", "alter", "drop"]
    kinds: tuple[str, ...]
    schema: str
    name: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """A pattern of migra's; `again` turns the statement into one or more that can run twice."""

    pattern: re.Pattern[str]
    verb: Literal["create", "alter", "drop"]
    kinds: tuple[str, ...]
    again: Callable[[re.Match[str]], tuple[str, ...]]
    index: bool = False


def recognised(sql: str) -> tuple[About, tuple[str, ...]] | None:
    """What migra's statement is about and how to say it so that it can run twice; None when no shape fits."""
    for shape in SHAPES:
        match = shape.pattern.match(sql)
        if match is None:
            continue
        groups = match.groupdict()
        path, part = groups.get("path") or "", groups.get("part") or ""
        schema, name = _split(path) if path else ("", "")
        if shape.index:  # an index is written by its own name and lives in its table's schema
            name, part = _bare(part), ""
        return About(shape.verb, shape.kinds, schema, name, _bare(part)), shape.again(match)
    return None


def _split(path: str) -> tuple[str, str]:
    names = re.findall(_NAME, path)
    return (_bare(names[0]), _bare(names[1])) if len(names) > 1 else ("", _bare(names[0]))


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _same(match: re.Match[str]) -> tuple[str, ...]:
    return (match.string,)


def _replace(old: str, new: str) -> Callable[[re.Match[str]], tuple[str, ...]]:
    """The statement with its first words exchanged, in any case."""
    pattern = re.compile(re.escape(old), re.IGNORECASE)
    return lambda match: (pattern.sub(lambda _: new, match.string, count=1),)


def _constraint_added(match: re.Match[str]) -> tuple[str, ...]:
    table, name = match["path"], _bare(match["part"])
    condition = (
        f"not exists (select from pg_catalog.pg_constraint where conrelid = {literal(table)}::pg_catalog.regclass"
        f" and conname = {literal(name)})"
    )
    return (guarded(condition, match.string),)


def _type_made(match: re.Match[str]) -> tuple[str, ...]:
    return (guarded(f"pg_catalog.to_regtype({literal(match['path'])}) is null", match.string),)


def _policy(match: re.Match[str]) -> tuple[str, ...]:
    return (f"drop policy if exists {match['part']} on {match['path']}", match.string)


def _constraint_dropped(match: re.Match[str]) -> tuple[str, ...]:
    return (f"alter table if exists {match['path']} drop constraint if exists {match['part']}",)


def _constraint_trigger(match: re.Match[str]) -> tuple[str, ...]:
    return (f"drop trigger if exists {match['part']} on {match['path']}", match.string)


def _shape(
    pattern: str,
    verb: Literal["create", "alter", "drop"],
    kinds: str,
    again: Callable[[re.Match[str]], tuple[str, ...]] = _same,
    *,
    index: bool = False,
) -> Shape:
    text = pattern.replace("PATH", _PATH).replace("PART", _PART)
    return Shape(re.compile(text, re.DOTALL | re.IGNORECASE), verb, tuple(kinds.split()), again, index)


_ALTER = r"alter table PATH "
SHAPES: tuple[Shape, ...] = (
    _shape(r"create schema if not exists (?P<path>" + _NAME + r")\Z", "create", "schema"),
    _shape(r"create sequence PATH\Z", "create", "sequence", _replace("create sequence", "create sequence if not exists")),
    _shape(r"alter sequence PATH owned by ", "create", "owned_by"),
    _shape(r"create type PATH as enum ", "create", "enum", _type_made),
    _shape(r"create type PATH as \(", "create", "composite", _type_made),
    _shape(r"create domain PATH\s", "create", "domain", _type_made),
    _shape(r"create table PATH \(", "create", "table", _replace("create table", "create table if not exists")),
    _shape(_ALTER + r"add column PART", "create", "column", _replace("add column", "add column if not exists")),
    _shape(_ALTER + r"alter column PART set data type [^;]+\Z", "alter", "column"),
    _shape(_ALTER + r"alter column PART set default ", "create", "default"),
    _shape(_ALTER + r"alter column PART drop default\Z", "drop", "default"),
    _shape(_ALTER + r"alter column PART (set|drop) not null\Z", "alter", "column"),
    _shape(_ALTER + r"(enable|disable) row level security\Z", "alter", "table"),
    _shape(_ALTER + r"add constraint PART ", "create", "constraint", _constraint_added),
    _shape(_ALTER + r"validate constraint PART\Z", "alter", "constraint"),
    _shape(
        r"create (unique )?index PART on (only )?PATH using ", "create", "index constraint",
        lambda match: (re.sub(r"index ", "index if not exists ", match.string, count=1, flags=re.IGNORECASE),),
        index=True,
    ),
    _shape(r"create or replace view PATH as", "create", "view"),
    _shape(
        r"create materialized view PATH as", "create", "materialized_view",
        _replace("create materialized view", "create materialized view if not exists"),
    ),
    _shape(r"create or replace function PATH\(", "create", "function"),
    _shape(r"create or replace procedure PATH\(", "create", "procedure"),
    _shape(r"create policy PART\s+on PATH\s", "create", "policy", _policy),
    _shape(
        r"create trigger PART [^;]*? on PATH [^;]*\Z", "create", "trigger",
        _replace("create trigger", "create or replace trigger"),
    ),
    _shape(r"create constraint trigger PART [^;]*? on PATH [^;]*\Z", "create", "trigger", _constraint_trigger),
    _shape(r"drop policy PART on PATH\Z", "drop", "policy", _replace("drop policy", "drop policy if exists")),
    _shape(r"drop trigger if exists PART on PATH\Z", "drop", "trigger"),
    _shape(_ALTER + r"drop constraint PART\Z", "drop", "constraint", _constraint_dropped),
    _shape(r"drop index if exists PATH\Z", "drop", "index constraint"),
    _shape(r"drop view if exists PATH\Z", "drop", "view"),
    _shape(r"drop materialized view if exists PATH\Z", "drop", "materialized_view"),
    _shape(r"drop function if exists PATH\(", "drop", "function"),
    _shape(r"drop procedure if exists PATH\(", "drop", "procedure"),
    _shape(_ALTER + r"drop column PART\Z", "drop", "column", _replace("drop column", "drop column if exists")),
    _shape(r"drop table PATH\Z", "drop", "table", _replace("drop table", "drop table if exists")),
    _shape(r"drop type PATH\Z", "drop", "enum composite", _replace("drop type", "drop type if exists")),
    _shape(r"drop domain PATH\Z", "drop", "domain", _replace("drop domain", "drop domain if exists")),
    _shape(r"drop sequence if exists PATH\Z", "drop", "sequence"),
    _shape(r"drop schema if exists (?P<path>" + _NAME + r")\Z", "drop", "schema"),
)  # fmt: skip
