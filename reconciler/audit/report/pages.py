"""An audit as one HTML file, and as Markdown for a pull request.

Promises that the file needs nothing but itself and runs no script, and that whatever a database calls its objects is shown and never
interpreted. The look is that of the status page.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reconciler.audit.report.matrix import GLYPHS, MEANINGS, matrix
from reconciler.audit.report.values import SEVERITIES, VERDICTS, Audit, grouped

SHOWN = 40
"""How many rows of the matrix, and how many findings, Markdown shows: code hosts cut long comments."""


def html(audit: Audit) -> str:
    """One file to be opened, mailed or kept."""
    css = resources.files("reconciler").joinpath("style.css").read_text(encoding="utf-8")
    return _pages(True).get_template("audit.html").render(**_values(audit), css=Markup(css))  # noqa: S704 - our own


def markdown(audit: Audit) -> str:
    """The same, shorter. At most `SHOWN` rows of the matrix, the worst first."""
    text = _pages(False).get_template("audit.md").render(**_values(audit), shown=SHOWN)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _values(audit: Audit) -> dict[str, object]:
    return {
        "audit": audit,
        "matrix": matrix(audit),
        "glyphs": GLYPHS,
        "meanings": MEANINGS,
        "verdicts": VERDICTS,
        "severities": SEVERITIES,
        "undecided": grouped(audit.undecided),
        "bypass": grouped(cell for cell in audit.cells if cell.verdict == "bypass"),
    }


@cache
def _pages(escaped: bool) -> Environment:
    made = Environment(
        loader=PackageLoader("reconciler.audit.report"), trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined,
        autoescape=escaped,  # noqa: S701 - Markdown has escapes of its own
    )  # fmt: skip
    made.filters["md"] = _markdown_text
    made.filters["fence"] = _fence
    made.filters["code"] = _code
    made.filters["words"] = lambda kind: str(kind).replace("_", " ")
    return made


def _markdown_text(text: object) -> str:
    """A text on one line of Markdown, with nothing in it that means anything."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", line)


def _code(text: object) -> str:
    """A text as code on one line, in a table too; backticks within need a longer fence."""
    line = " ".join(str(text).split()).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _fence(text: object) -> str:
    """A block of SQL behind a fence that nothing in it can close."""
    body = str(text).strip()
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sql\n{body}\n{fence}"
