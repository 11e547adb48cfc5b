"""The folder of an audit: the page, the document, and a script for each leak.

Promises that scripts of an earlier audit in the same folder are gone, and that nothing else in it is touched.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from reconciler.audit.report.document import document
from reconciler.audit.report.pages import html
from reconciler.audit.report.remedy import remedy
from reconciler.audit.report.values import Audit
from reconciler.errors import writing
from reconciler.model import Cell

FORMAT = 1
_OURS = re.compile(r"\d{3,}_\w+\.sql\Z")


def write(audit: Audit, folder: Path) -> tuple[Path, ...]:
    """Writes the files and returns their paths."""
    with writing(folder):
        return _written(audit, folder)


def _written(audit: Audit, folder: Path) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        folder / "audit.html": html(audit),
        folder / "audit.json": json.dumps({"format": FORMAT, **document(audit)}, indent=2, ensure_ascii=False)
        + "\n",
    }
    proposed = remedy(audit)
    if proposed:
        found[folder / "remedy.sql"] = proposed
    else:
        (folder / "remedy.sql").unlink(missing_ok=True)
    leaks = folder / "leaks"
    if leaks.is_dir():
        for old in leaks.iterdir():
            if _OURS.match(old.name):
                old.unlink()
    scripts = [cell for cell in audit.leaks if cell.script]
    if scripts:
        leaks.mkdir(exist_ok=True)
    for number, cell in enumerate(scripts, 1):
        found[leaks / f"{number:03}_{_slug(cell)}.sql"] = cell.script.rstrip() + "\n"
    for path, text in found.items():
        path.write_text(text, encoding="utf-8")
    return tuple(found)


def _slug(cell: Cell) -> str:
    words = f"{cell.command} {cell.object} {cell.identity}".lower()
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_")[:80] or "leak"
