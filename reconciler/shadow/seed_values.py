"""Values for a type, as SQL expressions: which a fresh row number n gets, and which else might please a condition.

The first of them is the plain guess; no value depends on the clock, a random source or a setting of the server. Whether a
value is admissible is decided by the server, never here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import md5
from itertools import pairwise

from reconciler.pg import literal
from reconciler.shadow.seed_hints import Hints, mined
from reconciler.shadow.seed_tables import Type

_DAY = "('2020-01-01'::date + {n})"
_PLAIN: Mapping[str, tuple[str, ...]] = {
    "bool": ("({n} % 2 = 1)", "true", "false"),
    "date": (_DAY, "('2020-01-01'::date + ({n} % 12) * interval '1 month')", "'2099-12-31'", "'1990-05-17'"),
    "timestamp": ("('2020-01-01 00:00'::timestamp + {n} * interval '1 hour')",
        "('2020-01-01'::timestamp + {n} * interval '1 day')", "('2020-01-01'::timestamp + {n} * interval '1 month')",
        "'2099-12-31'", "'1990-05-17'"),
    "timestamptz": ("('2020-01-01 00:00+00'::timestamptz + {n} * interval '1 hour')",
        "('2020-01-01'::timestamp + {n} * interval '1 day')", "('2020-01-01'::timestamp + {n} * interval '1 month')",
        "'2099-12-31 00:00+00'", "'1990-05-17 00:00+00'"),
    "time": ("('08:00'::time + {n} * interval '1 minute')", "'00:00'", "'12:00'", "'18:00'"),
    "timetz": ("('08:00+00'::timetz + {n} * interval '1 minute')", "'12:00+00'", "'18:00+00'"),
    "interval": ("({n} * interval '1 hour')", "({n} * interval '1 day')", "({n} * interval '1 month')",
        "interval '0'", "interval '1 year'"),
    "json": ("'{{\"n\": {n}}}'",), "jsonb": ("'{{\"n\": {n}}}'",), "jsonpath": ("'$.n{n}'",),
    "bytea": ("pg_catalog.convert_to('row {n}', 'UTF8')", "''"),
    "inet": ("('10.0.0.0'::inet + {n})", "'::1'", "'10.0.0.0/8'"), "cidr": ("(('10.0.0.0'::inet + {n}))::cidr", "'::/0'"),
    "macaddr": ("pg_catalog.lpad(pg_catalog.to_hex({n}), 12, '0')",),
    "macaddr8": ("pg_catalog.lpad(pg_catalog.to_hex({n}), 16, '0')",),
    "point": ("pg_catalog.point({n}, {n})",), "line": ("'{{1,-1,{n}}}'",), "lseg": ("'[(0,0),({n},1)]'",),
    "box": ("'({n}.5,1),({n},0)'",), "path": ("'[(0,0),({n},1),({n},2)]'", "'((0,0),({n},1),({n},2))'"),
    "polygon": ("'(({n},0),({n}.5,0),({n},1))'",), "circle": ("'<({n},0),0.25>'",),
    "tsvector": ("'row{n}'",), "tsquery": ("'row{n}'",),
    "xml": ("'<row>{n}</row>'",), "oid": ("{n}",), "xid": ("'{n}'",), "xid8": ("'{n}'",), "cid": ("'{n}'",),
    "tid": ("'(0,{n})'",), "pg_lsn": ("'0/{n}'",), "pg_snapshot": ("'{n}:{n}:'",), "txid_snapshot": ("'{n}:{n}:'",),
    "char": ("pg_catalog.chr(96 + {n} % 26)",), "int2vector": ("'{n} 2'",), "oidvector": ("'{n} 2'",),
    "refcursor": ("'row {n}'",), "aclitem": ("(pg_catalog.acldefault('r', 10::oid))[1]",),
    "regclass": ("'pg_catalog.pg_class'", "'pg_catalog.pg_type'", "'pg_catalog.pg_proc'"),
    "regtype": ("'pg_catalog.text'", "'pg_catalog.int4'", "'pg_catalog.bool'"),
    "regproc": ("'pg_catalog.now'", "'pg_catalog.md5'"), "regprocedure": ("'pg_catalog.now()'",),
    "regoper": ("'pg_catalog.||/'",), "regoperator": ("'pg_catalog.+(integer,integer)'",),
    "regnamespace": ("'pg_catalog'", "'information_schema'"), "regrole": ("10::oid",),
    "regcollation": ("'pg_catalog.\"C\"'", "'pg_catalog.\"POSIX\"'"),
    "regconfig": ("'pg_catalog.simple'",), "regdictionary": ("'pg_catalog.simple'",),
}  # fmt: skip
"""Templates of {n} by pg_type.typname; what is only a constant is cast to the column's type, modifier and all."""

_FOREIGN = (
    "row {n}", "row{n}", "{n}", "{n}.{n}", "a=>{n}", "({n})", "({n},{n})", "[1,2,{n}]", "{{{n}}}", "POINT({n} {n})",
    "POLYGON((0 0,0 {n},{n} {n},0 0))", "LINESTRING(0 0,{n} {n})", "978-0-306-40615-7", "0/{n}", "0-306-40615-2", "12345",
)  # fmt: skip
"""What the types of extensions tend to read: the server says which of these a type takes."""

_LIMITS = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
_READS = {
    "uuid": r"[0-9a-fA-F-]{32,36}", "date": r"\d{4}-\d\d.*|-?infinity", "timestamp": r"\d{4}-\d\d.*|-?infinity",
    "timestamptz": r"\d{4}-\d\d.*|-?infinity", "time": r"\d\d:\d\d.*", "timetz": r"\d\d:\d\d.*", "interval": r".*\d.*",
    "bool": r"true|false|t|f", "inet": r"[0-9a-fA-F:.]+(/\d+)?", "cidr": r"[0-9a-fA-F:.]+(/\d+)?",
    "bytea": r"\\x([0-9a-fA-F]{2})*|[^\\]*",
}  # fmt: skip
"""What a constant must look like to be worth a try; other types take any."""

_SIZED = re.compile(r"\((\d+)(?:,(-?\d+))?\)")
_WIDE = 48


def candidates(
    types: Mapping[int, Type], oid: int, text: str, n: int, hints: Hints, seed: str, depth: int = 0
) -> list[str]:
    """Expressions of the type written `text`, the most promising first. At least one, unless nothing is known.

    `seed` keeps the uuids of different columns apart. With hints, values made from them come before the plain guess.
    """
    type_ = types.get(oid)
    if type_ is None or depth > 5:
        return []
    found: list[str]
    if type_.kind == "d":
        if type_.checks:
            hints = mined(type_.checks, [type_.hints]).joined(hints)
        found = candidates(types, type_.inner, type_.inner_text, n, hints, seed, depth + 1)
    elif type_.kind == "e":
        count = len(type_.labels)
        found = [literal(type_.labels[(n - 1 + i) % count]) for i in range(count)]
    elif type_.kind in ("r", "m"):
        found = _ranges(types, type_, n, hints, seed, depth)
    elif type_.fields:
        found = _composites(types, type_, n, hints, seed, depth)
    elif type_.category == "A" and type_.inner:
        found = _arrays(types, type_, text, n, hints, seed, depth)
    else:
        found = _base(type_, text, n, hints, seed)
    made = [f"cast({value} as {text})" for value in dict.fromkeys(found)][:_WIDE]
    if hints.spread and not depth:
        for k in range(1, hints.spread):
            made += candidates(types, oid, text, n + k, Hints(), seed)[:1]
    return made


def sure(types: Mapping[int, Type], oid: int) -> bool:
    """Whether the plain guess for a type is always admissible. Otherwise ask the server before building on it."""
    type_ = types.get(oid)
    if type_ is None:
        return False
    if type_.kind == "d" and type_.checks:
        return False
    if type_.fields:
        return all(sure(types, field) for _, field, _ in type_.fields)
    if type_.inner:
        return sure(types, type_.inner)
    return (
        type_.kind == "e"
        or (type_.name in _PLAIN and type_.name != "xml")
        or type_.category in "NS"
        or (type_.name in ("uuid", "bit", "varbit"))
    )


def _base(type_: Type, text: str, n: int, hints: Hints, seed: str) -> list[str]:
    sized = _SIZED.search(text)
    size = int(sized.group(1)) if sized else 0
    if type_.name in ("int2", "int4", "int8", "float4", "float8", "numeric", "money"):
        return _numbers(type_.name, size if sized else None, int((sized and sized.group(2)) or 0), n, hints)
    if type_.name == "uuid":
        made = literal(md5(f"{seed} {n}".encode(), usedforsecurity=False).hexdigest())
        other = literal(md5(f"{seed} {n} {n}".encode(), usedforsecurity=False).hexdigest())
        return [made, *_constants(hints, "uuid"), *([other] if hints else [])]
    if type_.name in ("bit", "varbit"):
        width = size or (1 if type_.name == "bit" else 8)
        return [f"'{n % 2**width:0{width}b}'", f"'{'1' * width}'", f"'{'0' * width}'"]
    if type_.name == "bytea":
        made_bytes = [literal("\\x" + f"{n % 256:02x}" * k) for k in _around(hints.lengths)]
        return [*made_bytes, *_filled("bytea", n), *_constants(hints, "bytea")]
    if type_.name in ("json", "jsonb"):
        return _documents(n, hints)
    if type_.name in _PLAIN:
        return [*_dated(type_.name, n, hints), *_filled(type_.name, n), *_constants(hints, type_.name)]
    if type_.category == "S" or type_.name in ("name", "citext"):
        return [literal(t) for t in _texts(n, size, hints)]
    vector = ",".join(str(n + i) for i in range(size or 3))
    sparse = f"{{1:{n}}}/{size or 3}"
    return [
        *_constants(hints),
        literal(f"[{vector}]"),
        literal(sparse),
        *(literal(f.format(n=n)) for f in _FOREIGN),
    ]


def _filled(name: str, n: int) -> list[str]:
    return [template.format(n=n) for template in _PLAIN[name]]


def _constants(hints: Hints, name: str = "") -> list[str]:
    reads = re.compile(_READS.get(name, ".*"), re.DOTALL)
    return [literal(text) for text in (*hints.texts, *hints.weak) if reads.fullmatch(text)]


def _around(numbers: tuple[int, ...]) -> list[int]:
    return [k for number in numbers for k in (number, number + 1, number - 1) if k >= 0]


def _numbers(name: str, precision: int | None, scale: int, n: int, hints: Hints) -> list[str]:
    first = str(n) if name in ("int2", "int4", "int8", "numeric", "money") else f"{n}.5"
    if name == "numeric" and precision is not None:
        whole = precision - scale
        if scale < 0:
            first = f"{n % 10**precision}e{-scale}"
        elif whole < 1:
            first = f"{n % 10**precision}e-{scale}"
        else:
            first = str(n % 10**whole)
    found = [first]
    found += [str(n + k) for k in (1, 2, 3)] if hints else []
    bounds = sorted({float(number) for number in hints.numbers})
    for number in hints.numbers:
        value = float(number)
        exact = int(value) if value == int(value) else value
        found += [str(exact + n), number, str(exact + 1), str(exact - 1), f"{value / 2:g}"]
    found += [f"{(a + b) / 2:g}" for a, b in pairwise(bounds)]
    if hints:
        found += ["0", "1", "2", "10", "-1", "100", "1000", "0.5", str(-n)]
    if name in _LIMITS:
        integer = re.compile(r"-?\d+\Z")
        found = [value for value in found if integer.match(value) and abs(int(value)) < _LIMITS[name]]
    return [f"'{value}'" for value in found]


def _texts(n: int, size: int, hints: Hints) -> list[str]:
    plain = next((text for text in _plains(n, hints) if not size or size >= len(text)), "") or _short(n, size)
    if not hints:
        return [plain]
    texts = hints.texts
    turn = (n - 1) % max(len(texts), 1)
    found = [plain, *_plains(n, hints)[1:]] if hints.canary else []
    found += [*hints.patterned(texts, n), *texts[turn:], *texts[:turn], plain]
    found += [text for k in (1, 2) for text in hints.patterned(texts, n + 7 * k)[:4]]
    found += [*hints.patterned(hints.weak, n), *hints.weak]
    for k in _around(hints.lengths):
        found.append((f"{n:0{k}d}" if k else "")[-k:] if k else "")
        found.append(("ABCDEFGH"[n % 8] + "X" * k)[:k])
        found.append(("abcdefgh"[n % 8] + "x" * k)[:k])
    found += [str(int(k) + n) for k in hints.numbers[:4] if k.isdigit()]
    found += [f"ROW{n}", f"row{n}", f"Row{n}", str(n), "a", "A", ""]
    for text in (*texts, *hints.weak)[:4]:
        found += [f"{text}row{n}", f"row{n}{text}", f"row{n}{text}row{n}", f"row{n}{text}row.{n}"]
    return [t for t in found if not size or len(t) <= size]


def _plain(n: int, hints: Hints) -> str:
    return _plains(n, hints)[0]


def _plains(n: int, hints: Hints) -> list[str]:
    """The plain text, and a shorter one that says no more than whose it is."""
    if not hints.canary:
        return [f"row {n}"]
    shorter = "_".join(hints.canary.split("_")[:2])
    return list(dict.fromkeys((f"{hints.canary}_{n}", f"{shorter}_{n}")))


def _short(n: int, size: int) -> str:
    """The number in base 36, at most `size` digits."""
    digits = ""
    while n or not digits:
        n, digit = divmod(n, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits[-size:]


def _dated(name: str, n: int, hints: Hints) -> list[str]:
    if name not in ("date", "timestamp", "timestamptz"):
        return []
    found = _filled(name, n)[:1]
    for text in (*hints.texts, *hints.weak):
        if re.match(r"\d{4}-\d\d-\d\d", text):
            moment = f"{literal(text)}::timestamptz"
            found += [f"({moment} + {k} * interval '1 day')" for k in (n, -n)] + [literal(text)]
    found += [f"('{y}-01-01'::date + {n})" for y in hints.numbers if y.isdigit() and 1000 < int(y) < 9999]
    if hints:
        found += [f"('2020-01-01'::date + {n + k})" for k in range(1, 8)]
        month = "('2020-01-01'::date + {} * interval '1 month')"
        found += [
            month.format(n),
            month.format(n + 1),
            f"({month.format(n + 1)} - interval '1 day')",
            month.format(12 * n),
        ]
    return found


def _documents(n: int, hints: Hints) -> list[str]:
    """JSON: the constants may be types, keys or values."""
    plain = f'{{"n": "{_plain(n, hints)}"}}' if hints.canary else f'{{"n": {n}}}'
    keys = [t for t in (*hints.texts, *hints.weak) if t.replace("_", "").replace("-", "").isalnum()]
    found = [plain, *(text for text in (*hints.texts, *hints.weak) if _is_json(text))]
    for value in (f'"row {n}"', str(n), "{}", "[]", "true"):
        if keys:
            found.append("{" + ", ".join(f'"{key}": {value}' for key in keys) + "}")
    found += [f'{{"{a}": "{b}"}}' for a in keys[:4] for b in keys[:6] if a != b]
    found += [f'{{"{a}": {b}}}' for a in keys[:2] for b in hints.numbers[:4]]
    found += ["{}", "[]", f"[{n}]", f'["row {n}"]', f'[{{"n": {n}}}]', f'"row {n}"', str(n), "true", "null"]
    return [literal(text) for text in found]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _arrays(
    types: Mapping[int, Type], type_: Type, text: str, n: int, hints: Hints, seed: str, depth: int
) -> list[str]:
    element = text.removesuffix("[]") if text.endswith("[]") else type_.inner_text
    inner = candidates(types, type_.inner, element, n, hints, seed, depth + 1)
    if not inner:
        return ["'{}'"]
    known = inner if hints else inner[:1]
    found = [f"array[{value}]" for value in known[:12]]
    found += [f"array[{', '.join([inner[0]] * k)}]" for k in _around(hints.lengths)[:12] if 0 < k <= 40]
    found += [f"array[{', '.join(inner[:k])}]" for k in (2, 3) if hints and len(inner) >= k]
    return [*found, "'{}'"]


def _ranges(types: Mapping[int, Type], type_: Type, n: int, hints: Hints, seed: str, depth: int) -> list[str]:
    """Between one value and the next, so that the ranges of different rows never overlap."""
    if type_.kind == "m":
        inner = candidates(types, type_.inner, type_.inner_text, n, hints, seed, depth + 1)
        return [f"{type_.constructor}({value})" for value in inner[:6]] + ["'{}'"]
    low = candidates(types, type_.inner, type_.inner_text, n, hints, seed, depth + 1)
    high = candidates(types, type_.inner, type_.inner_text, n + 1, hints, seed, depth + 1)
    if not low or not high:
        return ["'empty'"]
    ordered = types[type_.inner].category in "NDT"
    found = [f"{type_.constructor}({low[0]}, {high[0]})"] if ordered else []
    found += [f"{type_.constructor}({value}, {value}, '[]')" for value in low[: 6 if hints else 1]]
    found += [f"{type_.constructor}({low[0]}, null)", f"{type_.constructor}(null, {high[0]})"]
    return [*found, "'empty'"]


def _composites(
    types: Mapping[int, Type], type_: Type, n: int, hints: Hints, seed: str, depth: int
) -> list[str]:
    """A row of the first guesses, then, for each field in turn, with its other candidates."""
    fields = [
        candidates(types, oid, text, n, hints, f"{seed} {name}", depth + 1) or ["null"]
        for name, oid, text in type_.fields
    ]
    firsts = [values[0] for values in fields]
    found = [firsts]
    for i, values in enumerate(fields):
        found += [[*firsts[:i], value, *firsts[i + 1 :]] for value in values[1:8]] if hints else []
    if hints:
        found += [[values[min(k, len(values) - 1)] for values in fields] for k in range(1, 6)]
    return [f"row({', '.join(row)})" for row in found]
