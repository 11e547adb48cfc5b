"""The configuration: defaults, order of precedence, and errors that point at the place without showing values."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest

from reconciler.errors import Usage
from reconciler.model import HazardCode
from reconciler.pg import Secret, Url
from reconciler.settings import Config, Duration, Listen, Overrides, find_file, json_schema, load

PASSWORD = "tr0ub4dor"


def written(folder: Path, text: str) -> Path:
    file = folder / "reconciler.yaml"
    file.write_text(textwrap.dedent(text))
    return file


def loaded(folder: Path, text: str = "", overrides: Overrides | None = None, **environ: str) -> Config:
    if text:
        written(folder, text)
    return load(overrides=overrides or Overrides(), cwd=folder, environ=environ)


def refused(folder: Path, text: str = "", overrides: Overrides | None = None, **environ: str) -> str:
    with pytest.raises(Usage) as error:
        loaded(folder, text, overrides, **environ)
    told = str(error.value)
    assert PASSWORD not in told
    assert PASSWORD not in repr(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return told


FULL = """\
databases:
  - name: clearscrub
    url: ${DATABASE_URL}
    schema_dir: db/schema
    migrations_dir: db/migrations
    mode: propose
    platform: supabase
    schemas: [public, billing]
    exclude: ["tmp_*"]
    prune: true
    removal: immediate
    tenant_column: tenant
    shadow: postgresql://u:tr0ub4dor@shadow/x
    trust: reviewed
    check_interval: 1min
    lease: 20s
    lock_timeout: 500ms
    statement_timeout: 2h
    allow: [DELETES_DATA, LOSSY_CAST]
    retention: 0d
    audit:
      fixtures: [db/fixtures/*.sql]
      identities:
        - {name: clerk, role: authenticated, tenant: both, claims: {sub: "{user}", org_id: "{tenant}", admin: true}}
        - {name: worker, role: worker, settings: {app.org_id: "{tenant}"}}
      tables: {public.countries: global, public.notes: owner_id}
      exemptions:
        - {key: "RLS004 table  private.secrets", reason: only the server reads it, expires: 2027-01-31}
        - {key: "PRF001*", reason: "measured, fast enough", expires: "2027-06-30"}
      fail_on: warning
http: {listen: "[::]:9000", token_file: token}
log: {format: json, level: debug}
"""


def test_every_key_is_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, FULL, DATABASE_URL=f"postgresql://u:{PASSWORD}@h/d")
    database = config.database("clearscrub")
    assert database.target() == Url.parse(f"postgresql://u:{PASSWORD}@h/d")
    assert database.schema_dir == tmp_path / "db/schema"
    assert database.migrations == tmp_path / "db/migrations"
    assert (database.mode, database.platform, database.removal) == ("propose", "supabase", "immediate")
    assert (database.schemas, database.exclude, database.prune) == (("public", "billing"), ("tmp_*",), True)
    assert (database.tenant_column, database.trust) == ("tenant", "reviewed")
    assert database.shadow == Url.parse(f"postgresql://u:{PASSWORD}@shadow/x")
    assert database.check_interval == Duration(60, "1min")
    assert str(database.lock_timeout) == "500ms"
    assert database.statement_timeout.seconds == 7200
    assert database.retention.seconds == 0
    assert database.allow == (HazardCode.DELETES_DATA, HazardCode.LOSSY_CAST)
    audit = database.audit
    assert audit.fixtures == (tmp_path / "db/fixtures/*.sql",)
    clerk, worker = audit.identities
    assert (clerk.name, clerk.role, clerk.tenant, worker.tenant) == ("clerk", "authenticated", "both", "A")
    assert clerk.claims == {"sub": "{user}", "org_id": "{tenant}", "admin": True}
    assert worker.settings == {"app.org_id": "{tenant}"}
    assert audit.tables == {"public.countries": "global", "public.notes": "owner_id"}
    assert [(one.key, one.expires.isoformat()) for one in audit.exemptions] == [
        ("RLS004 table private.secrets", "2027-01-31"),
        ("PRF001*", "2027-06-30"),
    ]
    assert audit.fail_on == "warning"
    assert config.http.listen == Listen("::", 9000)
    assert config.http.token_file == tmp_path / "token"
    assert (config.log.format, config.log.level) == ("json", "debug")
    assert config.file == tmp_path / "reconciler.yaml"
    assert PASSWORD not in repr(config) + str(config) + config.model_dump_json() + repr(config.model_dump())


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    database = loaded(tmp_path, "databases: [{name: a}]").database()
    seen = {key: str(getattr(database, key)) for key in type(database).model_fields}
    assert seen == {
        "name": "a",
        "url": "None",
        "url_file": "None",
        "schema_dir": str(tmp_path / "schema"),
        "migrations_dir": "None",
        "mode": "observe",
        "platform": "postgres",
        "schemas": "auto",
        "exclude": "()",
        "prune": "False",
        "removal": "phased",
        "tenant_column": "org_id",
        "shadow": "auto",
        "source": "None",
        "trust": "None",
        "check_interval": "30s",
        "invariant_interval": "5min",
        "lease": "15s",
        "lock_timeout": "2s",
        "statement_timeout": "20min",
        "online_rows": "100000",
        "guarded_rows": "1000000",
        "preflight_timeout": "30s",
        "grace": "10s",
        "allow": "()",
        "retention": "14d",
        "audit": "fixtures=() identities=() tables={} exemptions=() attacks=False fail_on='error'",
    }
    assert database.migrations == tmp_path / "schema/migrations"
    config = loaded(tmp_path)
    assert str(config.http.listen) == "127.0.0.1:8432"
    assert config.http.token() is None
    assert (config.log.format, config.log.level) == ("console", "info")


def test_the_file_is_found_upwards_and_paths_are_relative_to_it(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    file = written(tmp_path, "databases: [{name: a, schema_dir: s, url_file: u}]")
    assert find_file(deep) == file
    database = load(cwd=deep, environ={}).database()
    assert (database.schema_dir, database.url_file) == (tmp_path / "s", tmp_path / "u")
    assert load(Path("../../reconciler.yaml"), cwd=deep, environ={}).database().name == "a"


def test_without_a_file_the_command_line_is_enough(tmp_path: Path) -> None:
    given = Overrides(
        url=f"postgresql://u:{PASSWORD}@h/shop",
        schema_dir=Path("s"),
        migrations_dir=Path("m"),
        schemas="public, app",
        shadow="embedded",
        allow="all",
    )
    config = loaded(tmp_path, overrides=given)
    database = config.database()
    assert config.file is None
    assert database.name == "shop"
    assert database.target().password == Secret(PASSWORD)
    assert (database.schema_dir, database.migrations) == (tmp_path / "s", tmp_path / "m")
    assert (database.schemas, database.shadow) == (("public", "app"), "embedded")
    assert database.allow == tuple(HazardCode)


def test_without_anything_there_is_a_database_without_a_url(tmp_path: Path) -> None:
    database = loaded(tmp_path).database()
    assert database.schema_dir == tmp_path / "schema"
    with pytest.raises(Usage, match="has no URL"):
        database.target()


def test_database_url_serves_a_single_database(tmp_path: Path) -> None:
    url = "postgresql://u@h/d"
    assert loaded(tmp_path, DATABASE_URL=url).database().target() == Url.parse(url)
    assert loaded(tmp_path, "databases: [{name: a}]", DATABASE_URL=url).database().url == Url.parse(url)
    own = loaded(tmp_path, "databases: [{name: a, url: postgresql://own/x}]", DATABASE_URL=url)
    assert own.database().url == Url.parse("postgresql://own/x")
    several = loaded(tmp_path, "databases: [{name: a}, {name: b}]", DATABASE_URL=url)
    with pytest.raises(Usage, match="database a has no URL"):
        several.database("a").target()


def test_later_sources_win(tmp_path: Path) -> None:
    text = "databases: [{name: a, schemas: [file]}]"
    variable = {"RECONCILER_DATABASES__0__SCHEMAS": "environment, two"}
    assert loaded(tmp_path, text).database().schemas == ("file",)
    assert loaded(tmp_path, text, **variable).database().schemas == ("environment", "two")
    assert loaded(tmp_path, text, Overrides(schemas="line"), **variable).database().schemas == ("line",)


def test_allow_on_the_command_line_adds(tmp_path: Path) -> None:
    config = loaded(tmp_path, "databases: [{name: a, allow: [LOSSY_CAST]}]", Overrides(allow="DELETES_DATA"))
    assert config.database().allow == (HazardCode.LOSSY_CAST, HazardCode.DELETES_DATA)


def test_variables_reach_a_database_by_number_by_name_and_all_of_them(tmp_path: Path) -> None:
    text = "databases: [{name: eu-1}, {name: us}]"
    config = loaded(
        tmp_path,
        text,
        RECONCILER_DATABASES__PLATFORM="supabase",
        RECONCILER_DATABASES__0__MODE="apply",
        RECONCILER_DATABASES__EU_1__PRUNE="true",
        RECONCILER_DATABASES__US__LOCK_TIMEOUT="1s",
        RECONCILER_HTTP__LISTEN=":9000",
        RECONCILER_HTTP__TOKEN_FILE="",
        RECONCILER_LOG__FORMAT="json",
        RECONCILER_PG_BIN_16="/nowhere",
    )
    eu, us = config.databases
    assert (eu.platform, us.platform) == ("supabase", "supabase")
    assert (eu.mode, us.mode) == ("apply", "observe")
    assert (eu.prune, us.prune) == (True, False)
    assert (str(eu.lock_timeout), str(us.lock_timeout)) == ("2s", "1s")
    assert config.http.listen == Listen("0.0.0.0", 9000)
    assert config.http.token_file is None
    assert config.log.format == "json"


def test_a_container_needs_no_file(tmp_path: Path) -> None:
    config = loaded(
        tmp_path, RECONCILER_DATABASES__0__URL="postgresql://u@h/d", RECONCILER_DATABASES__0__MODE="apply"
    )
    assert (config.database().mode, config.database().target().host) == ("apply", "h")


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("RECONCILER_HTP__LISTEN", "RECONCILER_HTP__LISTEN: there is no section htp, did you mean http?"),
        ("RECONCILER_HTTP__LISTN", "RECONCILER_HTTP__LISTN: http has no key listn, did you mean listen?"),
        ("RECONCILER_DATABASES__0__MOOD", "databases has no key mood, did you mean mode?"),
        ("RECONCILER_DATABASES__7__MODE", "there is no such database"),
        ("RECONCILER_DATABASES__OTHER__MODE", "there is no such database"),
        ("RECONCILER_DATABASES__0__0__MODE", "too many parts"),
        ("RECONCILER_LOG__X__LEVEL", "too many parts"),
        (
            "RECONCILER_LOG__LEVEL",
            "RECONCILER_LOG__LEVEL: log.level must be one of debug, info, warning, error",
        ),
        ("RECONCILER_DATABASES__0__URL", "RECONCILER_DATABASES__0__URL: databases.0.url is refused"),
        ("RECONCILER_DATABASES__A__SHADOW", "must be auto, embedded, target or a URL"),
    ],
)
def test_a_variable_that_means_nothing_is_an_error(tmp_path: Path, variable: str, says: str) -> None:
    assert says in refused(tmp_path, "databases: [{name: a}]", **{variable: PASSWORD})


BASE = "databases:\n  - name: a\n"
EXEMPTED = "    audit:\n      exemptions:\n        - {key: RLS004 table t, "


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        (BASE + "    mod: apply\n", 3, "unknown key mod, did you mean mode?"),
        (
            BASE + "    statement-timeout: 1s\n",
            3,
            "unknown key statement-timeout, did you mean statement_timeout?",
        ),
        ("database: []\n", 1, "unknown key database, did you mean databases?"),
        ("log:\n  format: console\n  levle: info\n", 3, "unknown key levle, did you mean level?"),
        (BASE + "    mode: aply\n", 3, "must be one of observe, propose, apply, did you mean apply?"),
        (BASE + "    mode: 3\n", 3, "must be one of observe, propose, apply"),
        (BASE + "    lock_timeout: 2\n", 3, "needs a unit"),
        (BASE + "    lock_timeout: 0s\n", 3, "must be longer than zero"),
        (BASE + "    lock_timeout: soon\n", 3, "is not a duration"),
        (BASE + "    check_interval: -1s\n", 3, "is not a duration"),
        (BASE + "    prune: maybe\n", 3, "boolean"),
        (BASE + "    schemas: []\n", 3, "at least one schema"),
        (BASE + "    schemas: [auto, x]\n", 3, "not both"),
        (BASE + "    schemas: 3\n", 3, "must be a list, not a number"),
        (BASE + "    allow: [DELETE_DATA]\n", 3, "did you mean DELETES_DATA?"),
        (BASE + "    shadow: atuo\n", 3, "did you mean auto?"),
        (BASE + "    trust: yes\n", 3, "must be one of untrusted, reviewed"),
        (BASE + "    tenant_column: 4\n", 3, "string"),
        (BASE + "    url: mysql://u:tr0ub4dor@h/x\n", 3, "begins with postgresql://"),
        (BASE + "    url: postgresql://u:tr0ub@4dor@h/x\n", 3, "not escaped"),
        (BASE + "    url: host=h password=tr0ub4dor more\n", 3, "cannot be read"),
        (BASE + "    url: ${NOWHERE}\n", 3, "the environment variable NOWHERE is not set"),
        (BASE + "    url: ${tr0ub-4dor}\n", 3, "name of a variable"),
        (BASE + "    url: x\n    url_file: y\n", 4, "url or url_file, not both"),
        (BASE + "    url: x\n    url: postgresql://u:tr0ub4dor@h/x\n", 4, "a key is written twice"),
        (BASE + "    url postgresql://u:tr0ub4dor@h/x\n", 3, "not YAML"),
        (BASE + "    url tr0ub4dor: x\n", 3, "unknown key"),
        (BASE + "    audit: warning\n", 3, "must be a mapping"),
        (BASE + "    audit:\n      fail-on: error\n", 4, "unknown key fail-on, did you mean fail_on?"),
        (
            BASE + "    audit:\n      fail_on: warn\n",
            4,
            "must be one of error, warning, info, did you mean warning?",
        ),
        (BASE + "    audit:\n      tables: {public.t: 3}\n", 4, "needs a text for every name"),
        (BASE + "    audit:\n      fixtures: 3\n", 4, "must be a list of SQL files"),
        (BASE + "    audit:\n      exemptions: {}\n", 4, "must be a list"),
        (BASE + EXEMPTED + "reson: x}\n", 5, "unknown key reson, did you mean reason?"),
        (BASE + EXEMPTED + "reason: because}\n", 5, "must say in a few words why"),
        (BASE + EXEMPTED + "reason: it is meant so}\n", 5, "expires is missing"),
        (BASE + EXEMPTED + "reason: it is meant so, expires: soon}\n", 5, "must be a day, like 2027-01-31"),
        (BASE + "    audit:\n      exemptions:\n        - {key: everything}\n", 5, "must begin with a rule"),
        (
            BASE + "    audit:\n      identities:\n        - {name: a, rol: b}\n",
            5,
            "unknown key rol, did you mean role?",
        ),
        (
            BASE + "    audit:\n      identities:\n        - {name: a, role: b, claims: {}, settings: {}}\n",
            5,
            "not both",
        ),
        (BASE + "  - name: a\n", 3, "two databases have the name a"),
        ("databases:\n  - mode: apply\n", 2, "databases.0.name is missing"),
        ("databases:\n  - name: 12\n", 2, "must be text, not a number"),
        ("databases:\n  - a\n", 2, "must be a mapping"),
        ("databases: {a: {}}\n", 1, "must be a list"),
        ("http: 8432\n", 1, "http must be a mapping"),
        ("http:\n  listen: 8432\n", 2, "must be text"),
        ("http:\n  listen: localhost\n", 2, "write host:port"),
        ("- a\n", 1, "must be a mapping"),
        ("databases: [\n", 2, "not YAML"),
        ("a: 'tr0ub4dor\n", 2, "not YAML"),
        ("a: *tr0ub4dor\n", 1, "not YAML"),
        ("a: !tr0ub4dor x\n", 1, "unknown key a"),
        ("tr0ub4dor: tr0ub: 4dor\n", 1, "not YAML"),
    ],
)
def test_errors_name_file_and_line_and_never_the_value(
    tmp_path: Path, text: str, where: int, says: str
) -> None:
    told = refused(tmp_path, text)
    assert told.startswith(f"reconciler.yaml:{where}: ")
    assert says in told
    assert "4dor" not in told


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    told = refused(tmp_path, BASE + "    mode: x\n    colour: red\nlog: {level: loud}\n")
    assert [line.split(":")[1] for line in told.splitlines()[:3]] == ["3", "4", "5"]


def test_a_file_elsewhere_is_named_in_full(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    file = written(tmp_path, "x: 1\n")
    with pytest.raises(Usage) as error:
        load(cwd=tmp_path / "sub", environ={})
    assert str(error.value).startswith(f"{file}:1: ")
    with pytest.raises(Usage, match=r"cannot be read: missing\.yaml"):
        load(Path("missing.yaml"), cwd=tmp_path, environ={})


def test_an_escaped_variable_is_left_alone(tmp_path: Path) -> None:
    config = loaded(tmp_path, "databases: [{name: a, exclude: ['$${X}', '$X', '${Y}z']}]", Y="y")
    assert config.database().exclude == ("${X}", "$X", "yz")


def test_url_files_are_read_at_use(tmp_path: Path) -> None:
    database = loaded(tmp_path, "databases: [{name: a, url_file: secret}]").database()
    with pytest.raises(Usage, match="url_file of the database a cannot be read"):
        database.target()
    (tmp_path / "secret").write_text(f"postgresql://u:{PASSWORD}@h/one\n")
    assert database.target().database == "one"
    (tmp_path / "secret").write_text(f"postgresql://u:{PASSWORD}@h/two\n")
    assert database.target().database == "two"
    (tmp_path / "secret").write_text(f"mysql://u:{PASSWORD}@h/two\n")
    with pytest.raises(Usage) as error:
        database.target()
    assert PASSWORD not in str(error.value)
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(Usage, match="is empty"):
        database.target()


def test_the_token_is_a_secret(tmp_path: Path) -> None:
    config = loaded(tmp_path, "http: {token_file: token}")
    (tmp_path / "token").write_text(f"{PASSWORD}\n")
    assert config.http.token() == Secret(PASSWORD)


def test_the_url_of_the_command_line_needs_one_database(tmp_path: Path) -> None:
    text = "databases: [{name: a, url_file: f}, {name: b}]"
    url = "postgresql://h/x"
    assert "several are configured" in refused(tmp_path, text, Overrides(url=url))
    assert "no database aa, did you mean a?" in refused(tmp_path, text, Overrides(url=url, database="aa"))
    config = loaded(tmp_path, text, Overrides(url=url, database="a"))
    assert config.database("a").target() == Url.parse(url)
    assert config.database("b").url is None


def test_options_are_named_in_their_errors(tmp_path: Path) -> None:
    assert "--url: databases.0.url is refused" in refused(
        tmp_path, overrides=Overrides(url=f"mysql://u:{PASSWORD}@h")
    )
    assert "--allow: " in refused(tmp_path, overrides=Overrides(allow="EVERYTHING"))
    assert "DATABASE_URL: " in refused(tmp_path, DATABASE_URL=f"host=h password={PASSWORD} x")


def test_choosing_a_database(tmp_path: Path) -> None:
    config = loaded(tmp_path, "databases: [{name: orders}, {name: users}]")
    assert config.database("users").name == "users"
    with pytest.raises(Usage, match="did you mean orders"):
        config.database("order")
    with pytest.raises(Usage, match="which database: orders, users"):
        config.database()


def test_the_json_schema_knows_every_key_and_forbids_others(tmp_path: Path) -> None:
    schema = json_schema()
    json.dumps(schema)
    database = schema["$defs"]["Database"]
    assert set(database["properties"]) == set(type(loaded(tmp_path).database()).model_fields)
    assert database["additionalProperties"] is False
    assert database["properties"]["mode"]["enum"] == ["observe", "propose", "apply"]
    assert all("description" in properties for properties in database["properties"].values())


def test_durations_compare_by_length() -> None:
    assert Duration.parse("90s") > Duration.parse("1min") > Duration.parse("999ms")
    assert Duration.parse("2 h").seconds == 7200
    assert str(Duration.parse("007d")) == "7d"


REPOSITORY = "https://robot:s3cret@git.example.com:8443/team/schema.git"


def test_a_repository_instead_of_a_folder(tmp_path: Path) -> None:
    found = loaded(
        tmp_path, f"databases: [{{name: orders, source: {{git: '{REPOSITORY}', push: 'x/{{database}}'}}}}]"
    ).database()
    assert found.source is not None
    assert (found.source.branch, found.source.path, found.source.poll.seconds) == ("main", "schema", 60)
    assert (
        str(found.source.git) == "https://git.example.com:8443/team/schema.git"
        and found.pushed_to == "x/orders"
    )
    assert [one.reveal() for one in found.source.git.secrets] == ["s3cret"]
    assert "s3cret" not in repr(found) + found.model_dump_json()
    assert not found.schema_dir.exists() and not found.commit
    beside = loaded(tmp_path, "databases: [{name: orders, source: {git: ../schema}}]").database()
    assert beside.source is not None and str(beside.source.git) == str(tmp_path / "../schema")
    typed = loaded(
        tmp_path,
        "databases: [{name: orders, source: {git: ../schema}}]",
        overrides=Overrides(schema_dir=Path("here")),
    )
    assert typed.database().source is None and typed.database().schema_dir == tmp_path / "here"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("brnch: main", "did you mean branch"),
        ("branch: ../x", "not the name of a branch"),
        ("branch: --upload-pack=x", "not the name of a branch"),
        ("path: ../x", "must be a folder in the repository"),
        ("push: main", "must not push to the branch that is declared"),
        ("push: 'x/{name}'", "may hold {database}"),
        ("poll: 5", "needs a unit"),
        ("git: 'ext::sh -c s3cret'", "no address"),
        ("git: 'ext::s3cret'", "remote helpers"),
        ("git: -s3cret", "no address"),
        ("git: 'ftp://s3cret@x/y'", "by that scheme"),
        ("git: 'ssh://a:s3cret@x/y'", "only http and https"),
        ("git: 'https://x/y?token=s3cret'", "has no ?"),
        ("git: 'https://[s3cret'", "no URL"),
    ],
)
def test_what_is_wrong_with_a_repository_is_said_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    git = "" if text.startswith("git:") else "\n      git: ../schema"
    found = refused(tmp_path, f"databases:\n  - name: orders\n    source:{git}\n      {text}")
    assert says in found and "s3cret" not in found
    assert re.match(r"reconciler.yaml:[2345]: ", found)


def test_a_repository_and_a_folder_are_one_too_many(tmp_path: Path) -> None:
    both = "databases:\n  - name: orders\n    schema_dir: x\n    source: {git: ../schema}"
    assert "reconciler.yaml:3: with source, schema_dir is a folder in the repository" in refused(
        tmp_path, both
    )
    assert "must be a mapping of keys" in refused(tmp_path, "databases: [{name: orders, source: ../schema}]")
