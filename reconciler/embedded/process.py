"""Processes that may not be our children: recognising, stopping and guarding them.

A process is identified by its pid and its start time, so that a pid used again by another program is never
hit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The guard waits on a pipe whose other end only the owner holds. The owner's death closes it, however it
# died, on Linux as on macOS; PR_SET_PDEATHSIG would already fire when the *thread* that started us ends.
_GUARD = """
read -r word || :
[ "$word" = done ] && exit 0
kill -"$2" "$1" 2>/dev/null
tries=0
while kill -0 "$1" 2>/dev/null && [ "$tries" -lt 150 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$1" 2>/dev/null
[ -z "$3" ] || rm -rf -- "$3"
"""


def started(pid: int) -> str:
    """When a process started, in a form that is only good for comparing; "" when there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # the second field is the program's name and may hold spaces and parentheses
            fields = stat.read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if fields[0] in "ZX" else f"{boot}/{fields[19]}"
    answer = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, check=False)
    return answer.stdout.decode().strip()


def alive(pid: int, since: str) -> bool:
    """Whether the process that was recorded with this pid and start time still runs."""
    return pid > 1 and bool(since) and started(pid) == since


def stop(pid: int, since: str, *, gently: bool = True, child: subprocess.Popen[bytes] | None = None) -> None:
    """Ends a server: SIGINT (disconnects everybody, writes a checkpoint), SIGQUIT, at last SIGKILL.

    `gently=False` begins with SIGQUIT, for data that is thrown away.
    """
    ladder = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
    for number, patience in ladder if gently else ladder[1:]:
        if not alive(pid, since):
            break
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + patience
        while alive(pid, since) and time.monotonic() < deadline:
            time.sleep(0.005)
    if child is not None:
        child.wait()


@contextmanager
def guarded(pid: int, *, signal_name: str, remove: Path | None) -> Iterator[None]:
    """While the block runs, a small shell watches us: if we die, it ends `pid` and removes the folder."""
    watch = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "reconciler-guard", str(pid), signal_name, str(remove or "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    try:
        yield
    finally:
        # the guard itself may have been killed: then nobody reads
        with suppress(BrokenPipeError):
            watch.communicate(b"done\n")
        watch.wait()
