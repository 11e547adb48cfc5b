"""How a value of one type becomes a value of another, and whether something can get lost on the way.

Only from the names of the types, as format_type() prints them. When unsure it goes by text (every type has input and
output functions, manual section 10.4) and calls the change lossy.
"""

from __future__ import annotations

import re

NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
STRINGS = ("character", "character varying", "text")
TIMES = ("date", "timestamp without time zone", "timestamp with time zone")
_FAMILIES = (
    frozenset({*NUMBERS, "money"}) - {"money"},
    frozenset({"numeric", "money", "integer", "bigint"}),
    frozenset({*STRINGS, "name", '"char"'}),
    frozenset(TIMES),
    frozenset({"time without time zone", "time with time zone", "interval"}),
    frozenset({"boolean", "integer"}),
    frozenset({"json", "jsonb"}),
    frozenset({"inet", "cidr"}),
    frozenset({"bit", "bit varying", "integer", "bigint"}) - {"integer", "bigint"},
    frozenset({"xml", *STRINGS}),
)
_WIDER = {
    "smallint": {"integer", "bigint", "numeric", "real", "double precision"},
    "integer": {"bigint", "numeric", "double precision"},
    "bigint": {"numeric"},
    "real": {"double precision"},
    "character varying": {"text"},
    "date": {"timestamp without time zone", "timestamp with time zone"},
    "cidr": {"inet"},
}
_TYPE = re.compile(
    r"(?P<base>[^(\[]+?)(?:\((?P<modifier>[^)]*)\))?(?P<rest> with(?:out)? time zone)?(?P<array>(?:\[\])*)\Z"
)


def _parts(type_: str) -> tuple[str, tuple[int, ...], str]:
    match = _TYPE.match(type_)
    if match is None:
        return type_, (), ""
    modifier = match["modifier"]
    numbers = (
        tuple(int(n) for n in modifier.split(",")) if modifier and re.match(r"[-\d, ]+\Z", modifier) else ()
    )
    return match["base"] + (match["rest"] or ""), numbers, match["array"]


def printed(value: str) -> str:
    """What the type's own output function prints; a cast to text may be somebody's. NULL stays NULL."""
    return f"case when pg_catalog.num_nulls({value}) = 0 then pg_catalog.format('%s', {value}) end"


def is_brought(type_: str) -> bool:
    """Whether PostgreSQL brings the type itself: only for others anybody but a superuser can make casts."""
    return "." not in type_


def text_of(value: str, type_: str) -> str:
    """The value of this type as text."""
    return f"{value}::text" if is_brought(type_) else f"({printed(value)})"


def using(column: str, old: str, new: str) -> tuple[str, bool]:
    """The USING expression, and whether it is a direct cast (then running it again does nothing)."""
    (before, _, dims), (after, _, dims_after) = _parts(old), _parts(new)
    same_family = any({before, after} <= family for family in _FAMILIES)
    if dims == dims_after and (before == after or same_family):
        return f"{column}::{new}", True
    if after in STRINGS and not dims_after:
        # As ALTER TABLE does without USING, with a cast of the user's where there is one: a domain over text is not written anew.
        return f"{column}::{new}", True
    text = text_of(column, before)
    if dims and dims == dims_after:
        text = text + dims if is_brought(before) else f"{text}::text{dims}"
    return f"{text}::{new}", False


def lossy(old: str, new: str) -> bool:
    """Whether a value can fail to convert or come out changed."""
    (before, size, dims), (after, new_size, dims_after) = _parts(old), _parts(new)
    if dims != dims_after:
        return True
    if before == after:
        return _narrower(before, size, new_size)
    if after == "text" or (after == "character varying" and not new_size):
        return False
    return after not in _WIDER.get(before, ()) or bool(new_size)


def rounds(old: str, new: str) -> bool:
    """Whether a value can come out changed; one that does not fit at all fails and loses nothing."""
    (before, size, dims), (after, new_size, dims_after) = _parts(old), _parts(new)
    if not lossy(old, new) or dims != dims_after:
        return lossy(old, new)
    whole = NUMBERS[:3]
    if before in whole and after in (*whole, "numeric"):
        # The digits before the point fit or do not; but a scale below zero rounds them.
        return len(new_size) > 1 and new_size[1] < 0
    if before == after == "numeric":
        scale, new_scale = (s[1] if len(s) > 1 else 0 for s in (size, new_size))
        return not size or new_scale < scale
    return True


def never_fails(old: str, new: str) -> bool:
    """Whether every value can be cast: shorter strings are cut, moments lose their time, digits behind the point are rounded."""
    (before, size, dims), (after, new_size, dims_after) = _parts(old), _parts(new)
    if dims or dims_after:
        return False
    if before in STRINGS and after in STRINGS:
        return True
    if (before in TIMES and after == "date") or (before == "date" and after == TIMES[1]):
        return True
    if before == after == "numeric" and size and new_size:
        scale, new_scale = (s[1] if len(s) > 1 else 0 for s in (size, new_size))
        # Rounding up may take one digit more.
        return new_size[0] - new_scale >= size[0] - scale + (new_scale < scale)
    return False


def stays_as_it_is(old: str, new: str) -> bool:
    """Whether PostgreSQL changes the type without writing the table anew (manual: ALTER TABLE, Notes)."""
    (before, size, dims), (after, new_size, dims_after) = _parts(old), _parts(new)
    if dims != dims_after:
        return False
    if before in STRINGS[1:] and after in STRINGS[1:]:
        return after == "text" or not new_size or (bool(size) and new_size[0] >= size[0])
    if before == after == "numeric":
        scale, new_scale = (s[1] if len(s) > 1 else 0 for s in (size, new_size))
        return not new_size or (bool(size) and scale == new_scale and new_size[0] >= size[0])
    return False


def _narrower(base: str, size: tuple[int, ...], new_size: tuple[int, ...]) -> bool:
    if not new_size:
        return False
    if not size:
        return True
    if base == "numeric":
        scale, new_scale = (s[1] if len(s) > 1 else 0 for s in (size, new_size))
        return new_scale < scale or new_size[0] - new_scale < size[0] - scale
    return new_size[0] < size[0]
