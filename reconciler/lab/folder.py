"""The report as a folder: JSON, JUnit, a picture of each schedule that is not as it should be, and what mends it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from reconciler.errors import writing
from reconciler.lab.junit import junit
from reconciler.lab.report import Tested, document
from reconciler.lab.svg import svg


def write(tested: Tested, folder: Path) -> tuple[Path, ...]:
    """Writes the files and returns their paths; files of an earlier report of the same names are replaced."""
    content = json.dumps({"format": 1, **document(tested)}, indent=2, ensure_ascii=False) + "\n"
    files = {"test.json": content, "junit.xml": junit(tested)}
    for number, case in enumerate((c for c in tested.cases if c.verdict in ("failed", "warning")), start=1):
        name = f"{number:03}_{slug(case.key)}"
        if picture := svg(case):
            files[f"schedules/{name}.svg"] = picture
        if case.advice is not None and case.advice.script:
            head = f"-- {case.key}\n-- {case.advice.says}\n-- {case.advice.shown}\n-- Read it before you take it over.\n"
            files[f"remedies/{name}.sql"] = head + case.advice.script
    return put(folder, files)


def put(folder: Path, files: Mapping[str, str]) -> tuple[Path, ...]:
    """Writes texts by their places in the folder, and returns their paths."""
    for path, text in files.items():
        with writing(folder / path):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    return tuple(folder / path for path in files)


def slug(words: str) -> str:
    """What a file about this is called."""
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:80]
