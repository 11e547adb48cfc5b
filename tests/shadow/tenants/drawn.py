"""Schemas drawn by a random number, of which it is known whose each table is: they are drawn that way."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


@dataclass
class Drawn:
    """The SQL, and by table what it is drawn as: tenant, via, user or global."""

    sql: list[str] = field(default_factory=list)
    wanted: dict[str, str] = field(default_factory=dict)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Primary keys: columns with types."""


STYLES = {
    "claim": "{c} = (auth.jwt() -> 'app_metadata' ->> 'org_id')::{t}",
    "setting": "{c} = nullif(current_setting('app.org_id', true), '')::{t}",
    "helper": "public.belongs({c})",
}
TYPES = ("uuid", "bigint", "text")
DEFAULTS = {"uuid": " default gen_random_uuid()", "bigint": " generated always as identity", "text": ""}


def drawn(seed: int, tables: int) -> Drawn:
    """A schema of so many tables; the same seed draws the same."""
    die, made = Random(seed), Drawn()
    style, type_ = die.choice(sorted(STYLES)), die.choice(TYPES)
    people = die.choice(("auth.users", "public.users")) if style == "setting" else "auth.users"
    made.sql.append(
        f"create table public.orgs (id {type_} primary key{DEFAULTS[type_]}, name text not null unique);"
    )
    if people == "public.users":
        made.sql.append(
            "create table public.users (id uuid primary key default gen_random_uuid(), email text unique);"
        )
    made.sql.append(
        f"create table public.org_members (org_id {type_} not null references orgs, user_id uuid not null references {people} (id),"
        " role text not null default 'member' check (role in ('member', 'admin')), primary key (org_id, user_id));"
    )
    made.sql.append(
        f"create function public.belongs(o {type_}) returns boolean language sql stable security definer set search_path = '' as"
        " $$ select exists (select from public.org_members m where m.org_id = o and m.user_id = auth.uid()) $$;"
        if style == "helper"
        else "select;"
    )
    made.sql.append(
        "create type public.mood as enum ('low', 'high'); create domain public.short as varchar(12) check (value <> '');"
    )
    if style == "helper":
        made.sql += [f"alter table {t} enable row level security;" for t in ("orgs", "org_members")]
        made.sql.append(
            "create policy m on orgs using (public.belongs(id)); create policy m on org_members using (public.belongs(org_id));"
        )
    for n in range(tables):
        _table(
            die,
            made,
            f"t{n}",
            STYLES[style],
            type_,
            people,
            uid="auth.uid()" if people == "auth.users" else _UID,
        )
    return made


_UID = "nullif(current_setting('app.user_id', true), '')::uuid"


def _table(die: Random, made: Drawn, name: str, condition: str, type_: str, people: str, uid: str) -> None:
    owned = [t for t, kind in made.wanted.items() if kind in ("tenant", "via")]
    kinds = ["tenant"] * 4 + ["user", "global"] + (["via"] * 3 if owned else [])
    kind = die.choice(kinds)
    own = die.choice(TYPES)
    columns, more = [f"id {own} not null{DEFAULTS[own]}"], []
    key: tuple[str, ...] = ("id",)
    if kind == "tenant":
        refers = die.choice(["", " references orgs", " references orgs on delete cascade"])
        columns.append(f"org_id {type_} not null{refers}")
        if die.random() < 0.4:
            key = ("org_id", "id")
        policy = condition.format(c="org_id", t=type_)
    elif kind == "via":
        parent = die.choice(owned)
        columns += [f"p_{c} {t} not null" for c, t in _key(made, parent)]
        names = ", ".join(f"p_{c}" for c, _ in _key(made, parent))
        late = die.choice(["", " deferrable initially deferred", " on delete cascade"])
        more.append(f"foreign key ({names}) references {parent}{late}")
        same = " and ".join(f"p.{c} = {name}.p_{c}" for c, _ in _key(made, parent))
        policy = f"exists (select from {parent} p where {same})"
        # the tenant's column of the parent is repeated here: then this table names its tenant itself
        if any(c == "org_id" for c, _ in _key(made, parent)):
            columns = [c.replace("p_org_id", "p_owner") for c in columns]
            more = [m.replace("p_org_id", "p_owner") for m in more]
            policy = policy.replace(f"{name}.p_org_id", f"{name}.p_owner")
    elif kind == "user":
        columns.append(f"user_id uuid not null references {people} (id)")
        policy = f"user_id = {uid}"
    else:
        policy = "true"
    others = [t for t, k in made.wanted.items() if k == "global" or (k == "tenant" and kind == "tenant")]
    if others and kind != "global" and die.random() < 0.5:
        other = die.choice(others)
        pairs = _key(made, other)
        shared = [c for c, _ in pairs if c == "org_id"]
        columns += [f"o_{c} {t}" for c, t in pairs if c not in shared]
        names = ", ".join(c if c in shared else f"o_{c}" for c, _ in pairs)
        more.append(f"foreign key ({names}) references {other}")
    if die.random() < 0.2 and key == ("id",):
        columns.append(f"above {own}")
        more.append(f"foreign key (above) references {name} (id)")
    columns += die.sample(_FEATURES, 3)
    if kind == "tenant" and die.random() < 0.3:
        columns.append("slug public.short not null")
        more.append("unique (org_id, slug)")
    lines = ", ".join([*columns, f"primary key ({', '.join(key)})", *more])
    made.sql.append(f"create table public.{name} ({lines});")
    made.sql.append(f"alter table public.{name} enable row level security;")
    verb = "for select " if kind == "global" else ""
    made.sql.append(f"create policy p on public.{name} {verb}to authenticated using ({policy});")
    types = {c.split(" ")[0]: c.split(" ")[1] for c in columns}
    made.keys[name] = tuple(f"{c} {types[c]}" for c in key)
    made.wanted[name] = kind


_FEATURES = [
    "title text not null", "n int check (n between 1 and 5)", "m public.mood not null", "tags text[] not null default '{}'",
    "doc jsonb", "at timestamptz not null default now()", "price numeric(6, 2) check (price >= 0)", "code text check (code ~ '^[A-Z]{3}[0-9]$')",
    "low int generated always as (2 * 3) stored", "day date not null", "span daterange", "flag boolean not null default false",
]  # fmt: skip


def _key(made: Drawn, table: str) -> list[tuple[str, str]]:
    return [(c.split(" ")[0], c.split(" ")[1]) for c in made.keys[table]]
