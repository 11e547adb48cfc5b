"""A text that must not be seen: a password, a token, a key.

Promises that no accidental way of looking at the value shows it: repr, str, format, f-strings, logging,
JSON, pickle, `vars()` and `dataclasses.asdict`. Never encrypts anything: it protects against carelessness,
not against code that calls `reveal()`.
"""

from __future__ import annotations

import hmac
from typing import Any, Final, NoReturn

MASK: Final = "***"
"""What stands wherever a secret would."""


class Secret:
    """Holds one text; only `reveal()` gives it back. Compares equal by value, false when empty."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_Secret__text", text)

    def reveal(self) -> str:
        """The text itself. Hand it straight to the one who needs it and keep no copy."""
        text: str = object.__getattribute__(self, "_Secret__text")
        return text

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(("reconciler.Secret", self.reveal()))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not written to a file or sent to another process")


def scrub(text: str, *secrets: Secret) -> str:
    """`text` with every occurrence of the secrets masked: for messages that other programs wrote."""
    for secret in sorted(secrets, key=lambda s: -len(s.reveal())):
        if secret:
            text = text.replace(secret.reveal(), MASK)
    return text
