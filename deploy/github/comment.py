"""The plan of a pull request as Markdown, and the exit code of the check. Nothing but the standard library.

    comment.py plan.json plan.log CODE LABELS

CODE is the exit code of `reconciler plan --check` or `reconciler diff`, LABELS a JSON list; the label `hazard DELETES_DATA` allows that hazard.
Exit 0 in sync or every hazard that needs consent reviewed, 1 one was not, else CODE: 2 wrong declarations, 3 refused, 4 later, 70 fault.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ASKED = ("ADDS_FINDING", "DELETES_DATA", "IRREVERSIBLE", "LOSSY_CAST", "REVOKES_ACCESS", "WEAKENS_ISOLATION")
"""Hazards that a person has to allow."""
LONGEST = 60_000
"""Characters: GitHub takes 65,536 in a comment."""
LINES, WIDEST = 6, 160
CUT = "\n\n… and more: see the log of the run."


def fenced(text: str, language: str = "") -> str:
    """A code block that the text cannot leave: its fence is longer than any run of backticks within."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def plain(text: object) -> str:
    """Somebody's text where Markdown is read: no markup, no links, nobody is mentioned."""
    line = " ".join(str(text).split())
    return "".join(f"&#{ord(c)};" if c in "<>&`*_[]#@|\\~" or c == ":" else c for c in line)


def shortened(statement: dict) -> str:
    """A statement under the reason for it; of what fills a screen, the beginning."""
    lines = statement["sql"].strip().rstrip(";").splitlines()
    more = [f"-- … {len(lines) - LINES} more lines"] if len(lines) > LINES else []
    shown = [line[:WIDEST] for line in lines[:LINES]]
    return "\n".join([f"-- {' '.join(statement.get('reason', '').split())}", *shown, *more])


def told(plan: dict, reviewed: frozenset[str]) -> tuple[list[str], list[str]]:
    """Paragraphs, and the hazards that somebody must look at and nobody has."""
    up = [one for one in plan["up"] if one["sql"].strip()]
    if not up:
        return ["The declared schema does not change."], []
    codes = sorted({code for one in up for code in one["hazards"]})
    missing = [code for code in codes if code in ASKED and code not in reviewed]
    paragraphs = [
        "\n".join(
            f"- {plain(one['verb'])} {plain(one['kind'])} **{plain(one['id'])}**" for one in plan["changes"]
        )
    ]
    if codes:
        says = {}
        for one in plan.get("hazards", ()):
            says.setdefault(one["code"], []).append(one["consequence"])
        rows = ["| hazard | reviewed | what happens |", "|---|---|---|"]
        for code in codes:
            state = "not needed" if code not in ASKED else "yes" if code in reviewed else "**no**"
            rows.append(f"| {plain(code)} | {state} | {'<br>'.join(map(plain, says.get(code, ())))} |")
        paragraphs.append("\n".join(rows))
    proof = plan.get("proof") or {}
    stages = [name for name in ("up", "up_again", "down", "down_again", "reup") if name in proof]
    marks = ", ".join(f"{name.replace('_', ' ')} {'✓' if proof[name] else '✗'}" for name in stages)
    paragraphs.append(f"Rehearsed on made-up rows: {marks}." if marks else "Not rehearsed.")
    paragraphs += [f"- left over: {plain(one)}" for one in proof.get("residue", ())]
    for title, statements in (("UP", up), ("DOWN", plan.get("down", ()))):
        if statements:
            block = fenced("\n\n".join(map(shortened, statements)), "sql")
            paragraphs.append(f"<details><summary>{title}</summary>\n\n{block}\n\n</details>")
    return paragraphs, missing


def judged(plan: dict | None, log: str, code: int, reviewed: frozenset[str]) -> tuple[str, int]:
    """The comment, and the exit code."""
    head = ["<!-- reconciler -->"]
    if plan is None or code not in (0, 1):
        word = {2: "The declarations are wrong", 3: "The plan is refused", 4: "Not now: try again later"}
        title = word.get(code, "reconciler failed")
        return "\n\n".join([*head, f"### {title}", fenced(log or "no message")]), code or 70
    paragraphs, missing = told(plan, reviewed)
    if missing:
        title = f"{', '.join(map(plain, missing))}: somebody has to review this"
        labels = " or ".join(f"`hazard {one}`" for one in missing)
        paragraphs.insert(0, f"Reviewed by setting the label {labels}. A push takes it off again.")
    else:
        title = "Schema: " + ("nothing changes" if len(paragraphs) == 1 else "nothing in the way")
    return "\n\n".join([*head, f"### {title}", *paragraphs]), 1 if missing else 0


def main() -> int:
    plan_file, log_file, code, labels = sys.argv[1:]
    try:
        plan = json.loads(Path(plan_file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        plan = None
    reviewed = frozenset(
        label.removeprefix("hazard ") for label in json.loads(labels) if label.startswith("hazard ")
    )
    log = Path(log_file).read_text(encoding="utf-8", errors="replace")[-8_000:]
    text, verdict = judged(plan, log, int(code), reviewed)
    print(text if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
