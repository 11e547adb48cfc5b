"""The daemon from outside: what moves is noticed, what the mode allows is done, and it ends as it is asked to."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator

import pytest
from processes import Ground, until

from reconciler.engine import listening
from reconciler.engine.approving import approvable, approve
from reconciler.pg import Secret, connect, ident
from reconciler.settings import Database

DRIFT = "create table t2 (id integer primary key); drop table t"
TABLE = "create table t (id integer primary key, v text);"
MORE = "create table t (id integer primary key, v text, w integer);"


def columns(ground: Ground, name: str = "one") -> list[str]:
    return [str(row[0]) for row in ground.sql(
        "select attname from pg_catalog.pg_attribute where attrelid = pg_catalog.to_regclass('t') and attnum > 0 and not attisdropped"
        " order by attnum", name,
    )]  # fmt: skip


def test_it_applies_what_is_declared_and_follows_the_files(ground: Ground) -> None:
    ground.configure(mode="apply")
    daemon = ground.start()
    until(lambda: daemon.condition() == "True", "the first pass ends in sync")
    assert columns(ground) == ["id", "v"]
    ground.declare(MORE)
    until(lambda: columns(ground) == ["id", "v", "w"], "an edit is applied")
    until(lambda: daemon.condition() == "True", "and is known to be")
    assert daemon.get("healthz") == daemon.get("readyz") == "ok\n"
    assert daemon.metrics()['reconciler_leader{database="one"}'] == 1
    audited = 'reconciler_audit_findings{database="one",severity="error"}'
    until(lambda: daemon.metrics().get(audited) == 0, "what is declared is audited")
    assert daemon.end() == 0
    assert [line["result"] for line in daemon.lines if line.get("result") == "applied"] == [
        "applied",
        "applied",
    ]
    assert ground.sql(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    ) == [(0,)]


def test_declared_invariants_are_asked_of_the_live_database(ground: Ground) -> None:
    ground.declare(
        TABLE + "create function f() returns trigger language plpgsql as $$ begin return new; end $$;\n"
        "-- reconciler: invariant positive: select id from public.t where id < 0\n"
        "create trigger f before insert on t for each row execute function f();"
    )
    ground.configure(mode="apply", invariant_interval="1s", check_interval="1s")
    daemon = ground.start()
    metric = 'reconciler_invariant_violations{database="one",invariant="positive"}'
    until(lambda: daemon.metrics().get(metric) == 0, "it holds")
    assert daemon.condition("InvariantBroken") == "False"
    ground.sql("insert into t values (-1), (-2)")
    until(lambda: daemon.metrics().get(metric) == 2, "it is broken")
    assert daemon.condition("InvariantBroken") == "True"
    assert daemon.end() == 0


def test_folders_that_are_swapped_and_made_anew(ground: Ground) -> None:
    """As git-sync does: a link above the folder leads elsewhere. And as a clumsy deployment does: away, and there again."""
    versions = {}
    for number, text in enumerate((TABLE, MORE)):
        versions[number] = ground.folder / f"tree{number}"
        (versions[number] / "schema").mkdir(parents=True)
        (versions[number] / "schema" / "all.sql").write_text(text)
    link = ground.folder / "current"
    link.symlink_to(versions[0])
    ground.configure(
        mode="apply", schema_dir=str(link / "schema"), migrations_dir=str(ground.folder / "migrations")
    )
    daemon = ground.start()
    until(lambda: columns(ground) == ["id", "v"], "the first tree is applied")
    fresh = ground.folder / "fresh"
    fresh.symlink_to(versions[1])
    fresh.replace(link)
    until(lambda: columns(ground) == ["id", "v", "w"], "the swapped tree is applied")
    until(lambda: daemon.condition() == "True", "and is known to be")
    schema = versions[1] / "schema"
    (schema / "all.sql").rename(ground.folder / "away.sql")
    schema.rmdir()
    until(lambda: daemon.condition() != "True", "a folder that is not there is no declaration of nothing")
    assert columns(ground) == ["id", "v", "w"]
    schema.mkdir()
    (schema / "all.sql").write_text(MORE.replace("w integer", "w integer, x integer"))
    until(lambda: columns(ground) == ["id", "v", "w", "x"], "the folder made anew is applied")


def test_the_listener_names_who_made_a_difference(ground: Ground) -> None:
    ground.configure(mode="observe")
    ground.sql(TABLE)
    target = Database(name="one", url=ground.url)
    listening.install(target)
    listening.install(target)
    daemon = ground.start()
    until(lambda: daemon.condition() == "True", "in sync")
    ground.sql("set application_name to 'somebody''s hand'; alter table t add column by_hand integer")
    found = until(
        lambda: daemon.status()["facts"].get("differences"), "the difference is seen, long before the clock"
    )
    (one,) = found
    assert (one["kind"], one["id"]) == ("column", "public.t.by_hand")
    assert one["by"]["application"] == "somebody's hand" and one["by"]["command"] == "ALTER TABLE"
    assert one["by"]["user"] == dict(ground.url.options)["user"]
    metrics = daemon.metrics()
    assert metrics['reconciler_drift_objects{change="drop",database="one",kind="column"}'] == 1
    assert metrics['reconciler_ddl_events_total{database="one"}'] == 1
    assert 'reconciler_leader{database="one"}' not in metrics  # nobody leads where nothing is done
    plan = until(
        lambda: daemon.status()["facts"].get("plan"), "what would be done is shown, and was rehearsed"
    )
    assert plan["proof"]["passed"] is True and plan["up"] and plan["down"]
    assert daemon.metrics()['reconciler_pending_statements{database="one"}'] == len(plan["up"])
    assert "by_hand" in daemon.get("databases/one")
    assert not (ground.folder / "schema" / "migrations").exists()  # whoever observes writes nothing
    ground.sql("alter table t drop column by_hand")
    until(lambda: daemon.condition() == "True", "in sync again")
    assert daemon.status()["facts"]["plan"] is None
    assert listening.remove(target) and not listening.remove(target)


def test_the_listener_never_fails_a_statement(ground: Ground) -> None:
    """Whatever is wrong with it: the statement of somebody else goes through."""
    ground.configure()
    listening.install(Database(name="one", url=ground.url))
    names = ", ".join(f"column_with_a_long_name_{n} integer" for n in range(400))
    ground.sql(f"create table wide ({names}); comment on table wide is '{'x' * 20_000}'; drop table wide")
    ground.sql(
        "begin; create temporary table gone (); drop table gone; create schema s; create table s.t (); drop schema s cascade; commit"
    )
    ground.sql('revoke all on function pg_catalog.jsonb_build_object(variadic "any") from public')
    ground.sql(
        "create or replace function pg_temp.pg_notify(text, text) returns void language sql as 'select 1/0'; create table u ()"
    )
    assert ground.sql("select to_regclass('u') is not null") == [(True,)]


@pytest.mark.majors
def test_one_leads_and_another_takes_over(ground: Ground) -> None:
    """Killed, and frozen: then the server ends the session after the lease, and whoever was frozen applies nothing afterwards."""
    ground.configure(mode="apply")
    first = ground.start()
    until(lambda: first.condition() == "True", "the first one works")
    second = ground.start()
    until(lambda: second.condition() == "True", "the second one looks")
    leads = 'reconciler_leader{database="one"}'
    assert (first.metrics()[leads], second.metrics()[leads]) == (1, 0)
    first.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    until(lambda: second.metrics()[leads] == 1, "the second one leads after the lease")
    assert time.monotonic() - began < 20
    ground.declare(MORE)
    until(lambda: columns(ground) == ["id", "v", "w"], "and applies")
    first.process.send_signal(signal.SIGCONT)
    until(lambda: first.metrics()[leads] == 0, "the one that was frozen knows that it leads no more")
    assert ground.sql("select epoch from reconciler.leader") == [(2,)]
    second.process.kill()
    until(lambda: first.metrics()[leads] == 1, "after a kill it leads again")
    assert ground.sql("select count(*) from reconciler.migrations") == [(2,)]


def test_a_wrong_configuration_changes_nothing_and_a_right_one_does(ground: Ground) -> None:
    ground.configure(mode="observe")
    daemon = ground.start()
    until(lambda: daemon.condition() == "False", "drift is seen")
    assert columns(ground) == []
    path = ground.folder / "reconciler.yaml"
    right = path.read_text()
    path.write_text(right.replace('"observe"', '"obsrve"'))
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "the configuration is wrong" in daemon.log, "it says so")
    assert daemon.condition() == "False" and "obsrve" not in [line.get("mode") for line in daemon.lines]
    path.unlink()
    daemon.process.send_signal(signal.SIGHUP)
    wrong = "the configuration is wrong, the one before stays"
    until(lambda: daemon.log.count(wrong) == 2, "a file that is gone is no configuration either")
    assert daemon.condition() == "False"
    before = daemon.metrics()['reconciler_drift_since_timestamp_seconds{database="one"}']
    path.write_text(right.replace('"observe"', '"propose"'))
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "the configuration was read again" in daemon.log, "another one counts")
    until(lambda: daemon.condition() == "False", "drift is seen again")
    assert daemon.metrics()['reconciler_drift_since_timestamp_seconds{database="one"}'] == before
    ground.configure("one", "two", mode="observe", each={"one": {"mode": "apply"}})
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: columns(ground) == ["id", "v"], "the new mode counts")
    until(lambda: daemon.condition("InSync", "two") == "False", "the new database is looked at")
    assert daemon.end() == 0


def test_a_database_that_is_away_troubles_no_other(ground: Ground) -> None:
    gone = ground.make().with_options(host="127.0.0.1", port="1", password=Secret("s3cret-word"))
    ground.urls["gone"] = gone
    ground.configure("one", "gone", mode="observe")
    ground.sql(TABLE)
    daemon = ground.start(RECONCILER_DATABASES__GONE__CHECK_INTERVAL="1s")
    until(lambda: daemon.condition() == "True", "the other is looked at")
    until(lambda: daemon.condition("InSync", "gone") == "Unknown", "this one is not known")
    metrics = daemon.metrics()
    assert 'reconciler_drift_detected{database="gone"}' not in metrics
    until(
        lambda: (
            len([x for x in daemon.lines if x.get("database") == "gone" and x.get("result") == "waiting"])
            >= 3
        ),
        "tried again",
    )
    assert "s3cret-word" not in daemon.log and "s3cret-word" not in daemon.get("api/v1/status") + daemon.get(
        "databases/gone"
    )


@pytest.mark.thorough
def test_what_a_person_must_change_is_not_tried_again_until_something_changed(ground: Ground) -> None:
    ground.configure(mode="apply", check_interval="1s")
    ground.sql(TABLE + "insert into t values (1, 'a')")
    ground.declare("create table t (id integer primary key);")
    daemon = ground.start(RECONCILER_DATABASES__ONE__REMOVAL="immediate")
    until(lambda: daemon.condition("Stalled") == "True", "consent is asked for")
    tries = 'reconciler_reconcile_duration_seconds_count{database="one",phase="apply"}'
    tried = daemon.metrics()[tries]
    time.sleep(4)
    assert daemon.condition("Stalled") == "True"
    assert daemon.metrics()[tries] <= tried + 1
    ground.declare(TABLE)
    until(lambda: daemon.condition() == "True" and daemon.condition("Stalled") == "False", "an edit ends it")


def test_a_pass_that_is_under_way_ends_in_order(ground: Ground) -> None:
    """A statement that takes too long is cancelled after the grace time, and nothing of it stays."""
    slow = (
        "create function slow(integer) returns integer immutable language plpgsql as $$ begin"
        " if current_setting('application_name') = 'reconciler apply' then perform pg_sleep(60); end if; return $1; end $$;"
    )
    ground.configure(mode="apply", grace="1s")
    ground.sql(f"{TABLE} {slow} insert into t values (1, 'v')")
    ground.declare(f"{TABLE} {slow} create index late on t (slow(id));")
    sleeps = (
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    )
    daemon = ground.start()
    until(lambda: ground.sql(sleeps) == [(1,)], "the index is built")
    assert daemon.end() == 0
    assert ground.sql(sleeps) == [(0,)] and ground.sql("select to_regclass('late') is null") == [(True,)]
    assert daemon.lines[-1]["in_time"] is True


def test_somebody_asks_over_http(ground: Ground) -> None:
    """A pass, a pause and its end, for whoever has the token; the token is read anew."""
    token = ground.folder / "token"
    token.write_text("a-token-of-some-length")
    ground.configure(mode="apply")
    daemon = ground.start(RECONCILER_HTTP__TOKEN_FILE=str(token))
    until(lambda: daemon.condition() == "True", "the first pass")
    assert daemon.post("reconcile", "not the token").code == 401
    assert daemon.post("suspend", "a-token-of-some-length", reason="we are moving").code == 200
    until(lambda: daemon.condition("Suspended") == "True", "the pause is seen")
    ground.declare(MORE)
    until(lambda: daemon.condition() == "False", "it goes on looking")
    time.sleep(1)
    assert columns(ground) == ["id", "v"]
    token.write_text("another-token-of-length")
    assert daemon.post("resume", "a-token-of-some-length").code == 401
    assert daemon.post("resume", "another-token-of-length").code == 200
    until(lambda: columns(ground) == ["id", "v", "w"], "and works again")
    asked = 'reconciler_reconciles_total{database="one",result="in_sync",trigger="http"}'
    before = daemon.metrics().get(asked, 0)
    assert daemon.post("reconcile", "another-token-of-length").code == 202
    until(lambda: daemon.metrics().get(asked, 0) > before, "a pass that was asked for")
    assert "token-of" not in daemon.log


def test_a_plan_that_waits_for_consent_is_approved_over_http(ground: Ground) -> None:
    token = ground.folder / "token"
    token.write_text("a-token-of-some-length")
    ground.configure(mode="apply", removal="immediate")
    ground.sql(TABLE + "insert into t values (1, 'kept')")
    ground.declare("create table t (id integer primary key);")
    daemon = ground.start(RECONCILER_HTTP__TOKEN_FILE=str(token))
    until(lambda: daemon.condition("Stalled") == "True", "consent is asked for")
    until(
        lambda: daemon.metrics().get('reconciler_hazards_awaiting_approval{database="one"}') == 1,
        "and counted",
    )
    (name,) = daemon.status()["facts"]["pending_migrations"]
    found = daemon.post(f"plans/{name.partition('_')[0]}/approve", "a-token-of-some-length")
    assert found.code == 200 and found.body["approval"]["codes"] == ["DELETES_DATA"]
    until(lambda: columns(ground) == ["id"], "it is applied")
    until(lambda: daemon.condition("Stalled") == "False", "and nobody is asked any more")
    assert daemon.metrics()['reconciler_hazards_awaiting_approval{database="one"}'] == 0
    assert daemon.metrics()['reconciler_quarantine_objects{database="one"}'] == 1


def test_consent_reaches_whoever_leads(ground: Ground) -> None:
    """Two processes with folders of their own, and no clock: a file that only the leader has is approved there, and outlives it."""
    token, address = ground.folder / "token", "a-token-of-some-length"
    token.write_text(address)
    ground.sql(TABLE)
    ground.declare("create table t (id integer primary key);")
    folders = [ground.folder / "first", ground.folder / "second"]
    daemons = []
    for folder in folders:
        ground.configure(mode="apply", removal="immediate", migrations_dir=str(folder))
        daemons.append(ground.start(RECONCILER_HTTP__TOKEN_FILE=str(token)))
        until(lambda: daemons[-1].condition() == "False", "it looks")
    first, second = daemons
    until(lambda: list(folders[0].glob("*.sql")), "who leads writes what waits")
    (file,) = folders[0].glob("*.sql")
    version = file.name[:14]
    refused = second.post(f"plans/{version}/approve", address)
    assert refused.code == 409 and f"process {first.process.pid}" in json.dumps(refused.body)
    first.process.kill()
    first.process.wait()
    until(lambda: second.metrics()['reconciler_leader{database="one"}'] == 1, "the other one leads")
    database = Database(
        name="one", url=ground.url, schema_dir=ground.folder / "schema", migrations_dir=folders[0]
    )
    approve(database, approvable(database, version))
    until(lambda: columns(ground) == ["id"], "it hears of the consent and applies what was consented to")
    assert ground.sql("select version from reconciler.migrations") == [(version,)]


@pytest.mark.thorough
def test_a_stranger_who_notifies_ends_nothing(ground: Ground) -> None:
    ground.configure(mode="apply")
    daemon = ground.start()
    leads = 'reconciler_leader{database="one"}'
    until(lambda: daemon.condition() == "True" and daemon.metrics().get(leads) == 1, "it leads")
    for payload in ("repeat('[', 7900)", "'{}'", "'null'", "'{\"objects\": 1}'", "''"):
        ground.sql(f"select pg_notify('reconciler_ddl', {payload})")
    heard = 'reconciler_ddl_events_total{database="one"}'
    until(lambda: daemon.metrics()[heard] == 4, "all of it was heard")
    ground.declare(MORE)
    until(lambda: columns(ground) == ["id", "v", "w"], "and it works on")
    assert daemon.metrics()[leads] == 1


def test_who_may_not_lead_says_what_is_missing(ground: Ground, role: str) -> None:
    """A role that may look but keep no history: a person must act, is told so once, and nobody is asked every moment."""
    ground.sql(TABLE)
    ground.sql(f"grant connect on database {ident(ground.url.database)} to {role}")
    ground.urls["one"] = ground.url.with_options(user=role, password=Secret("a word"))
    ground.configure(mode="apply")
    daemon = ground.start()
    until(lambda: daemon.condition("Stalled") == "True", "a person must act")
    (told,) = [c for c in daemon.status()["conditions"] if c["type"] == "Stalled"]
    assert "grant create on database" in told["sentence"]
    time.sleep(3)
    assert len([line for line in daemon.lines if line["level"] == "error"]) == 1


@pytest.fixture
def role(ground: Ground) -> Iterator[str]:
    name = "reconciler_test_looker"
    with connect(ground.server.url) as admin:
        admin.execute(f"drop role if exists {name}")
        admin.execute(f"create role {name} login password 'a word'")
    yield name
    for url in ground.urls.values():
        with connect(ground.server.url.with_database(url.database)) as admin:
            admin.execute(f"drop owned by {name}")
    with connect(ground.server.url) as admin:
        admin.execute(f"drop role {name}")
