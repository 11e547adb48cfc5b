"""An SQL file as declarations: its statements, and what its comments say to us.

Promises statements with exact lines, and one error that names every refused one. Never touches a database.
"""

from __future__ import annotations

from reconciler.declare.directives import annotate
from reconciler.declare.gathered import Gathered
from reconciler.declare.lexer import Raw, Text, statements
from reconciler.declare.node import together
from reconciler.declare.refused import is_transaction_control, why_no_declaration, why_refused
from reconciler.declare.values import DeclaredFile, DeclaredStatement
from reconciler.errors import Usage


def split(sql: str, file: str) -> tuple[DeclaredStatement, ...]:
    """The statements of an SQL text in order. Raises `Usage` for what cannot be cut; refuses nothing else."""
    text = Text(sql, file)
    return tuple(_declared(text, raw) for raw in statements(text))


def read_sql(text: str, file: str) -> DeclaredFile:
    """An SQL file that is not part of a declaration directory: rows are welcome. Raises `Usage`."""
    return read_statements(text, file, rows=True).file


def read_statements(
    sql: str, file: str, first: int = 1, schema: str = "public", *, rows: bool = False
) -> Gathered:
    """Statements and annotations of an SQL text that begins at line `first` of its file.

    `schema` is where names without a schema belong until the text sets another search_path.
    """
    text = Text(sql.removeprefix("\ufeff"), file, first)
    kept: list[Raw] = []
    faults: list[Usage] = []
    for raw in statements(text):
        reason = why_refused(raw) or ("" if rows else why_no_declaration(raw))
        if reason:
            faults.append(Usage(reason, sources=(text.source(raw.start),)))
        elif not is_transaction_control(raw):
            kept.append(raw)
    found = Gathered()
    try:
        annotate(text, kept, schema, found)
    except Usage as fault:
        faults.append(fault)
    if faults:
        raise together(faults)
    found.file = DeclaredFile(file, tuple(_declared(text, raw) for raw in kept))
    return found


def one_statement(rendered: DeclaredStatement) -> DeclaredStatement:
    """The statement itself, when it is exactly one and allowed. Raises `Usage` when a fragment breaks out of it."""
    text = Text(rendered.sql, rendered.source.file)
    found = list(statements(text))
    if len(found) != 1 or sum(t.text == "(" for t in found[0].tokens) != sum(
        t.text == ")" for t in found[0].tokens
    ):
        raise Usage(
            "this SQL does not fit here: a semicolon, a parenthesis or a quote is too many or missing",
            hint="statements of their own belong in a .sql file or under sql:",
            sources=(rendered.at(found[1].start) if len(found) > 1 else rendered.source,),
        )
    reason = why_refused(found[0])
    if reason:
        raise Usage(reason, sources=(rendered.source,))
    return rendered


def _declared(text: Text, raw: Raw) -> DeclaredStatement:
    comments = "\n".join(token.text for token in raw.before)
    return DeclaredStatement(raw.sql, text.source(raw.start), comments, data=raw.data)
