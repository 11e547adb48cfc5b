"""Runs the program git: with no terminal, no hooks, no remote helper, an end, and no secret on its command line.

Knows what its failures mean to a person: what passes by itself is Waiting, what somebody has to change is Stalled with what to type.
Promises that a user name or password is handed over in the environment of that one process and asked for by the one host it is for.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

from reconciler.errors import ReconcilerError, Stalled, Waiting
from reconciler.pg import scrub
from reconciler.settings import Repository

PATIENCE = 120.0
"""Seconds that one command may take."""

_OPTIONS = (
    "protocol.ext.allow=never", "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.askPass=", "submodule.recurse=false",
    "gc.auto=0", "maintenance.auto=false", "gc.autoDetach=false", "transfer.fsckObjects=false", "push.gpgSign=false",
)  # fmt: skip
_USER, _PASSWORD = "RECONCILER_GIT_USERNAME", "RECONCILER_GIT_PASSWORD"
_HELPER = f'!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" "${_USER}" "${_PASSWORD}"; }}; f'
_INHERITED = (
    "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY",
    "GIT_SSL_NO_VERIFY", "GIT_PROXY_COMMAND", "GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
)  # fmt: skip

_PASSES = re.compile(
    r"could not resolve|couldn't resolve|connection refused|timed out|unreachable|hung up|connection reset|early eof|unexpected"
    r" disconnect|failed to connect|couldn't connect|returned error: (5\d\d|429)|no route to host|temporary failure",
    re.IGNORECASE,
)
_BRANCH = re.compile(r"couldn't find remote ref|remote branch .* not found", re.IGNORECASE)
_LOGIN = re.compile(
    r"authentication failed|could not read (username|password)|terminal prompts disabled|permission denied|access denied"
    r"|returned error: 40[13]|host key verification|invalid credentials",
    re.IGNORECASE,
)
_NOWHERE = re.compile(
    r"does not appear to be a git repository|repository .* not found|not found|does not exist|returned error: 404",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"dubious ownership|not allowed|unable to find remote helper|certificate|not a valid", re.IGNORECASE
)


_running: set[subprocess.Popen[bytes]] = set()


class Failed(Exception):
    """git ended with an error: `says` is what it wrote, `code` its exit code."""

    def __init__(self, says: str, code: int) -> None:
        super().__init__(says)
        self.says, self.code = says, code


def git(
    *arguments: str,
    repository: Repository | None = None,
    input: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    held: tuple[int, ...] = (),
    patience: float = PATIENCE,
) -> bytes:
    """What it printed. `repository` is the one it may log in to; `held` are open files (a lock) that live as long as it does.

    Raises Failed, Waiting when it took longer than `patience` seconds, Stalled where there is no such program.
    """
    command = ["git", *(word for option in _OPTIONS for word in ("-c", option))]
    around = _environment()
    if repository is not None and repository.secrets and repository.host:
        # An empty helper first: those of the account are not to see, or to keep, what is in our configuration.
        command += ["-c", "credential.helper=", "-c", f"credential.{repository.host}.helper={_HELPER}"]
        around |= {_USER: repository.username.reveal(), _PASSWORD: repository.password.reveal()}
    secrets = repository.secrets if repository is not None else ()
    try:
        process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**around, **(environment or {})}, pass_fds=held, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise Stalled(
            "the program git is not installed, and source: needs it",
            hint="install git (apt-get install git), or declare a folder: schema_dir",
        ) from None
    _running.add(process)
    try:
        out, errors = process.communicate(input, patience)
    except subprocess.TimeoutExpired:
        raise Waiting(
            f"git {next(word for word in arguments if not word.startswith('-'))} took longer than {patience:.0f} s and was ended",
            hint="is the server of the repository well?",
        ) from None
    finally:
        _running.discard(process)
        if process.poll() is None:
            _kill(process)
    if process.returncode:
        raise Failed(scrub(errors.decode(errors="replace").strip(), *secrets), process.returncode)
    return out


def end_all() -> None:
    """Nothing that was begun goes on: for who ends and cannot wait for a server that does not answer."""
    for process in tuple(_running):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def explained(failed: Failed, repository: Repository, branch: str) -> ReconcilerError:
    """What an error of a fetch or push means."""
    lines = [line.strip() for line in failed.says.splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "")
    says = re.sub(r"^(fatal|error): ", "", told) or f"git ended with {failed.code}"
    shown = shlex.quote(str(repository))
    if _PASSES.search(failed.says):
        return Waiting(
            f"the repository {repository} cannot be reached: {says}", hint="it is tried again at each poll"
        )
    if _BRANCH.search(failed.says):
        return Stalled(
            f"the repository {repository} has no branch {branch}",
            hint=f"see git ls-remote --heads {shown}; then set source.branch",
        )
    if _LOGIN.search(failed.says):
        return Stalled(
            f"the repository {repository} refuses the login: {says}",
            hint="a token belongs into the URL as ${VARIABLE} (https://user:${TOKEN}@host/…), a key into ssh's own configuration",
        )
    if _NOWHERE.search(failed.says):
        return Stalled(
            f"there is no repository {repository}: {says}", hint=f"try git ls-remote {shown} as the same user"
        )
    if _FINAL.search(failed.says):
        return Stalled(
            f"git refuses {repository}: {says}", hint=f"try git ls-remote {shown} as the same user"
        )
    return Waiting(f"git could not do it for {repository}: {says}", hint="it is tried again at each poll")


def _environment() -> dict[str, str]:
    """Ours without what would make git ask somebody, tell more than it should, or work in another repository."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith("GIT_") or name in _INHERITED)
        and name not in ("SSH_ASKPASS", "DISPLAY", "LANGUAGE")
    }
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _kill(process: subprocess.Popen[bytes]) -> None:
    """git and whatever it started (ssh, a helper)."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=10)
