"""Each schema is attacked once for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from attacked_schemas import HERE, Seen, attacks_on

from reconciler.embedded import Server
from reconciler.shadow.scratch import shadow


@pytest.fixture(scope="session")
def attacked_of(server: Server) -> Iterator[Callable[[str], Seen]]:
    """By name of a schema: `closed`, or `leaky`, which is the closed one with holes."""
    with shadow(server.url) as scratch, ExitStack() as open_:
        seen: dict[str, Seen] = {}

        def of(name: str) -> Seen:
            if name not in seen:
                names = ["closed"] if name == "closed" else ["closed", name]
                scripts = [(HERE / f"{n}.sql").read_text() for n in names]
                seen[name] = open_.enter_context(attacks_on(scratch, *scripts))
            return seen[name]

        yield of
