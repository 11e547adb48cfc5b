"""How each kind of value in the configuration is read from text, and how JSON Schema describes it.

Promises messages that never repeat what was written: a value can hold a password that came from a variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from reconciler.errors import Usage
from reconciler.model import HazardCode
from reconciler.pg import Url
from reconciler.settings.duration import Duration
from reconciler.settings.repository import Repository


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the HTTP server listens. `host` "0.0.0.0" and "::" mean every address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def closest(word: str, known: tuple[str, ...]) -> str:
    """`, did you mean …?` for a word that is nearly a known one, else nothing."""
    near = get_close_matches(word.lower(), [k.lower() for k in known], n=1, cutoff=0.6)
    return f", did you mean {next(k for k in known if k.lower() == near[0])}?" if near else ""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        # TypeError would not become a finding: pydantic collects only ValueError
        raise ValueError(f"must be text, not {_named(value)}: put it in quotes")  # noqa: TRY004
    return value.strip()


def _named(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", dict: "a mapping", list: "a list"}
    return "nothing" if value is None else next((n for t, n in names.items() if isinstance(value, t)), "this")


def _name(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", text):
        raise ValueError(
            "is not a name: use up to 63 letters, digits, and . _ - (it stands in URLs and metrics)"
        )
    return text


def _duration(value: Any) -> Duration:
    if isinstance(value, Duration):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("needs a unit, like 30s, 20min or 14d")  # noqa: TRY004
    return Duration.parse(_text(value))


def _positive(value: Any) -> Duration:
    duration = _duration(value)
    if duration.seconds <= 0:
        raise ValueError("must be longer than zero (PostgreSQL reads 0 as no limit at all)")
    return duration


def _url(value: Any) -> Url | None:
    if value is None or isinstance(value, Url):
        return value
    try:
        return Url.parse(_text(value))
    except Usage as error:
        raise ValueError(f"is refused: {error.what} ({error.hint})") from None


def _shadow(value: Any) -> Url | str | None:
    text = value if isinstance(value, Url) else _text(value)
    if isinstance(text, str) and text in ("auto", "embedded", "target"):
        return text
    if isinstance(text, str) and "=" not in text and "://" not in text:
        raise ValueError(
            f"must be auto, embedded, target or a URL{closest(text, ('auto', 'embedded', 'target'))}"
        )
    return _url(text)


def _list(value: Any) -> tuple[str, ...]:
    """A YAML list, or one text with commas as the command line and the environment give it."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list, not {_named(value)}")  # noqa: TRY004
    return tuple(item for item in map(_text, value) if item)


def _schemas(value: Any) -> tuple[str, ...] | str:
    found = _list(value)
    if found == ("auto",):
        return "auto"
    if not found:
        raise ValueError("must be auto or name at least one schema")
    if "auto" in found:
        raise ValueError("is either auto or a list of names, not both")
    return found


def hazards(value: Any) -> tuple[HazardCode, ...]:
    """Codes of hazards; `all` is every one."""
    known = tuple(HazardCode)
    found = _list(value)
    if "all" in found:
        return known
    for code in found:
        if code not in known:
            near = closest(code, known)
            raise ValueError(f"holds a hazard that does not exist{near or '; there are ' + ', '.join(known)}")
    return tuple(HazardCode(code) for code in found)


def _listen(value: Any) -> Listen:
    if isinstance(value, Listen):
        return value
    host, _, port = _text(value).rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ValueError("is not an address to listen on: write host:port, like 127.0.0.1:8432")
    return Listen(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - only when the host is left out


def _path(value: Any) -> Path | None:
    if value is None or isinstance(value, Path):
        return value
    text = _text(value)
    return Path(text).expanduser() if text else None


def _needed_path(value: Any) -> Path:
    path = _path(value)
    if path is None:
        raise ValueError("must name a file or folder")
    return path


def _repository(value: Any) -> Repository:
    if isinstance(value, Repository):
        return value
    try:
        return Repository.parse(_text(value))
    except Usage as error:
        raise ValueError(f"is refused: {error.what} ({error.hint})") from None


def _branch(value: Any) -> str:
    """What git calls well formed, and nothing that it could take for an option or an expression."""
    text = _text(value)
    if (
        not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./#+=-]{0,199}", text)
        or re.search(r"\.\.|//|/\.|[./]$", text)
        or any(part.endswith(".lock") for part in text.split("/"))
    ):
        raise ValueError("is not the name of a branch, like main or release/2026")
    return text


def _pushed(value: Any) -> str | None:
    if value is None:
        return None
    text = _text(value)
    if re.search(r"\{(?!database\})|(?<!\{database)\}", text):
        raise ValueError("may hold {database} in braces and nothing else")
    _branch(text.replace("{database}", "name"))
    return text


def _folder(value: Any) -> str:
    """A folder in the repository, as git writes it; the whole repository is the empty text."""
    text = _text(value).strip("/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts or ".git" in parts or re.search(r"[\x00-\x1f\\]", text):
        raise ValueError("must be a folder in the repository, like schema or db/schema")
    return "/".join(parts)


def mapping(value: Any) -> Any:
    """The environment and a forgotten indentation give text where keys belong."""
    if isinstance(value, str | int | float | list):
        raise ValueError("must be a mapping of keys, like {git: URL, branch: main}")  # noqa: TRY004
    return value


def _flag(value: Any) -> Any:
    """The environment knows only text."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _count(value: Any) -> int:
    text = str(value).replace("_", "") if isinstance(value, str) else value
    if isinstance(text, str) and text.isdecimal():
        text = int(text)
    if not isinstance(text, int) or isinstance(text, bool) or text < 1:
        raise ValueError("must be a whole number above zero, like 100000")
    return text


def _json(schema: dict[str, Any], reader: Callable[[Any], Any]) -> tuple[Any, ...]:
    return (
        PlainValidator(reader),
        WithJsonSchema(schema),
        PlainSerializer(lambda value: value if value is None else str(value), when_used="json"),
    )


_DURATION: dict[str, Any] = {
    "type": "string",
    "pattern": r"^\d+\s*(us|ms|s|min|h|d)$",
    "examples": ["30s", "20min"],
}
_NAMES: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
_OPTIONAL_TEXT: dict[str, Any] = {"type": ["string", "null"]}

Name = Annotated[str, *_json({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"}, _name)]
Length = Annotated[Duration, *_json(_DURATION, _duration)]
Positive = Annotated[Duration, *_json(_DURATION, _positive)]
DatabaseUrl = Annotated[Url | None, *_json(_OPTIONAL_TEXT, _url)]
Shadow = Annotated[
    Literal["auto", "embedded", "target"] | Url,
    *_json({"type": "string", "description": "auto, embedded, target or a URL"}, _shadow),
]
ListenAt = Annotated[Listen, *_json({"type": "string", "examples": ["127.0.0.1:8432"]}, _listen)]
OptionalPath = Annotated[Path | None, *_json(_OPTIONAL_TEXT, _path)]
NeededPath = Annotated[Path, *_json({"type": "string"}, _needed_path)]
RepositoryAt = Annotated[
    Repository,
    *_json({"type": "string", "examples": ["https://git.example.com/team/schema.git"]}, _repository),
]
Branch = Annotated[str, *_json({"type": "string"}, _branch)]
PushedBranch = Annotated[str | None, *_json(_OPTIONAL_TEXT, _pushed)]
Folder = Annotated[str, *_json({"type": "string"}, _folder)]
_AS_IS = PlainSerializer(lambda value: value)
Names = Annotated[tuple[str, ...], PlainValidator(_list), WithJsonSchema(_NAMES), _AS_IS]
Schemas = Annotated[
    Literal["auto"] | tuple[str, ...],
    PlainValidator(_schemas),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {**_NAMES, "minItems": 1}]}),
    _AS_IS,
]
Hazards = Annotated[
    tuple[HazardCode, ...],
    PlainValidator(hazards),
    WithJsonSchema({"type": "array", "items": {"enum": [*HazardCode, "all"]}}),
    _AS_IS,
]
Count = Annotated[int, *_json({"type": "integer", "minimum": 1, "examples": [100000]}, _count)]
Flag = Annotated[bool, BeforeValidator(_flag)]
