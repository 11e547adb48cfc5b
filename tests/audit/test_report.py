"""The reports of an audit: each says what the value says, escaped for where it is read."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from reconciler.audit.report import Audit, Exempted, document, html, markdown, remedy, sarif, write
from reconciler.audit.report.matrix import matrix
from reconciler.audit.rules import Rule
from reconciler.errors import Source
from reconciler.model import Cell, Finding, ObjectId
from reconciler.shadow.tenants.values import Identity, Owned, Tenancy

NOTES = ObjectId("table", "public", "notes")
NASTY = ObjectId("table", "public", "<script>alert(1)</script>|`x`")
LEAK = Cell(
    NOTES,
    "SELECT",
    "member",
    "leak",
    "the other tenant's row was shown",
    "select * from public.notes",
    "begin;\nselect 'LEAK: x';\nrollback;",
)
AUDIT = Audit(
    source="shop", major=18,
    tenancy=Tenancy({NOTES: Owned(NOTES, "tenant", ("org_id",), "x.org_id::text", "column org_id"), NASTY: Owned(NASTY, "unknown")}),
    identities=(Identity("anon", "anon"), Identity("member", "authenticated", {"request.jwt.claims": '{"sub": "<b>"}'}, ("A",))),
    cells=(
        LEAK,
        Cell(NOTES, "SELECT", "member", "isolated", "nothing"),
        Cell(NOTES, "INSERT", "anon", "isolated", "permission denied"),
        Cell(NASTY, "DELETE", "anon", "undecided", "no <row> | of the `other` tenant"),
        Cell(NASTY, "MERGE", "member", "bypass", "not bound"),
    ),
    findings=(
        Finding("SEC002", "warning", NASTY, "is <b>bad</b> | `really`", remedy="think about it"),
        Finding("SEC001", "warning", NOTES, "is not forced", remedy="alter table public.notes force row level security", detail="force"),
        Finding("ATK001", "error", NOTES, "shows rows of others", "select * from public.notes"),
        Finding("SEC003", "info", ObjectId("policy", "public", "notes", "p"), "is slow", remedy="alter policy p on public.notes using (<expression>);"),
    ),
    exempted=(Exempted(Finding("SEC004", "warning", NOTES, "was accepted"), "meant so", "2027-01-01"),),
    unseeded={NASTY: "a check nobody understands"}, untried=("triggers were not fired",), partial="stopped by hand",
    places={NOTES: Source("schema/tables/notes.yaml", 7)},
    rules={"SEC001": Rule("SEC001", "not forced", "warning", "a table without FORCE", "its owner sees all", "force it", ("pgrls SEC001",))},
    versions={"reconciler": "0.1", "postgresql": "18"}, seconds=1.25,
)  # fmt: skip


def test_the_document_is_json_and_says_the_worst_first() -> None:
    found = json.loads(json.dumps(document(AUDIT)))
    assert [one["severity"] for one in found["findings"]] == ["error", "warning", "warning", "info"]
    assert found["findings"][1]["key"] == "SEC001 table public.notes force"
    assert (found["findings"][1]["file"], found["findings"][1]["line"]) == ("schema/tables/notes.yaml", 7)
    assert found["summary"]["cells"] == {"leak": 1, "undecided": 1, "bypass": 1, "shared": 0, "isolated": 2}
    assert found["summary"]["decided"] == 0.8
    assert found["complete"] is False and found["partial"] == "stopped by hand"
    assert found["exempted"][0]["reason"] == "meant so"
    assert [cell["script"] for cell in found["cells"] if cell["verdict"] == "leak"] == [LEAK.script]


def test_the_matrix_shows_the_worst_of_each_command() -> None:
    found = matrix(AUDIT)
    assert found.identities == ("anon", "member")
    assert [line.object for line in found.lines] == [NOTES, NASTY]
    assert [(m.letter, m.verdict) for m in found.lines[0].marks[1]] == [("S", "leak")]
    assert found.unbound == ()
    unbound = Cell(NOTES, "SELECT", "owner", "bypass", "not bound")
    assert matrix(replace(AUDIT, cells=(*AUDIT.cells, unbound))).unbound == ("owner",)
    assert ("MERGE", "MERGE") in found.letters


# What SARIF 2.1.0 asks of each object: required properties, and the values that are enumerated (OASIS, section 3).
def test_the_log_is_sarif() -> None:
    log: Any = json.loads(json.dumps(sarif(AUDIT)))
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "reconciler"
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"]["text"] and rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
        assert 0 <= float(rule["properties"]["security-severity"]) <= 10
    assert len(run["results"]) == 5
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert set(result) <= {
            "ruleId",
            "ruleIndex",
            "level",
            "message",
            "locations",
            "partialFingerprints",
            "suppressions",
        }
        for location in result["locations"]:
            for logical in location["logicalLocations"]:
                assert logical["fullyQualifiedName"]
            if "physicalLocation" in location:
                physical = location["physicalLocation"]
                assert not re.match(r"[A-Za-z]:|/|\\", physical["artifactLocation"]["uri"])
                assert physical["region"]["startLine"] >= 1
    placed = {r["ruleId"]: r["locations"][0].get("physicalLocation") for r in run["results"]}
    assert placed["SEC001"] == {
        "artifactLocation": {"uri": "schema/tables/notes.yaml"},
        "region": {"startLine": 7},
    }
    assert placed["SEC003"] == placed["SEC001"], "a policy is declared with its table"
    assert placed["SEC002"] is None
    moved = replace(AUDIT, places={NOTES: Source("/work/repo/schema/notes.yaml", 7)})
    uris = {
        location["physicalLocation"]["artifactLocation"]["uri"]
        for r in sarif(moved, PurePosixPath("/work/repo"))["runs"][0]["results"]
        for location in r["locations"] if "physicalLocation" in location
    }  # fmt: skip
    assert uris == {"schema/notes.yaml"}
    suppressed = [r for r in run["results"] if "suppressions" in r]
    assert [r["ruleId"] for r in suppressed] == ["SEC004"]
    assert suppressed[0]["suppressions"][0]["kind"] in ("inSource", "external")
    assert run["invocations"][0]["executionSuccessful"] is True


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_file_without_scripts_and_escapes_names() -> None:
    text = html(AUDIT)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe", "b", "row"}
    assert not {name for name in tags.attributes if name.startswith("on")} and "src" not in tags.attributes
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    for said in (
        "LEAK: x",
        "stopped by hand",
        "no &lt;row&gt;",
        "a check nobody understands",
        "triggers were not fired",
        "meant so",
        "80.0 %",
    ):
        assert said in text, said


def test_markdown_shows_names_and_lets_them_mean_nothing() -> None:
    text = markdown(AUDIT)
    assert "is \\<b\\>bad\\</b\\> \\| \\`really\\`" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, "every row has as many cells"
    assert "S✗" in text and "**Partial:**" in text


def test_a_folder_holds_the_newest_audit_and_nothing_of_the_last(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    first = write(AUDIT, tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in first} == {
        "audit.html", "audit.json", "remedy.sql", "leaks/001_select_public_notes_member.sql",
    }  # fmt: skip
    assert json.loads((tmp_path / "audit.json").read_text())["format"] == 1
    write(Audit("shop", 18), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "audit.html",
        "audit.json",
        "mine.txt",
    ]


def test_only_what_is_sql_already_is_proposed() -> None:
    text = remedy(AUDIT)
    assert "alter table public.notes force row level security;" in text
    assert "think about it" not in text and "<expression>" not in text
    assert text.index("begin;") < text.index("alter table") < text.index("commit;")
    assert remedy(Audit("shop", 18)) == ""


@pytest.mark.parametrize(("severity", "count"), [("error", 1), ("warning", 3), ("info", 4)])
def test_what_counts_is_this_bad_or_worse(severity: Any, count: int) -> None:
    assert len(AUDIT.at_least(severity)) == count
