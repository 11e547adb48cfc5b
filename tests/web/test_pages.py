"""What a browser gets: worst first, nothing interpreted, nothing to run, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from statuses import BAD, EVIL, GOOD, NEW

from reconciler.errors import Stalled
from reconciler.settings import Listen
from reconciler.web import Board, Published, serving

PAGES = ("/", "/databases/bad", "/style.css", "/healthz", "/readyz", "/metrics", "/api/v1/status")


def test_the_worst_database_stands_first(board, ask) -> None:
    board.current = Published((GOOD, NEW, BAD))
    text = ask("/").text
    assert [text.index(f'href="/databases/{name}"') for name in ("bad", "new", "good")] == sorted(
        text.index(f'href="/databases/{name}"') for name in ("bad", "new", "good")
    )
    assert "Two objects differ" in text
    assert "not looked at yet" in text


def test_names_and_code_from_the_database_are_shown_and_never_interpreted(board, ask) -> None:
    board.current = Published((BAD,))
    for path in ("/", "/databases/bad"):
        text = ask(path).text
        assert "<script" not in text.lower()
        assert "&lt;script&gt;" in text


def test_the_differences_stand_side_by_side(board, ask) -> None:
    board.current = Published((BAD,))
    text = ask("/databases/bad").text
    assert '<tr class="changed"><td><code>  return &#39;&lt;script' in text
    assert '<tr class="same"><td><code>begin</code></td><td><code>begin</code></td></tr>' in text
    assert '<tr class="added"><td><code></code></td><td><code>org_id = 1</code></td></tr>' in text
    assert "owner" not in text  # equal on both sides
    for shown in (
        "WEAKENS_ISOLATION",
        "Rows of other tenants are seen by",
        "after down: it stays",
        "<li>up again: done</li>",
        "<li>down: failed</li>",
        "<li>up once more: not reached</li>",
        "<li>rows: kept</li>",
        "Not tried: table",
        "4.3 s, scope slice",
        "What it drops is kept.",
        "20261122000000",
        "rolled back",
        "public.forgotten",
        "As last known at 2026-11-23T03:30:00Z",
        "It differs since 2026-11-23T02:13:20Z.",
        "since 2026-11-23T03:59:00Z · made by ann ",
        " from 10.0.0.4 at 2026-11-23T03:58:59Z · <code>CREATE FUNCTION",
        "suspended by ann",
        "commit <code>0a1b2c",
        "lawsuit",
        "bob",
        "8192",
        "0.250",
        "1.2 to 3.5 s on the rows there are",
        "blocks INSERT, UPDATE",
    ):
        assert shown in text


def test_the_newest_run_stands_first_and_a_pause_is_seen_on_the_first_page(board, ask) -> None:
    board.current = Published((BAD, GOOD))
    text = ask("/databases/bad").text
    assert text.index("20261122000001") < text.index("20261122000000")
    assert ask("/").text.count(">suspended</span>") == 1


def test_whatever_is_not_known_is_not_mentioned(board, ask) -> None:
    """Each fact may be missing or null, alone and within the others."""
    keys = (
        "differences",
        "plan",
        "history",
        "quarantine",
        "suspension",
        "source",
        "drift_since",
        "drift_as_of",
        "major",
        "mode",
    )
    bare = {
        "differences": [{"verb": "drop", "kind": "table", "id": "t", "live": None, "declared": None, "since": None, "by": None}],
        "plan": {"up": [{"sql": "select 1", "reason": "", "source": "catalog", "transactional": True, "hazards": []}], "proof": None},
        "history": [{"version": "1", "slug": "", "direction": "up", "applied_by": "", "started_at": "", "seconds": 0}],
        "quarantine": [{"kind": "table", "id": "t", "kept_as": "q", "kept_at": "", "rows": None, "bytes": 0, "held": None}],
        "suspension": {"who": "a", "at": "", "reason": ""},
        "source": {"commit": None},
    }  # fmt: skip
    for facts in ({}, dict.fromkeys(keys), bare):
        board.current = Published((replace(BAD, facts=facts),))
        for path in ("/", "/databases/bad", "/metrics", "/api/v1/databases/bad"):
            answer = ask(path)
            assert answer.code == 200, (path, facts)
            assert "None" not in answer.text.replace("None known", "")


def test_in_sync_is_said_only_when_it_is_known(board, ask) -> None:
    board.current = Published((GOOD, NEW))
    assert "the database is what its files say" in ask("/databases/good").text
    assert "the database is what its files say" not in ask("/databases/new").text


def test_no_page_needs_a_script_or_another_machine(board, ask) -> None:
    board.current = Published((GOOD, BAD))
    for path in ("/", "/databases/bad"):
        text = ask(path).text
        assert not re.search(r"""(src|href)\s*=\s*["'](https?:)?//""", text)
        assert not re.search(r"""\son\w+\s*=|style\s*=|javascript:""", text)
        assert '<meta name="viewport"' in text


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/api/v1/databases/none"])
def test_every_answer_carries_the_security_headers(board, ask, path) -> None:
    board.current = Published((BAD,))
    headers = ask(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_head_is_get_without_a_body(board, ask, path) -> None:
    board.current = Published((BAD,))
    head, get = ask(path, "HEAD"), ask(path)
    assert head.code == get.code == 200
    assert head.text == ""
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/metrics/",
        "/databases/none",
        "/databases/",
        "/databases/../bad",
        "/databases/%2e%2e%2fbad",
        "/databases/bad%00",
        "/databases/bad/../../etc/passwd",
        "/style.css/../templates/index.html",
        "/templates/index.html",
        "//bad",
        "/api/v1/databases/none",
        f"/databases/{EVIL.replace(' ', '%20')}",
    ],
)
def test_there_is_nothing_but_the_pages(board, ask, path) -> None:
    board.current = Published((BAD,))
    answer = ask(path)
    assert answer.code == 404
    assert "<script" not in answer.text


def test_other_methods_are_refused(board, ask) -> None:
    board.current = Published((BAD,))
    for method in ("POST", "PUT", "DELETE"):
        answer = ask("/", method)
        assert answer.code == 405
        assert "GET" in answer.headers["allow"]
    for verb in ("reconcile", "suspend", "resume", "plans/20261122000000/approve"):
        answer = ask(f"/api/v1/databases/bad/{verb}", "POST")
        assert answer.code == 403
        assert "no token" in json.loads(answer.text)["error"]


def test_the_api_says_the_same_as_the_page(board, ask) -> None:
    board.current = Published((GOOD, BAD))
    answer = json.loads(ask("/api/v1/status").text)
    assert answer["format"] == 1
    assert [database["database"] for database in answer["databases"]] == ["bad", "good"]
    one = json.loads(ask("/api/v1/databases/bad").text)
    assert one["drift"][0] == {
        "verb": "alter",
        "kind": "function",
        "id": f'public."{EVIL.replace(chr(34), chr(34) * 2)}"()',
        "attributes": ["body"],
    }
    assert [c["as_wished"] for c in one["conditions"]] == [False, False, True, False]
    assert one["extra"] == [{"kind": "table", "id": "public.forgotten"}]


def test_alive_is_about_the_loop_and_ready_about_the_first_look(board, ask) -> None:
    assert ask("/healthz").code == 200
    assert ask("/readyz").code == 503
    board.current = Published((GOOD, NEW), deadline=0.0)
    assert ask("/healthz").code == 503
    assert ask("/readyz").code == 503
    board.current = Published((GOOD, BAD), deadline=float("inf"))
    assert ask("/healthz").code == 200
    assert ask("/readyz").code == 200


def test_an_address_that_is_taken_is_refused_with_the_reason() -> None:
    board = Board()
    with serving(Listen("127.0.0.1", 0), lambda: board.current) as server:
        assert server.url == f"http://127.0.0.1:{server.listen.port}/"
        with (
            pytest.raises(Stalled, match="cannot listen on") as refused,
            serving(server.listen, lambda: board.current),
        ):
            pass
        assert "http.listen" in refused.value.hint


def test_the_page_is_loaded_again_only_when_one_asks_for_it(board, ask) -> None:
    """Content that moves under its reader must be his choice (WCAG 2.2, success criterion 2.2.1)."""
    board.current = Published((GOOD,))
    assert 'http-equiv="refresh"' not in ask("/").text
    assert '<meta http-equiv="refresh" content="30">' in ask("/?again").text


def test_the_audit_is_shown_worst_first_and_escaped(board, ask) -> None:
    board.current = Published((GOOD, BAD))
    text = ask("/databases/bad").text
    assert "1 errors, 2 warnings" in text and "98.7 %" in text
    assert "public.&lt;b&gt;notes&lt;/b&gt;" in text
    assert "<h2>Audit" not in ask("/databases/good").text
