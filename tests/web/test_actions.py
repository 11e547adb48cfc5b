"""Who may ask for something, how it has to be asked, and what nobody gets out of asking otherwise."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import pytest
from answered import Answer
from statuses import BAD

from reconciler.errors import Stalled, Usage, Waiting
from reconciler.pg import Secret
from reconciler.settings import Listen
from reconciler.web import Board, Published, actions, serving

TOKEN = "kq3vX9-a-token-of-some-length-2f7"
VERBS = ("reconcile", "suspend", "resume", "plans/20261122000000/approve")
JSON = {"Content-Type": "application/json"}


@dataclass
class Recorder:
    """Actions that write down how they were called, and do what the test says."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    does: Callable[[], Mapping[str, Any] | None] = dict

    def reconcile(self, database: str) -> Mapping[str, Any] | None:
        self.calls.append(("reconcile", database))
        return self.does()

    def suspend(self, database: str, reason: str, who: str) -> Mapping[str, Any] | None:
        self.calls.append(("suspend", database, reason, who))
        return self.does()

    def resume(self, database: str, who: str) -> Mapping[str, Any] | None:
        self.calls.append(("resume", database, who))
        return self.does()

    def approve(
        self, database: str, version: str, who: str, *, checksum: str = ""
    ) -> Mapping[str, Any] | None:
        self.calls.append(("approve", database, version, who, checksum))
        return self.does()


@dataclass
class Site:
    """A server that takes POSTs. `token` is what its token file holds at the moment."""

    port: int = 0
    recorder: Recorder = field(default_factory=Recorder)
    token: Secret | None = field(default_factory=lambda: Secret(TOKEN))
    broken: bool = False

    def read_token(self) -> Secret | None:
        if self.broken:
            raise Usage("http.token_file cannot be read: /secret/place")
        return self.token

    def post(
        self,
        verb: str,
        body: bytes | str = b"",
        headers: Mapping[str, str | bytes] | None = None,
        *,
        token: str | bytes | None = TOKEN,
        path: str = "",
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        shown: dict[str, Any] = {} if token is None else {"Authorization": b"Bearer " + _bytes(token)}
        try:
            connection.request("POST", path or f"/api/v1/databases/bad/{verb}", _bytes(body), {**shown, **(headers or {})})  # fmt: skip
            response = connection.getresponse()
            return Answer(response.status, response.msg, response.read().decode())
        finally:
            connection.close()

    def raw(self, sent: bytes, *, then: bytes = b"", seconds: float = 30.0) -> bytes:
        """Everything that comes back until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(sent)
            found = b""
            try:
                while part := connection.recv(65536):
                    found += part
                    if then:
                        connection.sendall(then)
                        then = b""
            except ConnectionResetError:
                pass
            return found


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


@pytest.fixture(scope="module")
def _served() -> Iterator[Site]:
    site, board = Site(), Board(Published((BAD,)))

    class Lent:
        """The recorder of the test that runs."""

        def __getattr__(self, name: str) -> Any:
            return getattr(site.recorder, name)

    with serving(
        Listen("127.0.0.1", 0), lambda: board.current, actions=Lent(), token=site.read_token
    ) as server:
        site.port = server.listen.port
        yield site


@pytest.fixture
def site(_served: Site) -> Site:
    _served.recorder, _served.token, _served.broken = Recorder(), Secret(TOKEN), False
    return _served


def test_what_is_asked_for_with_the_token_is_handed_on(site: Site) -> None:
    site.recorder.does = lambda: {"more": 1}
    asked = site.post("reconcile")
    assert (asked.code, json.loads(asked.text)) == (202, {"format": 1, "database": "bad", "more": 1})
    body = json.dumps({"reason": "Wartung – „heute“"})
    paused = site.post("suspend", body, {"Content-Type": "application/json; charset=utf-8"})
    assert paused.code == 200 and paused.headers["cache-control"] == "no-store"
    assert site.post("suspend").code == 200
    assert site.post("resume", "{}", JSON).code == 200
    assert site.post(VERBS[3], '{"checksum": "abc"}', JSON).code == 200
    who = "http 127.0.0.1"
    assert site.recorder.calls == [
        ("reconcile", "bad"), ("suspend", "bad", "Wartung – „heute“", who), ("suspend", "bad", "", who),
        ("resume", "bad", who), ("approve", "bad", "20261122000000", who, "abc"),
    ]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "token",
    [
        None, "", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), f"{TOKEN} {TOKEN}", f'"{TOKEN}"', "\xff".encode("latin-1") * 40, "*", "***",
    ],
)  # fmt: skip
def test_without_the_right_token_nothing_is_done(site: Site, verb: str, token: str | bytes | None) -> None:
    answer = site.post(verb, token=token)
    assert answer.code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text
    assert site.recorder.calls == []


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (f"Authorization: bearer {TOKEN}", 202),
        (f"Authorization: BEARER    {TOKEN}  ", 202),
        (f"Authorization: Basic {TOKEN}", 401),
        (f"Authorization: {TOKEN}", 401),
        (f"Authorization: Bearer{TOKEN}", 401),
        (f"Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}", 401),
        (f"Authorization: Bearer x\r\nAuthorization: Bearer {TOKEN}", 401),
        (f"Cookie: token={TOKEN}", 401),
        (f"X-Authorization: Bearer {TOKEN}", 401),
        (f"Proxy-Authorization: Bearer {TOKEN}", 401),
    ],
)
def test_the_token_stands_in_one_header(site: Site, header: str, code: int) -> None:
    sent = f"POST /api/v1/databases/bad/reconcile HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n\r\n"
    answer = site.raw(sent.encode())
    assert int(answer.split()[1]) == code
    assert len(site.recorder.calls) == (code == 202)


@pytest.mark.parametrize("where", [f"?token={TOKEN}", f"?access_token={TOKEN}"])
def test_a_token_in_the_address_is_none(site: Site, where: str) -> None:
    assert site.post("", token=None, path=f"/api/v1/databases/bad/reconcile{where}").code == 401


def test_without_a_token_in_the_configuration_everything_is_refused(site: Site) -> None:
    for token, says in ((None, "no token"), (Secret(""), "no token"), (Secret("short"), "fewer than 16")):
        site.token = token
        for shown in (None, "", TOKEN, "short"):
            answer = site.post("suspend", token=shown)
            assert answer.code == 403 and says in json.loads(answer.text)["error"]
    site.broken = True
    answer = site.post("suspend")
    assert answer.code == 403 and "/secret/place" not in answer.text
    assert site.recorder.calls == []


def test_a_token_that_was_rotated_counts_from_the_next_request_on(site: Site) -> None:
    assert site.post("reconcile").code == 202
    site.token = Secret(TOKEN[::-1])
    assert site.post("reconcile").code == 401
    assert site.post("reconcile", token=TOKEN[::-1]).code == 202


def test_the_comparison_is_one_of_digests_of_one_length(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes how long says nothing of the token: neither its length nor how much of it is right."""
    seen = []
    real = actions.hmac.compare_digest

    def compared(left: bytes, right: bytes) -> bool:
        seen.append((left, right))
        return real(left, right)

    monkeypatch.setattr(actions.hmac, "compare_digest", compared)
    for token in ("", "x", TOKEN[:-1], TOKEN, "y" * 5000, None):
        site.post("reconcile", token=token)
    assert len(seen) == 6
    assert {len(one) for pair in seen for one in pair} == {32}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Usage("it means two", hint="write more"), 400),
        (Stalled("a right is missing", hint="grant it"), 409),
        (Waiting("not there", hint="later"), 503),
    ],
)
def test_what_goes_wrong_is_said(site: Site, error: Exception, code: int) -> None:
    def fail() -> None:
        raise error

    site.recorder.does = fail
    answer = site.post("suspend")
    assert answer.code == code
    assert json.loads(answer.text) == {"format": 1, "error": error.what, "hint": error.hint}
    assert ("retry-after" in answer.headers) == (code == 503)


def test_what_does_not_exist_is_not_found(site: Site) -> None:
    site.recorder.does = lambda: None
    for verb in VERBS:
        assert site.post(verb).code == 404


def test_a_fault_of_ours_is_survived_and_says_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("inside")

    site.recorder.does = fail
    answer = site.post("suspend")
    assert answer.code == 500
    assert json.loads(answer.text) == {"format": 1, "error": "failed"}
    end = time.monotonic() + 30
    while "RuntimeError" not in caplog.text and time.monotonic() < end:
        time.sleep(0.02)  # it is logged after it was answered
    assert "RuntimeError" in caplog.text
    site.recorder.does = dict
    assert site.post("suspend").code == 200


def test_no_log_and_no_answer_holds_the_token(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [site.post("suspend", token=token) for token in (TOKEN, TOKEN + "x", None)]
    answers.append(site.post("suspend", b"{" * 20, JSON))
    site.recorder.does = lambda: None  # there is no such database
    answers.append(site.post("", path=f"/api/v1/databases/{TOKEN}/suspend"))
    answers.append(site.post("", path=f"/api/v1/databases/bad/suspend?token={TOKEN}"))
    for raw in (
        b"POST /api/v1/databases/bad/suspend HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n bent\r\nX: \x01\r\n\r\n",
        b"POST / / HTTP/9\r\nAuthorization: Bearer %s\r\n\r\n",
    ):
        assert TOKEN.encode() not in site.raw(raw % TOKEN.encode())
    assert not any(TOKEN in answer.text or TOKEN in str(answer.headers) for answer in answers)
    assert TOKEN not in caplog.text


# What is sent


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", 200),
        ("{}", 200),
        ('{"reason": ""}', 200),
        ("[]", 400),
        ("null", 400),
        ('"reason"', 400),
        ('{"reason": 1}', 400),
        ('{"reason": null}', 400),
        ('{"reason": "x", "who": "root"}', 400),
        ("{", 400),
        ("[" * 9000, 400),
        ('{"reason": ' + "1" * 9000 + "}", 400),
        (b"\xff\xfe", 400),
        (b'{"reason": "\xff"}', 400),
    ],
)
def test_a_body_is_an_object_of_texts(site: Site, body: str | bytes, code: int) -> None:
    assert site.post("suspend", body, JSON).code == code
    assert len(site.recorder.calls) == (code == 200)


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", ""],
)  # fmt: skip
def test_a_body_of_another_type_is_refused(site: Site, kind: str) -> None:
    """A form of another site can send these three without asking first."""
    assert site.post("suspend", '{"reason": "x"}', {"Content-Type": kind}).code == 415
    assert site.post("suspend", "", {"Content-Type": kind}).code == 415
    assert site.recorder.calls == []


def test_a_body_without_a_type_is_refused(site: Site) -> None:
    head = f"POST /api/v1/databases/bad/suspend HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    assert b" 415 " in site.raw(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
    assert b" 200 " in site.raw(f"{head}Content-Length: 0\r\n\r\n".encode())
    assert len(site.recorder.calls) == 1


def _head(more: str, *, token: str = TOKEN) -> bytes:
    return (
        f"POST /api/v1/databases/bad/suspend HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\n{more}\r\n\r\n"
    ).encode()


def test_a_body_that_is_too_large_is_refused_before_it_has_come(site: Site) -> None:
    most = json.dumps({"reason": "x" * (actions.BODY - len('{"reason": ""}'))})
    assert len(most) == actions.BODY
    assert site.post("suspend", most, JSON).code == 200
    assert site.post("suspend", most + " ", JSON).code == 413
    for length in ("16385", "10000000000", "9" * 19):
        assert site.raw(_head(f"Content-Length: {length}")).startswith(b"HTTP/1.1 413")
    assert len(site.recorder.calls) == 1


def test_a_body_without_a_length_is_counted_as_it_comes(site: Site) -> None:
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    answer = site.raw(_head("Transfer-Encoding: chunked") + chunk * 5)
    assert answer.startswith(b"HTTP/1.1 413")
    small = b'e\r\n{"reason":"hi"\r\n1\r\n}\r\n0\r\n\r\n'
    assert b" 200 " in site.raw(_head("Transfer-Encoding: chunked\r\nConnection: close") + small)
    assert [call[2] for call in site.recorder.calls] == ["hi"]


def test_a_stranger_sends_no_body_at_all(site: Site) -> None:
    """It is refused at its head, and the connection ends: nothing is read for somebody without the token."""
    began = time.monotonic()
    for more in ("Content-Length: 16000", "Content-Length: 99999999", "Transfer-Encoding: chunked"):
        answer = site.raw(_head(more, token="wrong"))
        assert answer.startswith(b"HTTP/1.1 401") and b"connection: close" in answer.lower()
    answer = site.raw(_head("Content-Length: 5\r\nExpect: 100-continue", token="wrong"))
    assert answer.startswith(b"HTTP/1.1 401")
    assert time.monotonic() - began < 30


def test_what_says_two_lengths_is_refused(site: Site) -> None:
    for more in (
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: -1",
        "Content-Length: 0x2",
        "Content-Length: 2, 3",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: \x0bchunked",
    ):
        answer = site.raw(_head(more) + b"{}")
        assert answer.split()[1] in (b"400", b"501"), (more, answer)
    assert site.recorder.calls == []


def test_a_second_request_in_the_body_of_the_first_is_none(site: Site) -> None:
    """Both a length and chunks (request smuggling): chunks count, and what follows them is no request of somebody else's."""
    inner = _head("Content-Length: 0").replace(b"suspend", b"resume")
    answer = site.raw(
        _head("Content-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close") + b"0\r\n\r\n" + inner
    )
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert [call[0] for call in site.recorder.calls] in ([], ["suspend"])


def test_a_body_that_comes_slowly_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "PATIENCE", 0.4)
    began = time.monotonic()
    answer = site.raw(_head("Content-Length: 20") + b"{")
    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 30
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.sendall(_head("Transfer-Encoding: chunked"))
        answered = threading.Event()

        def drip() -> None:
            while not answered.wait(0.05):
                connection.sendall(b"1\r\n \r\n")

        dripping = threading.Thread(target=lambda: _quietly(drip))
        dripping.start()
        found = connection.recv(65536)
        answered.set()
        dripping.join()
    assert found.startswith(b"HTTP/1.1 408")
    assert site.recorder.calls == []


def test_a_body_that_breaks_off_does_nothing(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.sendall(_head("Content-Length: 20") + b'{"reason"')
    time.sleep(0.2)
    assert site.post("reconcile").code == 202
    assert [call[0] for call in site.recorder.calls] == ["reconcile"]


def _quietly(work: Callable[[], None]) -> None:
    try:
        work()
    except OSError:
        return


# Where it is sent, and by whom


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/databases/bad/SUSPEND",
        "/api/v1/databases/bad/suspend/",
        "/api/v1/databases//suspend",
        "//api/v1/databases/bad/suspend",
        "/api/v1/databases/bad%2fsuspend",
        "/api/v1/databases/bad%2Fsuspend",
        "/api/v1/databases/bad%5csuspend",
        "/api/v1/databases/%62ad/suspend",
        "/api/v1/databases/bad/%73uspend",
        "/api/v1/databases/bad%00/suspend",
        "/api/v1/databases/bad%0d%0aX-Evil:%201/suspend",
        "/api/v1/databases/./bad/suspend",
        "/api/v1/databases/x/../bad/suspend",
        "/api/v1/databases/x/%2e%2e/bad/suspend",
        "/api/v1/databases/.../suspend",
        "/api/v1/databases/bad;x/suspend",
        "/api/v1/databases/bad\\suspend",
        "/api/v1/databases/bad/plans/../suspend",
        "/api/v1/databases/bad/plans/20261122000000%2fapprove",
        "/api/v1/databases/bad/plans/20261122000000/approve/x",
        "http://localhost/api/v1/databases/bad/suspend",
        f"/api/v1/databases/{'a' * 300}/suspend",
        f"/api/v1/databases/{'a/' * 4000}suspend",
    ],
)
def test_there_is_no_other_way_to_write_an_address(site: Site, path: str) -> None:
    answer = site.raw(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.split()[1] == b"404", answer
    assert b"evil" not in answer.lower()
    assert site.recorder.calls == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post"])
def test_nothing_but_post_does_anything(site: Site, method: str) -> None:
    for verb in VERBS:
        answer = site.raw(
            f"{method} /api/v1/databases/bad/{verb} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\nX-HTTP-Method-Override: POST\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        assert answer.split()[1] == b"405", (verb, answer)
        assert b"access-control" not in answer.lower()
        assert b"allow: POST" in answer
    assert site.recorder.calls == []


def test_no_other_site_may_read_an_answer(site: Site) -> None:
    answer = site.post("reconcile", headers={"Origin": "http://evil.example"})
    assert answer.code == 202  # whoever has the token may send what header they like
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_who_asks_is_an_address_and_not_what_a_header_says(site: Site) -> None:
    spoofed = {
        "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6",
    }  # fmt: skip
    assert site.post("resume", headers=spoofed).code == 200
    assert site.recorder.calls == [("resume", "bad", "http 127.0.0.1")]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost", 202),
        ("LOCALHOST:8432", 202),
        ("localhost.", 202),
        ("reconciler.localhost:1", 202),
        ("127.0.0.1:8432", 202),
        ("127.9.9.9", 202),
        ("[::1]:8432", 202),
        ("evil.example", 421),
        ("evil.example:8432", 421),
        ("localhost.evil.example", 421),
        ("notlocalhost", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.0.0.1@evil.example", 421),
        ("evil.example#localhost", 421),
        ("10.0.0.1", 421),
        ("0.0.0.0", 421),
        ("", 421),
    ],
)
def test_a_name_that_was_made_to_point_here_is_sent_away(site: Site, host: str, code: int) -> None:
    """The server listens on 127.0.0.1: a browser that asks for another name was led here (DNS rebinding)."""
    head = f"Host: {host}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    answer = site.raw(f"POST /api/v1/databases/bad/reconcile HTTP/1.1\r\n{head}".encode())
    assert int(answer.split()[1]) == code
    page = site.raw(f"GET / HTTP/1.1\r\n{head}".encode())
    assert int(page.split()[1]) == (200 if code == 202 else 421)
    if code == 421:
        assert b"evil" not in answer + page


def test_two_hosts_are_none(site: Site) -> None:
    answer = site.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.split()[1] == b"400"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"X: a\rSet-Cookie: b", 400),
        (b"X: a\x00b", 400),
        (b"X : y", 400),
        (b"\x01: y", 400),
        (b": y", 400),
        (
            b"X: a\nSet-Cookie: b",
            202,
        ),  # a line may end so (RFC 9112, 2.2): it is another header of the request
        (b" X: y", 401),  # the line before goes on: the token is another one
    ],
)
def test_a_header_that_is_none_gets_nothing_into_the_answer(site: Site, line: bytes, code: int) -> None:
    sent = b"POST /api/v1/databases/bad/reconcile HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s\r\nConnection: close\r\n\r\n"
    answer = site.raw(sent % (TOKEN.encode(), line))
    assert int(answer.split()[1]) == code
    assert len(site.recorder.calls) == (code == 202)
    assert b"set-cookie" not in answer.lower()


# While something is under way


def test_pages_answer_while_actions_run_and_more_than_a_few_are_sent_back(site: Site) -> None:
    release, begun = threading.Event(), threading.Semaphore(0)

    def wait() -> Mapping[str, Any]:
        begun.release()
        assert release.wait(60)
        return {}

    site.recorder.does = wait
    found: list[int] = []
    asking = [
        threading.Thread(target=lambda: found.append(site.post("suspend").code)) for _ in range(actions.AT_ONCE)
    ]  # fmt: skip
    for one in asking:
        one.start()
    for _ in asking:
        assert begun.acquire(timeout=30)
    try:
        connection = HTTPConnection("127.0.0.1", site.port, timeout=30)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
        refused = site.post("suspend")
        assert refused.code == 503 and refused.headers["retry-after"]
    finally:
        release.set()
        for one in asking:
            one.join(60)
    assert found == [200] * actions.AT_ONCE
    site.recorder.does = dict
    assert site.post("suspend").code == 200


def test_the_server_ends_while_an_action_is_under_way() -> None:
    release, begun = threading.Event(), threading.Event()

    def wait() -> Mapping[str, Any]:
        begun.set()
        assert release.wait(30)
        return {}

    board = Board(Published((BAD,)))
    with serving(
        Listen("127.0.0.1", 0),
        lambda: board.current,
        actions=Recorder(does=wait),
        token=lambda: Secret(TOKEN),
    ) as server:
        client = Site(server.listen.port)
        asking = threading.Thread(
            target=lambda: _quietly(lambda: client.raw(_head("Content-Length: 0")) and None)
        )
        asking.start()
        assert begun.wait(30)
        began = time.monotonic()
    assert time.monotonic() - began < 25
    release.set()
    asking.join(30)
    assert not asking.is_alive()
