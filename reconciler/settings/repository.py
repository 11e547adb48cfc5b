"""Where a git repository is, with what lets one in held apart from what may be shown.

Promises that the address has no name or password in it: it stands in messages, on pages and on command lines. Never runs git.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from reconciler.errors import Usage
from reconciler.pg import Secret

_NOTHING = Secret("")
_WEB = ("http", "https")
_SCHEMES = (*_WEB, "ssh", "git+ssh", "git", "file")
_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9.-]{2,}:(?!//)[^\s:].*")


@dataclass(frozen=True, slots=True)
class Repository:
    """`address` is what git is given; `username` and `password` are empty when git's own configuration lets one in."""

    address: str
    username: Secret = _NOTHING
    password: Secret = _NOTHING

    def __str__(self) -> str:
        return self.address

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The password; where there is none, the user name: some servers take a token as that."""
        return tuple(one for one in (self.password or self.username,) if one)

    @property
    def host(self) -> str:
        """Scheme and host with port: what the secrets are for. Empty where there is none."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}" if parts.scheme in _WEB else ""

    @property
    def is_path(self) -> bool:
        return "://" not in self.address and not _SCP.fullmatch(self.address)

    @classmethod
    def parse(cls, text: str) -> Repository:
        """Raises Usage, which repeats nothing of the text."""
        if not text or text.startswith("-") or re.search(r"[\x00-\x20\x7f]", text):
            raise Usage(
                "it is no address of a repository", hint="like https://git.example.com/team/schema.git"
            )
        if "::" in text.split("/", 1)[0]:
            raise Usage("remote helpers (NAME::…) are not run", hint="give https, ssh or a path")
        if "://" not in text:
            return cls(text if _SCP.fullmatch(text) else str(Path(text).expanduser()))
        try:
            parts = urlsplit(text)
            scheme, port, user = parts.scheme.lower(), parts.port, parts.username
        except ValueError:
            raise Usage("it is no URL", hint="like https://git.example.com/team/schema.git") from None
        if scheme not in _SCHEMES:
            raise Usage("git is not asked by that scheme", hint=f"one of {', '.join(_SCHEMES)}, or a path")
        if parts.query or parts.fragment:
            raise Usage(
                "a repository's URL has no ? and no #", hint="the branch has a key of its own: branch"
            )
        if scheme not in _WEB:
            if parts.password is not None:
                raise Usage("only http and https take a password from the URL", hint="ssh uses its own keys")
            return cls(text)
        host = parts.hostname or ""
        host = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
        return cls(
            urlunsplit((scheme, host, parts.path, "", "")), Secret(unquote(user or "")), Secret(unquote(parts.password or ""))
        )  # fmt: skip
