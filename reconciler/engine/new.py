"""Skeletons: commented beginnings of a table, a trigger, a policy, a migration. They load, and they say what is still open.

Pure text, but for `write`, which never replaces a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from reconciler.errors import Usage, writing
from reconciler.migrate import next_version
from reconciler.pg import ident

Timing = Literal["before", "after", "instead of"]
OnError = Literal["raise", "queue", "log"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*\Z")
_OPEN = "not answered yet"


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A file to be: `path` is below the schema directory, or for a migration below the migrations."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What the author of a trigger has thought of. Empty means not yet."""

    timing: Timing = "before"
    events: str = "insert or update"
    invariant: str = ""
    on_error: OnError = "raise"
    concurrency: str = ""
    tenancy: str = ""


def split(name: str) -> tuple[str, str]:
    """`table` or `schema.table` as (schema, table). Raises Usage for what is no plain name."""
    schema, _, table = name.rpartition(".")
    schema = schema or "public"
    if not (_NAME.match(schema) and _NAME.match(table)):
        raise Usage(f"{name!r} is no name", hint="write it as name or schema.name, in letters, digits and _")
    return schema, table


def table(name: str, *, tenant: str | None) -> Skeleton:
    """A table with a primary key, and row-level security by the tenant column when there is one."""
    schema, own = split(name)
    lines = [
        f"# {own}: say in one sentence what a row of it is, and who may see it.",
        f"table: {own}",
        *(
            [f"schema: {schema}    # declared elsewhere: schemas: {{{schema}: {{}}}}"]
            if schema != "public"
            else []
        ),
        "columns:",
    ]
    if tenant:
        lines.append(f"  {tenant}: {{type: uuid, nullable: false}}    # the tenant: part of every key")
    lines += [
        "  id: {type: uuid, nullable: false, default: gen_random_uuid()}",
        "  created_at: {type: timestamptz, nullable: false, default: now()}",
        f"primary_key: [{tenant}, id]" if tenant else "primary_key: [id]",
        "# Two at once must not create the same thing: what makes a row unique in the world outside?",
        f"# unique: [[{tenant + ', ' if tenant else ''}name]]",
        "# What must be true of every row, whoever writes it?",
        "# checks:",
        f"#   {own}_name_check: name <> ''",
    ]
    if tenant:
        mine = f"{tenant} = (select nullif(current_setting('app.{tenant}', true), '')::uuid)"
        lines += [
            "# Forced: the owner is held by the policies too. Every command needs one; without one it sees no row.",
            "rls: forced",
            "policies:",
        ]
        for command, parts in (
            ("select", ("using",)), ("insert", ("with_check",)), ("update", ("using", "with_check")), ("delete", ("using",)),
        ):  # fmt: skip
            lines += [f"  own_{command}:", f"    for: {command}"]
            lines += [f"    {part}: {mine}" for part in parts]
    else:
        lines += ["# No tenant: every role with a grant sees every row.", "rls: disabled"]
    lines += [
        "# What is granted is what stands here; nothing is granted by itself.",
        "# grants:",
        "#   app: [select, insert, update, delete]",
    ]
    return Skeleton(_below(schema, "tables", f"{own}.yaml"), "\n".join(lines) + "\n")


def answers(
    *, timing: str, events: str, invariant: str, on_error: str, concurrency: str, tenancy: str
) -> Answers:
    """The answers as a person typed them. Raises Usage for a word that means nothing."""
    for known in get_args(Timing):
        if known == timing:
            break
    else:
        raise Usage(f"there is no timing {timing}", hint=f"write one of {', '.join(get_args(Timing))}")
    for way in get_args(OnError):
        if way == on_error:
            return Answers(known, events, invariant, way, concurrency, tenancy)
    raise Usage(f"{on_error} is no way to fail", hint=f"write one of {', '.join(get_args(OnError))}")


def trigger(on: str, name: str, answers: Answers) -> Skeleton:
    """A trigger with its function and the four answers of its design."""
    schema, own = split(on)
    split(name)
    function, target = ident(schema, f"{own}_{name}"), ident(schema, own)
    returns = "null" if answers.timing == "after" else "new"
    delete = "delete" in answers.events.lower()
    said = [
        f"-- reconciler: on_error {answers.on_error}",
        f"-- reconciler: concurrency {_line(answers.concurrency) or _OPEN}",
        f"-- reconciler: tenancy {_line(answers.tenancy) or _OPEN}",
    ]
    if answers.invariant:
        said.insert(0, f"-- reconciler: invariant {_invariant(answers.invariant)}")
    else:
        said.insert(0, f"-- Which invariant does it protect?  invariant NAME: select … from {target} where …")
    advice = {
        "before": "BEFORE: check or change the row itself, and touch no other table.",
        "after": "AFTER: write to other tables; the row is as it will be stored.",
        "instead of": "INSTEAD OF: do to the tables behind the view what was asked of it.",
    }[answers.timing]
    lines = [
        f"-- Trigger {name} on {target}: say in one sentence what it does.",
        f"-- {advice}",
        "-- It may fire again when a transaction is tried again: the second time must change nothing more.",
        "-- An error must be raised, with message, detail and hint; an exception that is swallowed hides a bug.",
        f"create function {function}() returns trigger",
        "language plpgsql",
        "set search_path = ''",
        "as $$",
        "begin",
        f"  return {'coalesce(new, old)' if delete and returns == 'new' else returns};",
        "end",
        "$$;",
        "",
        f"revoke all on function {function}() from public;",
        "",
        *said,
        f"create trigger {ident(name)} {answers.timing} {answers.events} on {target}",
        f"for each row execute function {function}();",
    ]
    return Skeleton(_below(schema, "triggers", f"{own}_{name}.sql"), "\n".join(lines) + "\n")


def policy(on: str, name: str, *, command: str, role: str, using: str, with_check: str) -> Skeleton:
    """A policy. Empty conditions become one that lets nothing through, so that a forgotten one does no harm."""
    schema, own = split(on)
    split(name)
    target = ident(schema, own)
    reads, writes = command != "insert", command in ("insert", "update", "all")
    lines = [
        f"-- Policy {name} on {target}: who may {command} which rows?",
        "-- It filters by the tenant column, or says why not. It counts only where row-level security is on:",
        "-- `rls: forced` in the table's declaration, or alter table … force row level security.",
        f"create policy {ident(name)} on {target}",
        f"for {command} to {role if role == 'public' else ident(role)}",
    ]
    if reads:
        lines.append(f"using ({using or 'false'})" + ("" if using else "  -- which rows are seen"))
    if writes:
        lines.append(
            f"with check ({with_check or using or 'false'})"
            + ("" if with_check else "  -- which rows may be written")
        )
    lines.append(";")
    return Skeleton(_below(schema, "policies", f"{own}_{name}.sql"), "\n".join(lines) + "\n")


def migration(slug: str, *, now: datetime, existing: Iterable[str]) -> Skeleton:
    """A migration to be written by hand. Until it is, running either of its directions raises."""
    words = re.sub(r"[^a-z0-9]+", "_", slug.lower()).strip("_")[:60]
    if not words:
        raise Usage(f"{slug!r} holds no word for a file name", hint="say what it does: add_invoice_numbers")
    version = next_version(now, existing)
    text = f"""\
-- {words.replace("_", " ")}: say in one sentence what it does, and why no declaration could.
--
-- Every statement can run twice (if [not] exists, or replace). One comment above each says why it is there. What cannot
-- run in a transaction (create index concurrently) stands outside begin … commit. psql -f runs the UP and stops.

\\set ON_ERROR_STOP on

-- UP

begin;
set local lock_timeout = '2s';

-- Put the statements here and take this one away.
do $$ begin raise exception 'the UP of {version} is not written yet'; end $$;

commit;

\\quit

-- DOWN

begin;
set local lock_timeout = '2s';

-- What brings the schema, and the rows, back. If nothing can: replace this section by a line “-- DOWN none: REASON”.
do $$ begin raise exception 'the DOWN of {version} is not written yet'; end $$;

commit;
"""
    return Skeleton(Path(f"{version}_{words}.sql"), text)


def write(skeleton: Skeleton, folder: Path) -> Path:
    """Writes the file; an existing one is never touched: Usage."""
    target = folder / skeleton.path
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("x", encoding="utf-8", newline="\n") as file:
                file.write(skeleton.text)
        except FileExistsError:
            raise Usage(f"{target} exists already", hint="edit it, or choose another name") from None
    return target


def _below(schema: str, folder: str, file: str) -> Path:
    return Path(folder, file) if schema == "public" else Path(schema, folder, file)


def _line(text: str) -> str:
    return " ".join(text.split())


def _invariant(text: str) -> str:
    """`name: query`; a bare query gets a name."""
    line = _line(text)
    return line if re.match(r"[^:]{1,60}:\s", line) else f"holds: {line}"
