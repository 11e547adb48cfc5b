"""Whom a lock keeps waiting: the rows of the manual's conflict table, asked of a real server for every mode and command."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from reconciler.model import COMMANDS, LockTaken
from reconciler.pg import Url, connect

MODES = {
    "AccessShareLock": "access share",
    "RowShareLock": "row share",
    "RowExclusiveLock": "row exclusive",
    "ShareUpdateExclusiveLock": "share update exclusive",
    "ShareLock": "share",
    "ShareRowExclusiveLock": "share row exclusive",
    "ExclusiveLock": "exclusive",
    "AccessExclusiveLock": "access exclusive",
}
SETUP = """
create table public.t (id bigint primary key, a int);
create table public.child (id bigint references public.t);
insert into public.t values (1, 1), (2, 2);
"""
RUN = {
    "SELECT": "select count(*) from public.t",
    "INSERT": "insert into public.t values (3, 3)",
    "UPDATE": "update public.t set a = 2 where id = 1",
    "DELETE": "delete from public.t where id = 2",
    "FK INSERT": "insert into public.child values (1)",
    "VACUUM": "vacuum (skip_locked off) public.t",
}


def test_every_mode_blocks_what_it_says(database: Callable[..., Url]) -> None:
    url = database()
    assert list(RUN) == list(COMMANDS)
    with connect(url) as holder, connect(url) as other:
        holder.execute(SETUP)
        other.execute("set lock_timeout = '20ms'")
        for mode, words in MODES.items():
            with holder.transaction(force_rollback=True):
                holder.execute(f"lock table public.t in {words} mode".encode())
                waited = tuple(command for command, sql in RUN.items() if _waits(other, sql))
            assert LockTaken("public.t", mode).blocks == waited, mode


def _waits(other: psycopg.Connection, sql: str) -> bool:
    """Runs the command, and takes back what it wrote."""
    try:
        if sql.startswith("vacuum"):
            other.execute(sql.encode())
        else:
            with other.transaction(force_rollback=True):
                other.execute(sql.encode())
    except psycopg.errors.LockNotAvailable:
        return True
    return False
