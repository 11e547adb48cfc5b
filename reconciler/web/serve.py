"""uvicorn in a thread of its own, for as long as a block runs.

Promises that the port is open when the block begins and closed when it has ended; signals stay with the main
thread.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from reconciler.errors import Stalled
from reconciler.settings import Listen
from reconciler.web.actions import Actions, Token
from reconciler.web.app import application
from reconciler.web.guard import is_loopback
from reconciler.web.patience import Patient
from reconciler.web.published import Published


@dataclass(frozen=True, slots=True)
class Serving:
    """Where the server listens; port 0 was replaced by the one it got."""

    listen: Listen

    @property
    def url(self) -> str:
        """What to type into a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.listen.host, self.listen.host)  # noqa: S104
        return f"http://{Listen(host, self.listen.port)}/"


@contextmanager
def serving(
    listen: Listen,
    read: Callable[[], Published],
    *,
    actions: Actions | None = None,
    token: Token = lambda: None,
) -> Iterator[Serving]:
    """The pages over what `read` returns; `actions` for whoever shows what `token` returns. `Stalled` when the address cannot be listened
    on."""
    sock = _bound(listen)
    # Whom a proxy names in a header is not believed: anybody can write a header.
    config = uvicorn.Config(
        application(read, actions=actions, token=token, local=is_loopback(listen.host)),
        http=Patient, ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False, server_header=False,
        proxy_headers=False, timeout_keep_alive=5, timeout_graceful_shutdown=2, h11_max_incomplete_event_size=16 * 1024,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([sock],), name="http", daemon=True)
    thread.start()
    try:
        yield Serving(Listen(listen.host, sock.getsockname()[1]))
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        sock.close()


def _bound(listen: Listen) -> socket.socket:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listen.host, listen.port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        raise Stalled(
            f"cannot listen on {listen}: {error.strerror or error}",
            hint="choose another address with http.listen, or stop what listens there",
        ) from None
    return sock
