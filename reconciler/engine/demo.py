"""The demonstration's stage: a server of its own, ClearScrub's declarations, a few rows, and what goes wrong with them.

Knows what the demonstration changes by hand and in the declarations; says nothing and decides nothing about telling it.
Never touches a server or a folder that is not its own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reconciler import embedded, migrate
from reconciler.audit.report import Audit
from reconciler.embedded import Server
from reconciler.embedded.home import lock
from reconciler.engine.auditing import audited
from reconciler.engine.drift import drift
from reconciler.engine.looking import look
from reconciler.engine.subject import of_database
from reconciler.engine.telling import facts
from reconciler.engine.work import Told
from reconciler.errors import Stalled
from reconciler.model import Status
from reconciler.pg import Secret, Url, connect, ident, literal
from reconciler.platforms import prelude
from reconciler.settings import Database

NAME: Final = "clearscrub"
_POWERS: Final = "superuser"
"""What the role that applies may do."""
_PACKAGE: Final = Path(__file__).resolve().parents[1]

BY_HAND: Final = (
    ("somebody drops the policy that lets members read their accounts", "drop policy members_read on public.accounts"),
    ("somebody adds a column in the dashboard", "alter table public.companies add column risk_score integer"),
    (
        "somebody tries a trigger function without its effect, and forgets",
        "create or replace function private.touch_updated_at() returns trigger\n"
        "language plpgsql set search_path = '' as $$\nbegin\n  return new;\nend\n$$",
    ),
)  # fmt: skip
"""Drift as it happens: (what somebody does, the statement)."""

FILE: Final = "tables/companies.yaml"
EDITS: Final = (
    (
        "a column for the company's web site",
        "  created_at: {type: timestamptz",
        '  website: {type: text, comment: "As the company gave it."}\n  created_at: {type: timestamptz',
    ),
    (
        "only administrators may remove a company",
        "  members_remove:\n    for: delete\n    to: authenticated\n    using: org_id = (select private.current_org_id())",
        "  members_remove:\n    for: delete\n    to: authenticated\n"
        "    using: org_id = (select private.current_admin_org_id())",
    ),
)
"""A change of the declarations in `FILE`: (what it means, the text before, the text after)."""

_ROWS: Final = """
insert into public.organisations (org_id, name)
values ('aaaaaaaa-0000-4000-8000-000000000001', 'Northwind'), ('bbbbbbbb-0000-4000-8000-000000000001', 'Contoso')
on conflict do nothing;
insert into public.companies (org_id, id, legal_name, ein)
select o.org_id, c.id::uuid, c.legal_name, c.ein
from public.organisations as o
join (values
  ('Northwind', 'aaaaaaaa-0000-4000-8000-000000000002', 'Acme, Inc.', '123456789'),
  ('Northwind', 'aaaaaaaa-0000-4000-8000-000000000003', 'Anvil LLC', null),
  ('Contoso', 'bbbbbbbb-0000-4000-8000-000000000002', 'Acme, Inc.', '123456789')
) as c (org, id, legal_name, ein) on c.org = o.name
on conflict do nothing;
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it happens. `database` is configured as a user would; `original` are the declarations nobody edits."""

    database: Database
    server: Server
    folder: Path
    original: Path

    @property
    def admin(self) -> Url:
        """The same database for its superuser, whom row-level security does not bind."""
        return self.server.url.with_database(NAME)


def bundled() -> Path:
    """ClearScrub's declarations: beside the package in a checkout, inside it when installed."""
    for place in (_PACKAGE / "example" / "schema", _PACKAGE.parent / "schema"):
        if (place / FILE).is_file():
            return place
    raise Stalled("the bundled example is missing from this installation", hint="install reconciler again")


def kept_folder(environ: Mapping[str, str]) -> Path:
    """Where the demonstration's server and declarations live between two runs."""
    if environ.get("XDG_DATA_HOME"):
        return Path(environ["XDG_DATA_HOME"]) / "reconciler" / "demo"
    if os.geteuid() == 0:
        # PostgreSQL refuses root, and the account in its place cannot enter root's home
        return Path("/var/lib/reconciler/demo")
    return Path.home() / ".local" / "share" / "reconciler" / "demo"


@contextmanager
def stage(folder: Path | None) -> Iterator[Stage]:
    """A running server with the database `clearscrub`, owned by the role `clearscrub`, and a copy of the declarations.

    Without `folder` everything is gone when the block ends; with it, the server's data and the applied migrations
    stay. Raises `Stalled` when another demonstration uses the folder.
    """
    with ExitStack() as until_the_end:
        if folder is None:
            home = Path(until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="reconciler-demo-")))
            server = until_the_end.enter_context(embedded.scratch(superuser="postgres"))
        else:
            home = folder / "project"
            home.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:
                folder.chmod(0o711)
            try:
                until_the_end.enter_context(lock(home))
            except BlockingIOError:
                raise Stalled(
                    f"another demonstration is running in {folder}",
                    hint="stop it, or use reconciler demo --once",
                ) from None
            server = until_the_end.enter_context(embedded.local(folder / "server"))
        original = bundled()
        _lay_out(home, original)
        database = Database(name=NAME, url=_database(server), schema_dir=home / "schema", platform="supabase")
        _forget_unapplied(database)
        yield Stage(database, server, home, original)


def seed(on: Stage) -> None:
    """A few rows of two organisations; harmless when they are there already."""
    with connect(on.admin) as session:
        session.execute(_ROWS)


def rows(on: Stage) -> dict[str, str]:
    """By table, how many rows there are and one digest over their declared content."""
    found = {}
    with connect(on.admin) as session:
        for table, columns in (
            ("organisations", "org_id, name"),
            ("companies", "org_id, id, legal_name, ein, created_at"),
        ):
            row = session.execute(
                f"select count(*), pg_catalog.md5(pg_catalog.string_agg(x::text, ',' order by x::text))"
                f" from (select {columns} from {ident('public', table)}) as x"
            ).fetchone()
            found[table] = f"{row[0]} rows, {str(row[1])[:8]}" if row else ""
    return found


def observe(on: Stage) -> Status:
    """How the database stands now, with what a page shows beside it: history, and each difference with both its sides."""
    status, _ = look(on.database, trust="reviewed")
    seen = drift(on.database, trust="reviewed") if status.drift else None
    return replace(status, facts={**status.facts, **facts(on.database, seen)})


OPENED: Final = (
    "somebody opens a policy while looking for a fault, and forgets",
    "alter policy members_read on public.companies using (true)",
)
"""What the second audit finds: (what somebody does, the statement)."""


def audits(on: Stage, told: Told = lambda stage: None) -> tuple[Audit, Audit]:
    """The audit of what is declared, and of the same as `OPENED` leaves it, attacked by one member alone. On copies: the database stays as
    it is."""
    with of_database(on.database, live=False, trust="reviewed", told=told) as subject:
        whole = audited(subject, on.database, told=told)
        copy = subject.shadow.create(template=subject.start)
        with connect(copy) as session:
            session.execute(OPENED[1].encode())
        member = next((one.name for one in whole.identities if one.sides == ("A",)), "")
        return whole, audited(replace(subject, start=copy), on.database, only=(member,), told=told)


def tamper(on: Stage) -> None:
    """Changes the database by hand, as `BY_HAND` says."""
    with connect(on.admin) as session:
        for _, sql in BY_HAND:
            session.execute(sql.encode())


def edit(on: Stage) -> None:
    """Changes the declarations, as `EDITS` says."""
    path = on.folder / "schema" / FILE
    text = path.read_text(encoding="utf-8")
    for _, before, after in EDITS:
        if text.count(before) != 1:
            raise ValueError(f"the bundled {FILE} no longer holds: {before}")
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


def take_back(on: Stage) -> None:
    """Undoes `edit`, and removes the migration that is no longer wanted."""
    shutil.copyfile(on.original / FILE, on.folder / "schema" / FILE)
    _forget_unapplied(on.database)


def _lay_out(home: Path, original: Path) -> None:
    """The declarations as they are bundled, over whatever an interrupted run left; migrations stay."""
    schema = home / "schema"
    if schema.exists():
        for entry in sorted(schema.iterdir()):
            if entry.name == "migrations":
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    shutil.copytree(original, schema, dirs_exist_ok=True, ignore=shutil.ignore_patterns("migrations"))


def _database(server: Server) -> Url:
    """The database and its owner, made where they are missing; the owner's password is new each time."""
    password = secrets.token_urlsafe(24)
    with connect(server.url) as admin:
        if admin.execute("select from pg_catalog.pg_roles where rolname = %s", (NAME,)).fetchone() is None:
            admin.execute(f"create role {ident(NAME)}")
        admin.execute(f"alter role {ident(NAME)} {_POWERS} login password {literal(password)}")
        there = admin.execute("select from pg_catalog.pg_database where datname = %s", (NAME,)).fetchone()
        if there is None:
            admin.execute(f"create database {ident(NAME)} owner {ident(NAME)} template template0")
    with connect(server.url.with_database(NAME)) as admin:
        admin.execute(prelude("supabase", owner=NAME).encode())
    return server.url.with_database(NAME).with_options(user=NAME, password=Secret(password))


def _forget_unapplied(database: Database) -> None:
    """Removes files of our own folder that an earlier run left unapplied or took back."""
    if not database.migrations.is_dir():
        return
    with connect(database.target()) as session:
        history = migrate.read(session)
    for migration in migrate.pending(history, migrate.load_directory(database.migrations)):
        (database.migrations / migration.filename).unlink(missing_ok=True)
