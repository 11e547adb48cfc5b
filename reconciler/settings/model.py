"""The configuration as values: every key of `reconciler.yaml`, its default and its meaning.

Knows nothing of files, variables and the command line (`load.py`). Unknown keys are errors. Values are
frozen, and nothing that prints a configuration shows a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, PrivateAttr, model_validator

from reconciler.errors import Usage
from reconciler.model import HazardCode, Limits
from reconciler.pg import Secret, Url
from reconciler.settings.audit import Audit
from reconciler.settings.duration import Duration
from reconciler.settings.fields import (
    Branch,
    Count,
    DatabaseUrl,
    Flag,
    Folder,
    Hazards,
    Length,
    Listen,
    ListenAt,
    Name,
    Names,
    NeededPath,
    OptionalPath,
    Positive,
    PushedBranch,
    RepositoryAt,
    Schemas,
    Shadow,
    closest,
    mapping,
)
from reconciler.settings.section import Section

Mode = Literal["observe", "propose", "apply"]
Platform = Literal["postgres", "supabase"]
Removal = Literal["phased", "immediate"]
Trust = Literal["untrusted", "reviewed"]


class GitSource(Section):
    """The git repository that holds the declarations, where no folder of this machine does."""

    git: Annotated[RepositoryAt, Field(description="URL or path; ${VARIABLE} keeps the token out")]
    branch: Annotated[Branch, Field(description="Whose newest commit is declared")] = "main"
    path: Annotated[Folder, Field(description="The folder of the declarations in the repository")] = "schema"
    poll: Annotated[Positive, Field(description="Time between two fetches")] = Duration(60, "60s")
    push: Annotated[
        PushedBranch, Field(description="propose: the branch for migrations, like reconciler/{database}")
    ] = None


class Database(Section):
    """One database and how it is kept equal to its declarations."""

    name: Annotated[Name, Field(description="How pages, metrics and messages call it")]
    url: Annotated[DatabaseUrl, Field(description="Where it is; ${VARIABLE} keeps the password out")] = None
    url_file: Annotated[OptionalPath, Field(description="A file that holds the URL; read at each use")] = None
    schema_dir: Annotated[NeededPath, Field(description="The folder of the declarations")] = Path("schema")
    migrations_dir: Annotated[OptionalPath, Field(description="Default: migrations in schema_dir")] = None
    source: Annotated[
        GitSource | None,
        BeforeValidator(mapping),
        Field(description="A git repository instead of schema_dir"),
    ] = None
    mode: Annotated[Mode, Field(description="observe, propose (write migrations) or apply them")] = "observe"
    platform: Annotated[Platform, Field(description="Whose objects are left alone")] = "postgres"
    schemas: Annotated[Schemas, Field(description="auto: public and those the declarations fill")] = "auto"
    exclude: Annotated[Names, Field(description="Schemas left out; * and ? are wildcards")] = ()
    prune: Annotated[Flag, Field(description="Drop undeclared objects that nobody adopted")] = False
    removal: Annotated[Removal, Field(description="phased: a removed column is nullable first")] = "phased"
    tenant_column: Annotated[str | None, Field(description="The column that names the tenant")] = "org_id"
    shadow: Annotated[Shadow, Field(description="Where plans are rehearsed")] = "auto"
    trust: Annotated[Trust | None, Field(description="Whether declarations may use a superuser")] = None
    check_interval: Annotated[Positive, Field(description="Time between two checks")] = Duration(30, "30s")
    invariant_interval: Annotated[
        Length, Field(description="Time between two questions to the declared invariants; 0s: not asked")
    ] = Duration(300, "5min")
    lease: Annotated[Positive, Field(description="How long a silent leader stays leader")] = Duration(
        15, "15s"
    )
    lock_timeout: Annotated[Positive, Field(description="Longest wait for a lock")] = Duration(2, "2s")
    statement_timeout: Annotated[Positive, Field(description="Longest statement")] = Duration(1200, "20min")
    online_rows: Annotated[
        Count, Field(description="From how many rows on a table is changed without blocking its users")
    ] = 100_000
    guarded_rows: Annotated[
        Count, Field(description="From how many rows on a plan needs measured locks and times")
    ] = 1_000_000
    preflight_timeout: Annotated[
        Positive, Field(description="Longest question to the rows before an apply")
    ] = Duration(30, "30s")
    grace: Annotated[Positive, Field(description="How long a statement may go on after SIGTERM")] = Duration(
        10, "10s"
    )
    allow: Annotated[Hazards, Field(description="Hazards that need no approval")] = ()
    retention: Annotated[Length, Field(description="How long dropped data is kept")] = Duration(
        1209600, "14d"
    )
    audit: Annotated[
        Audit, BeforeValidator(mapping), Field(description="What the audit cannot read from the schema")
    ] = Audit()

    @model_validator(mode="after")
    def _pushes_elsewhere(self) -> Database:
        if self.source is not None and self.pushed_to == self.source.branch:
            raise ValueError("must not push to the branch that is declared: give source.push another name")
        return self

    @property
    def pushed_to(self) -> str:
        """The branch that takes migrations; empty when none does."""
        pattern = self.source.push if self.source is not None else None
        return (pattern or "").replace("{database}", self.name)

    @property
    def tenants_by(self) -> str:
        """The column that names the tenant, where somebody wrote so; empty where it is only what we write into new tables."""
        return (self.tenant_column or "") if "tenant_column" in self.model_fields_set else ""

    @property
    def limits(self) -> Limits:
        """From how many rows on a table is busy."""
        return Limits(self.online_rows, self.guarded_rows)

    _typed: tuple[HazardCode, ...] = PrivateAttr(default=())

    @property
    def typed(self) -> tuple[HazardCode, ...]:
        """Those of `allow` that were typed on the command line: somebody allows them now."""
        return self._typed

    _commit: str = PrivateAttr(default="")
    _tree: Path | None = PrivateAttr(default=None)

    @property
    def commit(self) -> str:
        """The commit whose files are declared; empty where they are in no repository, or nobody has fetched it yet."""
        return self._commit

    @property
    def tree(self) -> Path | None:
        """The folder with the files of that commit."""
        return self._tree

    @property
    def origin(self) -> str:
        """Where the declarations came from, for the history; empty for a folder."""
        return f"commit {self._commit[:8]} of {self.source.branch}" if self.source and self._commit else ""

    def at(self, commit: str, tree: Path) -> Database:
        """The same with the declarations of a commit, whose files are under `tree`."""
        assert self.source is not None
        own = self.migrations_dir
        found = self.model_copy(
            update={"schema_dir": tree / self.source.path, "migrations_dir": tree / own if own else None}
        )
        found._commit, found._tree = commit, tree
        return found

    @property
    def migrations(self) -> Path:
        """The folder of the migration files."""
        return self.migrations_dir or self.schema_dir / "migrations"

    def target(self) -> Url:
        """The URL; `url_file` is read now, so that a rotated password counts. `Usage` when there is none."""
        if self.url is not None:
            return self.url
        if self.url_file is None:
            raise Usage(
                f"the database {self.name} has no URL", hint="give url: or url_file:, --url, or DATABASE_URL"
            )
        return Url.parse(_content(self.url_file, f"url_file of the database {self.name}"))


class Http(Section):
    """The status page, the metrics and the API."""

    listen: Annotated[ListenAt, Field(description="host:port")] = Listen("127.0.0.1", 8432)
    token_file: Annotated[OptionalPath, Field(description="Holds the bearer token; none: read-only")] = None

    def token(self) -> Secret | None:
        """The bearer token, read now; None when no file is configured. `Usage` when the file is empty."""
        return None if self.token_file is None else _content(self.token_file, "http.token_file")


class Log(Section):
    """What is written to stderr."""

    format: Annotated[Literal["console", "json"], Field(description="For people or for machines")] = "console"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="The least severe line written")
    ] = "info"


class Config(Section):
    """The whole configuration. `file` is where it came from; None when there is no file."""

    databases: Annotated[
        tuple[Database, ...], Field(description="The databases to look after", strict=False)
    ] = ()
    http: Http = Http()
    log: Log = Log()
    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        return self._file

    def database(self, name: str | None = None) -> Database:
        """The database of that name; without a name the only one. `Usage` when that is not clear."""
        names = tuple(database.name for database in self.databases)
        if name is None and len(self.databases) == 1:
            return self.databases[0]
        if name is None:
            raise Usage(f"which database: {', '.join(names) or 'none is configured'}?", hint="name it")
        for database in self.databases:
            if database.name == name:
                return database
        raise Usage(
            f"there is no database {name}{closest(name, names)}", hint=f"there are: {', '.join(names)}"
        )


SECTIONS: Final[Mapping[str, type[BaseModel]]] = {"databases": Database, "http": Http, "log": Log}
"""What stands at the top level, and the keys within."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `reconciler.yaml`, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def _content(file: Path, what: str) -> Secret:
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Usage(
            f"{what} cannot be read: {file} ({reason})", hint="write the value into that file"
        ) from None
    if not text:
        raise Usage(f"{what} is empty: {file}", hint="write the value into that file")
    return Secret(text)
