"""Where scratch data goes: the decision alone, without a server."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from reconciler.embedded import place
from reconciler.embedded.account import Account
from reconciler.errors import Stalled

GIB = 1024**3


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """A machine with 8 GiB of free memory, no limit, and two folders."""
    memory, disk, limit = tmp_path / "memory", tmp_path / "disk", tmp_path / "memory.max"
    memory.mkdir()
    disk.mkdir()
    limit.write_text("max\n")
    free = SimpleNamespace(free=8 * GIB)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(place, "_MEMORY", memory)
    monkeypatch.setattr(place, "_LIMIT", limit)
    monkeypatch.setattr(place.tempfile, "gettempdir", lambda: str(disk))
    monkeypatch.setattr(place.shutil, "disk_usage", lambda _: free)
    return SimpleNamespace(memory=memory, disk=disk, limit=limit, free=free)


def test_plenty_of_memory_is_used(machine: SimpleNamespace) -> None:
    assert place.best_place(Account()) == machine.memory
    machine.limit.unlink()
    assert place.best_place(Account()) == machine.memory
    machine.limit.write_text(f"{4 * GIB}\n")
    assert place.best_place(Account()) == machine.memory


def test_little_memory_is_left_alone(machine: SimpleNamespace) -> None:
    machine.limit.write_text(f"{GIB}\n")
    assert place.best_place(Account()) == machine.disk
    machine.limit.write_text("max\n")
    machine.free.free = 64 * 1024**2
    assert place.best_place(Account()) == machine.disk


def test_the_persons_choice_wins(machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(machine.disk))
    assert place.best_place(Account()) == machine.disk


def test_servers_are_looked_for_in_both(machine: SimpleNamespace) -> None:
    assert {machine.memory, machine.disk} <= set(place.every_place(Account()))


def test_no_folder_at_all_needs_a_person(machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "every_place", lambda who: ())
    with pytest.raises(Stalled, match="no temporary folder"):
        place.best_place(Account())
