"""`explain`, `schema` and `doctor`: what the program knows, and what a place lacks."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from reconciler.cli.app import app
from reconciler.cli.options import Target, command
from reconciler.cli.screen import Screen


@command(
    app,
    "reconciler explain                                 # all codes",
    "reconciler explain DELETES_DATA                    # a hazard of a plan",
    "reconciler explain RLS001                          # a rule of the audit",
)
def explain(
    screen: Screen,
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="[CODE]", help="A hazard, as plans name it, or a rule of the audit.", show_default=False
        ),
    ] = None,
) -> None:
    """Explains a hazard or a rule of the audit: what it means, why it matters, what to do instead, with an example."""
    from reconciler.audit.rules import RULES
    from reconciler.cli.present import advice
    from reconciler.engine.explain import EXPLANATIONS, ExplainedRule
    from reconciler.engine.explain import explain as explained

    if code is None:
        if screen.is_json:
            rules = [advice.rule(one) for one in RULES.values()]
            screen.document({"codes": [advice.explanation(one) for one in EXPLANATIONS], "rules": rules})
        else:
            screen.say_all(advice.codes_lines(EXPLANATIONS, RULES.values()))
        return
    found = explained(code)
    if isinstance(found, ExplainedRule):
        if screen.is_json:
            screen.document(advice.rule(found.rule, found.example))
        else:
            screen.say_all(advice.rule_lines(found.rule, found.example))
    elif screen.is_json:
        screen.document(advice.explanation(found))
    else:
        screen.say_all(advice.explanation_lines(found))


@command(
    app,
    "reconciler schema                                  # both, as one document",
    "reconciler schema configuration > reconciler.schema.json",
    "reconciler schema declarations > declarations.schema.json",
)
def schema(
    screen: Screen,
    which: Annotated[
        str | None,
        typer.Argument(metavar="[configuration|declarations]", help="One alone.", show_default=False),
    ] = None,
) -> None:
    """Prints the JSON Schemas of reconciler.yaml and of the declarations, for editors."""
    from reconciler import declare, settings
    from reconciler.errors import Usage

    both = {"configuration": settings.json_schema, "declarations": declare.json_schema}
    if which is None:
        screen.document({name: made() for name, made in both.items()})
        return
    if which not in both:
        raise Usage(f"there is no schema {which}", hint=f"there are: {', '.join(both)}")
    screen.raw(json.dumps(both[which](), indent=2, ensure_ascii=False) + "\n")


@command(
    app,
    "reconciler doctor",
    "reconciler doctor --fix > grants.sql               # what an administrator should run",
)
def doctor(
    screen: Screen,
    target: Target,
    fix: Annotated[
        bool, typer.Option("--fix", help="Print the statements that would help; run none.")
    ] = False,
) -> None:
    """Checks what reconciler needs: configuration, programs, connection, rights, extensions, pooler, clock.

    Exit 0 when nothing is missing, 1 when something is, 4 when a database cannot be reached.
    """
    from reconciler.cli.present import advice
    from reconciler.engine import doctor as engine_doctor
    from reconciler.engine.looking import gravest

    found = []
    for database in target.all(screen, files=False):
        with screen.progress() as told:
            found.append((database.name, engine_doctor.examine(database, told=told)))
    if screen.is_json:
        screen.document(
            {
                "databases": [
                    {"database": name, "checks": [advice.check(one) for one in checks]}
                    for name, checks in found
                ]
            }
        )
    elif fix:
        for name, checks in found:
            screen.say_all(advice.fix_lines(name, checks))
    else:
        for name, checks in found:
            screen.say_all(advice.check_lines(name, checks))
    raise typer.Exit(gravest(one.code for _, checks in found for one in checks))
