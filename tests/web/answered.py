"""What a server answered."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    code: int
    headers: Message
    text: str
