"""What was measured, as a document for scripts, as JUnit XML for build servers, and as a folder with a picture for each trigger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from reconciler.lab.folder import put, slug
from reconciler.lab.junit import clean, rendered
from reconciler.lab.overhead.picture import svg
from reconciler.lab.overhead.values import Cost, Timed


def document(source: str, costs: Sequence[Cost]) -> dict[str, Any]:
    """Times are microseconds per row, shares are of 1; `spread` holds microseconds at the 0th to the 100th percentile."""
    return {
        "source": source,
        "triggers": [
            {
                **asdict(cost),
                "trigger": str(cost.trigger),
                "verdict": cost.verdict,
                "timed": [{**asdict(timed), "added": timed.added} for timed in cost.timed],
                "functions": [
                    {"name": name, "calls": calls, "milliseconds": spent}
                    for name, calls, spent in cost.functions
                ],
                "plans": [{"of": name, "text": text} for name, text in cost.plans],
            }
            for cost in costs
        ],
    }


def junit(costs: Sequence[Cost]) -> str:
    """An XML document: a suite for each trigger and event, a case for each size. What has no verdict is skipped."""
    root = ElementTree.Element("testsuites", name="reconciler bench")
    for cost in costs:
        name = f"{cost.trigger} on {cost.event}"
        verdicts = [timed.verdict for timed in cost.timed] or ["INCONCLUSIVE"]
        suite = ElementTree.SubElement(
            root, "testsuite", name=name, tests=str(len(verdicts)), failures=str(verdicts.count("FAIL")),
            skipped=str(verdicts.count("INCONCLUSIVE")), errors="0",
        )  # fmt: skip
        for timed in cost.timed:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=timed.size)
            if timed.verdict == "FAIL":
                ElementTree.SubElement(case, "failure", type="budget", message=sentence(timed))
            elif timed.verdict == "INCONCLUSIVE":
                ElementTree.SubElement(case, "skipped", message=sentence(timed))
        if not cost.timed:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name="measured")
            ElementTree.SubElement(case, "skipped", message=clean(cost.reason))
    return rendered(root)


def sentence(timed: Timed) -> str:
    """The figures of one size in a line."""
    found = timed.estimate
    return (
        f"{found.share:+.1%} [{found.low:+.1%}, {found.high:+.1%}] ± {found.noise:.1%}, budget {timed.budget:.0%};"
        f" {timed.off:.1f} → {timed.on:.1f} µs a row"
    )


def write(source: str, costs: Sequence[Cost], folder: Path) -> tuple[Path, ...]:
    """Writes the files and returns their paths; files of an earlier report of the same names are replaced."""
    content = json.dumps({"format": 1, **document(source, costs)}, indent=2, ensure_ascii=False) + "\n"
    files = {"bench.json": content, "junit.xml": junit(costs)}
    for number, cost in enumerate(costs, start=1):
        if picture := svg(cost):
            files[f"latency/{number:03}_{slug(f'{cost.trigger}_{cost.event}')}.svg"] = picture
    return put(folder, files)
