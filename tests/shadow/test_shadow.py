"""Scratch databases on somebody's server go away, whatever was loaded into them."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.scope import EVERYTHING, Scope
from reconciler.embedded import Server
from reconciler.engine.copy import copied
from reconciler.errors import Stalled
from reconciler.model import ObjectId, Statement
from reconciler.pg import Url, connect
from reconciler.run.placeholders import STANDIN
from reconciler.shadow import rows, trial
from reconciler.shadow.scratch import shadow


def test_a_scratch_database_with_a_subscription_goes_away(
    server: Server, database: Callable[..., Url]
) -> None:
    with shadow(database()) as place:
        scratch = place.create()
        other = place.create()
        for each in (scratch, other):
            with connect(each) as session:
                session.execute(
                    f"create subscription {each.database} connection 'host=nowhere.invalid dbname=x' publication p with (connect = false)"
                )
        place.drop(other)
    with connect(database()) as session:
        names = (scratch.database, other.database)
        left = session.execute(
            "select from pg_catalog.pg_database where datname = any(%s)", (list(names),)
        ).fetchall()
        assert left == []
        assert (
            session.execute(
                "select from pg_catalog.pg_subscription where subname = any(%s)", (list(names),)
            ).fetchall()
            == []
        )


def test_a_copy_of_a_foreign_table_reaches_no_other_server(
    server: Server, database: Callable[..., Url]
) -> None:
    live, far = database(), database()
    with connect(far) as session:
        session.execute("create table cold (id int, note text); insert into cold values (1, 'precious')")
    with connect(live) as session:
        try:
            session.execute("create extension postgres_fdw")
        except psycopg.errors.Error:
            pytest.skip("this PostgreSQL comes without postgres_fdw")
        session.execute(
            "create server far foreign data wrapper postgres_fdw options"
            f" (host '{server.url.host}', port '{server.url.port}', dbname '{far.database}')"
        )
        session.execute(
            f"create user mapping for public server far options (user '{server.url.user}', password 'none')"
        )
        session.execute("create table hot (id int, note text) partition by range (id)")
        session.execute(
            "create foreign table cold partition of hot for values from (0) to (9) server far options (table_name 'cold')"
        )
    top, fill = ObjectId("table", "public", "hot"), Statement("update hot set note = 'made up'", "fill")
    with shadow(server.url) as place:
        with connect(live) as session:
            scratch = copied(session, live, catalog.read(session), place, EVERYTHING)
        with connect(scratch) as session:
            assert rows.hashed(session, {top: ("id", "note")}) == {}
            with pytest.raises(Stalled, match="which a rehearsal never does"):
                trial.run(session, [fill])
        place.drop(scratch)
        with (
            place.copy(live) as copy,
            connect(copy) as session,
            pytest.raises(psycopg.Error, match="no handler"),
        ):
            session.execute("insert into hot values (2, 'made up')")
    with connect(far) as session:
        assert session.execute("select note from cold").fetchall() == [("precious",)]


def test_a_copy_holds_no_secret_and_its_subscriptions_name_no_publisher(
    server: Server, database: Callable[..., Url]
) -> None:
    live = database()
    with connect(live) as session:
        session.execute("create foreign data wrapper w")
        session.execute("create server far foreign data wrapper w options (host 'a', password 'hush')")
        session.execute("create user mapping for public server far options (password 'hush')")
        for name, more in (("near", " password=hush"), ("open", "")):
            session.execute(
                f"create subscription {name} connection 'host=nowhere.invalid{more}' publication p with (connect = false)"
            )
    kept = "select s.subconninfo from pg_catalog.pg_subscription as s join pg_catalog.pg_database as d on d.oid = s.subdbid"
    mine = " where d.datname = pg_catalog.current_database() order by 1"
    with shadow(server.url) as place:
        for compared in (False, True):
            scope = Scope(connections=compared)
            with connect(live) as session:
                wanted = catalog.read(session, scope)
                scratch = copied(session, live, wanted, place, scope)
            with connect(scratch) as session:
                assert catalog.fingerprint(session, scope) == wanted.fingerprint
                found = session.execute(kept + mine).fetchall()
                assert found == [(STANDIN,), ("host=nowhere.invalid" if compared else STANDIN,)]
                options = session.execute(
                    "select m.umoptions::text || s.srvoptions::text from pg_catalog.pg_user_mappings as m, pg_catalog.pg_foreign_server as s"
                ).fetchone()
                assert options is not None and "hush" not in options[0]
            place.drop(scratch)
