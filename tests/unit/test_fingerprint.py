"""One fingerprint, whoever makes it: the server alone, from digests, or from facts; and no reading mixes two states."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from reconciler.catalog import snapshot
from reconciler.catalog.scope import EVERYTHING, Scope
from reconciler.embedded import Server
from reconciler.pg import Url, connect

NAMES = """
create schema "ä";
create table "ä"."Zoë:1" (id integer primary key, "z" text default 'ü', "é\tx" text, "日本" text);
create table public."a" (id integer); create table public."ä" (id integer); create table public."Ω" (id integer);
create table public."ab" (c integer); create view public.v as select 1 as "ß";
comment on table "ä"."Zoë:1" is 'ß';
create function public.f(a integer, b text) returns text language sql as $$ select 'é' $$;
"""


@pytest.mark.majors
def test_the_server_makes_the_same_fingerprint(server: Server, connection: psycopg.Connection) -> None:
    connection.execute(NAMES)
    for scope in (EVERYTHING, Scope(frozenset({"ä"}), outside=False), Scope(cluster=True)):
        facts, digests = snapshot.read(connection, scope), snapshot.read(connection, scope, depth="digests")
        assert facts.digests == digests.digests
        assert snapshot.fingerprint(connection, scope) == facts.fingerprint == digests.fingerprint


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP"])
def test_whatever_the_encoding_of_the_database(server: Server, encoding: str) -> None:
    with connect(server.url) as admin:
        admin.execute(
            f"create database fingerprint_other template template0 encoding '{encoding}' locale 'C'".encode()
        )
        try:
            with connect(server.url.with_database("fingerprint_other")) as connection:
                connection.execute(
                    "create table public.\"é\" (a text default 'ü')"
                    if encoding == "LATIN1"
                    else 'create table public."日本" (a text default \'語\', "あ" text)'
                )
                found = snapshot.read(connection)
                assert found.digests == snapshot.read(connection, depth="digests").digests
                assert snapshot.fingerprint(connection) == found.fingerprint
        finally:
            admin.execute("drop database fingerprint_other with (force)")


def test_what_moves_meanwhile_is_read_again(
    database: Callable[..., Url], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database()
    real, times = snapshot._read, []

    with connect(url) as connection, connect(url) as other:

        def disturbed(*given: object) -> snapshot.Snapshot:
            found = real(*given)  # type: ignore[arg-type]
            times.append(1)
            if len(times) < 3:
                other.execute(f"create table public.t{len(times)} (id integer)".encode())
            return found

        monkeypatch.setattr(snapshot, "_read", disturbed)
        found, mark = snapshot.probed(connection)
        assert len(times) == 3
        assert {"t1", "t2"} <= {id.name for id in found.digests}
        assert mark == snapshot.probe(connection)


def test_other_peoples_transactions_do_not_disturb(
    database: Callable[..., Url], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database()
    real, times = snapshot._read, []
    with connect(url) as connection, connect(url) as other:
        other.execute("create table public.t (id integer)")

        def busy(*given: object) -> snapshot.Snapshot:
            times.append(1)
            other.execute("insert into public.t values (1)")
            return real(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(snapshot, "_read", busy)
        snapshot.read(connection)
        assert len(times) == 1
