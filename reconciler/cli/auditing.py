"""`audit`: the rules of isolation, and two tenants who attack each other on a copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen
from reconciler.cli.subjects import LiveOption, SourceArgument, subject_of, writable, written

if TYPE_CHECKING:
    from reconciler.audit.report import Audit


@command(
    app,
    "reconciler audit                                   # the declarations, as they will stand",
    "reconciler audit --live --out report               # the live schema; page, JSON, a script for each leak",
    "reconciler audit schema.sql --fail-on warning      # a file, a folder or a URL",
    "reconciler audit --format sarif > audit.sarif      # for a code host",
    formats=("text", "json", "sarif", "html", "markdown"),
)
def audit(
    screen: Screen,
    target: Target,
    source: SourceArgument = None,
    fail_on: Annotated[
        Literal["error", "warning", "info"] | None,
        typer.Option(
            "--fail-on", help="The mildest finding that makes exit 1; default: as configured, or error."
        ),
    ] = None,
    live: LiveOption = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write page, JSON, scripts and proposed remedies there."),
    ] = None,
    remedy: Annotated[
        Path | None,
        typer.Option("--remedy", metavar="FILE", help="Write the proposed remedies as one script."),
    ] = None,
    identity: Annotated[
        list[str] | None, typer.Option("--identity", metavar="NAME", help="Who attacks; default: everybody.")
    ] = None,
    tables: Annotated[
        str | None,
        typer.Option(
            "--tables",
            metavar="TABLE=WHAT,…",
            help="Whose a table is: global, root, user, or the column that says it.",
        ),
    ] = None,
    no_attacks: Annotated[
        bool, typer.Option("--no-attacks", help="The rules alone; nothing is attacked.")
    ] = False,
    platform: Annotated[
        Literal["postgres", "supabase"] | None,
        typer.Option("--platform", help="With SOURCE: what it was written for; default: seen from it."),
    ] = None,
) -> None:
    """Attacks row-level security, policies, functions, triggers and views on a copy, as two tenants, and checks them by rules.

    Nothing is changed on the database. Exit 0; 1 when a finding is as bad as --fail-on says, 3 when the schema cannot be loaded, 4 when it was
    interrupted.
    """
    from reconciler.audit.report import html, markdown, sarif, write
    from reconciler.audit.report import remedy as remedies
    from reconciler.cli.present.audit import audit_lines
    from reconciler.engine.auditing import audited

    owned = _tables(tables)
    writable(out, remedy)
    with screen.progress() as told, subject_of(screen, target, source, live, platform, told) as opened:
        subject, database = opened
        if not no_attacks and not subject.shadow.own:
            screen.note(
                f"attacks run on scratch databases of {subject.shadow.url.redacted}, which is not a server of our own",
                style="yellow",
            )
        found = audited(
            subject, database, attacks=not no_attacks, only=identity or (), tables=owned, told=told
        )
    if out is not None:
        screen.note(f"wrote {len(write(found, out))} files to {out}")
    if remedy is not None:
        _remedied(screen, remedies(found), remedy)
    if screen.is_json:
        from reconciler.audit.report import document

        screen.document(document(found))
    elif screen.format == "sarif":
        screen.raw(json.dumps(sarif(found, Path.cwd()), indent=2, ensure_ascii=False) + "\n")
    elif screen.format == "html":
        screen.raw(html(found))
    elif screen.format == "markdown":
        screen.raw(markdown(found))
    else:
        screen.say_all(audit_lines(found))
    raise typer.Exit(exit_of(found, fail_on or database.audit.fail_on))


def _tables(text: str | None) -> dict[str, str]:
    from reconciler.errors import Usage

    found = {}
    for part in (text or "").split(","):
        name, equals, what = part.strip().partition("=")
        if equals and name.strip() and what.strip():
            found[name.strip()] = what.strip()
        elif part.strip():
            raise Usage(
                f"--tables: {part.strip()} is no TABLE=WHAT", hint="like --tables public.countries=global"
            )
    return found


def exit_of(found: Audit, fail_on: Literal["error", "warning", "info"]) -> int:
    """What was not reached is not known: an audit that somebody stopped has passed nothing."""
    if found.at_least(fail_on):
        return 1
    return 4 if found.partial else 0


def _remedied(screen: Screen, script: str, file: Path) -> None:
    if not script:
        screen.note("no remedy is mechanical: nothing was written")
        return
    written(screen, file, script)
    screen.note("read it before you run it")
