"""The report that build servers read: JUnit XML, one test case for each case, one suite for each table or file."""

from __future__ import annotations

from xml.etree import ElementTree

from reconciler.lab.report import Case, Tested


def junit(tested: Tested) -> str:
    """An XML document. What was not tried is a skipped case; a warning passes, with its sentence in the output."""
    root = ElementTree.Element("testsuites", name="reconciler test", time=f"{tested.seconds:.3f}")
    suites: dict[str, list[Case]] = {}
    for case in tested.cases:
        suites.setdefault(str(case.subject), []).append(case)
    for name, cases in suites.items():
        failures = sum(case.verdict == "failed" for case in cases)
        skipped = sum(case.verdict == "undecided" for case in cases)
        suite = ElementTree.SubElement(
            root, "testsuite", name=name, tests=str(len(cases)), failures=str(failures), skipped=str(skipped), errors="0",
            time=f"{sum(case.seconds for case in cases):.3f}",
        )  # fmt: skip
        for case in cases:
            _case(suite, name, case)
    if tested.untried:
        count = str(len(tested.untried))
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name="not tried",
            tests=count,
            failures="0",
            skipped=count,
            errors="0",
            time="0",
        )
        for sentence in tested.untried:
            one = ElementTree.SubElement(
                suite, "testcase", classname="not tried", name=clean(sentence), time="0"
            )
            ElementTree.SubElement(one, "skipped", message=clean(sentence))
    return rendered(root)


def rendered(root: ElementTree.Element) -> str:
    """The text of the document."""
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, name: str, case: Case) -> None:
    one = ElementTree.SubElement(suite, "testcase", classname=name, name=case.key, time=f"{case.seconds:.3f}")
    if case.place is not None:
        one.set("file", case.place.file)
        one.set("line", str(case.place.line))
    lines = "\n".join((*case.statements, *case.diagram, *case.difference))
    if case.verdict == "failed":
        failure = ElementTree.SubElement(
            one, "failure", message=clean(case.says), type=case.found or case.kind
        )
        failure.text = clean(lines)
    elif case.verdict == "undecided":
        ElementTree.SubElement(one, "skipped", message=clean(case.says))
    elif case.verdict == "warning":
        ElementTree.SubElement(one, "system-out").text = clean(f"{case.says}\n{lines}")


def clean(text: str) -> str:
    """Without what XML 1.0 cannot hold."""
    return "".join(
        c
        for c in text
        if c in "\t\n" or (ord(c) >= 32 and not 0xD800 <= ord(c) <= 0xDFFF and ord(c) not in (0xFFFE, 0xFFFF))
    )
