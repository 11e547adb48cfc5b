"""Whether two outcomes are the same up to what no transaction decides: keys that a default made, gaps in sequences, the clock.

A made key is told by where it stands and not by its value: every place it appears in (table, column, the rest of the row) gives it its
name, and the names of the keys beside it refine that, some rounds long (colour refinement, as in the canonisation of graphs). What is
too regular to be told apart counts as the same; that can hide a difference and never invents one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.lab.saved import Column, Rows
from reconciler.lab.values import Answer, Ended
from reconciler.model import ObjectId

Place = tuple[ObjectId, str]
Made = tuple[str, str]
"""A made key: the column that makes such keys, and its value."""

_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_HEX = re.compile(r"(?<![0-9a-f-])[0-9a-f]{8,32}(?![0-9a-f-])")
"""What may be made of a random key: all of it without its hyphens, or how it begins or ends."""
_NUMBER = re.compile(r"(?<![\d.])\d{6,}(?![\d.])")
"""What may be the number of a sequence: in a world these stand far ahead, so that no count or amount comes near."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d(:?\d\d)?|Z)?")
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class _Line:
    """A row, or an answer: what is plain in it, and the made keys by the name of their place."""

    where: str
    plain: tuple[str, ...]
    made: tuple[tuple[str, Made], ...]


class Canon:
    """Reads the outcomes of one race. `before` are the rows when it begins, `began` is when the first schedule did: later moments are
    the clock's."""

    def __init__(
        self,
        columns: Mapping[ObjectId, Sequence[Column]],
        references: Mapping[Place, Place],
        before: Mapping[ObjectId, Rows],
        began: datetime,
    ) -> None:
        self._columns = columns
        makers = {(table, c.name) for table, cs in columns.items() for c in cs if c.made}
        self._maker = {place: _root(place, references) for place in {*makers, *references}}
        self._maker = {place: root for place, root in self._maker.items() if root in makers}
        self._places = {c.place: (table, c.name) for table, cs in columns.items() for c in cs}
        self._names = {name: root for (_, name), root in self._maker.items()}
        self._old: set[Made] = set()
        self._texts: set[str] = set()
        for table, place, value in self._cells(before):
            self._texts |= set(_UUID.findall(value)) | {m[0] for m in _TIME.finditer(value)}
            if (table, place) in self._maker:
                self._old.add((str(self._maker[table, place]), value))
        self._began = began - timedelta(seconds=2)
        self._hex: Mapping[str, str] = {}
        self._numbers: set[str] = set()

    def outcome(
        self,
        state: Mapping[ObjectId, Rows],
        ended: Sequence[Ended],
        beside: Mapping[ObjectId, Rows] | None = None,
    ) -> str:
        """A text that is the same for outcomes that are alike. `beside` are rows whose made keys may stand in those of `state`."""
        fresh: dict[str, set[Made]] = {}
        for table, name, value in self._cells({**(beside or {}), **state}):
            root = self._maker.get((table, name))
            if root is not None and (str(root), value) not in self._old:
                fresh.setdefault(value, set()).add((str(root), value))
            elif _UUID.fullmatch(value) and value not in self._texts:
                fresh.setdefault(value, set())
        self._hex = {value.replace("-", ""): value for value in fresh if _UUID.fullmatch(value)}
        self._numbers = {value for value in fresh if _NUMBER.fullmatch(value)}
        lines = [self._row(table, row) for table, rows in state.items() for row in rows]
        for number, end in enumerate(ended):
            if end.failure is not None:
                plain, made = self._plain(end.failure.message, {})
                lines.append(_Line(f"failed {number}", (end.failure.sqlstate, plain), made))
                continue
            for which, answer in enumerate(end.answers):
                if answer.count is not None and not answer.rows:
                    lines.append(_Line(f"answer {number}.{which}", (f"{answer.count} rows",), ()))
                lines += [
                    self._answered(f"answer {number}.{which}", answer, row, fresh) for row in answer.rows
                ]
        return "\n".join(sorted(_drawn(lines)))

    def _cells(self, state: Mapping[ObjectId, Rows]) -> list[tuple[ObjectId, str, str]]:
        return [
            (table, column.name, value)
            for table, rows in state.items()
            for row in rows
            for column, value in zip(self._columns[table], row, strict=True)
            if value is not None
        ]

    def _row(self, table: ObjectId, row: Sequence[str | None]) -> _Line:
        plain, made = [], []
        for column, value in zip(self._columns[table], row, strict=True):
            root = self._maker.get((table, column.name))
            if value is not None and root is not None and (str(root), value) not in self._old:
                made.append((column.name, (str(root), value)))
                continue
            said, more = self._plain(value, {})
            plain.append(f"{column.name}={said}")
            made += [(column.name, one) for _, one in more]
        return _Line(str(table), tuple(plain), tuple(made))

    def _answered(
        self, where: str, answer: Answer, row: Sequence[str | None], fresh: Mapping[str, set[Made]]
    ) -> _Line:
        plain, made = [], []
        for number, (origin, value) in enumerate(zip(answer.origins, row, strict=True)):
            root = self._maker.get(self._places.get(origin, (ObjectId("", "", ""), "")))
            computed = origin == (0, 0) and value is not None and len(fresh.get(value, ())) == 1
            if value is not None and root is not None and (str(root), value) not in self._old:
                made.append((str(number), (str(root), value)))
            elif computed and value is not None:
                made.append((str(number), next(iter(fresh[value]))))
            else:
                said, more = self._plain(value, fresh)
                plain.append(f"{number}={said}")
                made += [(str(number), one) for _, one in more]
        return _Line(where, tuple(plain), tuple(made))

    def _plain(
        self, value: str | None, fresh: Mapping[str, set[Made]]
    ) -> tuple[str, tuple[tuple[str, Made], ...]]:
        """The value without what the clock and chance put in, and the made keys that stood in it."""
        if value is None:
            return "∅", ()
        found: list[tuple[str, Made]] = []
        if value[:1] in "{[" and (read := _json(value)) is not None:
            value = json.dumps(self._tree(read, found), sort_keys=True)

        def key(match: re.Match[str]) -> str:
            if match[0] in self._texts:
                return match[0]
            found.append(("text", ("uuid", match[0])))
            return "<key>"

        def part(match: re.Match[str]) -> str:
            whole = [
                one
                for plain, one in self._hex.items()
                if plain.startswith(match[0]) or plain.endswith(match[0])
            ]
            if not whole:
                return match[0]
            found.append(("text", ("uuid", whole[0])))
            return "<key>"

        def number(match: re.Match[str]) -> str:
            # Which sequence it came from cannot be told: others may stand at the same number.
            if match[0] not in self._numbers:
                return match[0]
            found.append(("text", ("number", match[0])))
            return "<key>"

        value = _NUMBER.sub(number, _HEX.sub(part, _UUID.sub(key, value)))
        return _TIME.sub(self._moment, value), tuple(found)

    def _tree(self, node: object, found: list[tuple[str, Made]], name: str = "") -> object:
        if isinstance(node, dict):
            return {key: self._tree(value, found, key) for key, value in node.items()}
        if isinstance(node, list):
            return [self._tree(value, found, name) for value in node]
        root = self._names.get(name)
        if root is not None and isinstance(node, (int, str)) and (str(root), str(node)) not in self._old:
            found.append((name, (str(root), str(node))))
            return "<key>"
        return node

    def _moment(self, match: re.Match[str]) -> str:
        if match[0] in self._texts:
            return match[0]
        try:
            read = datetime.fromisoformat(match[0].replace("Z", "+00:00"))
        except ValueError:
            return match[0]
        read = read if read.tzinfo else read.replace(tzinfo=UTC)
        # What somebody wrote is a round moment mostly; what lies ahead and is not round was counted from the clock.
        now = datetime.now(UTC) + timedelta(seconds=60)
        return "<clock>" if self._began <= read and (read <= now or read.microsecond) else match[0]


def _drawn(lines: Sequence[_Line]) -> list[str]:
    """Each line with its made keys called by where else they stand."""
    colours: dict[str, str] = {}
    for _ in range(_ROUNDS):
        seen: dict[str, list[str]] = {}
        for line in lines:
            whole = _written(line, colours)
            for name, made in line.made:
                seen.setdefault(_called(made), []).append(_short(name, whole))
        colours = {made: _short(*sorted(places)) for made, places in seen.items()}
    return [_written(line, colours) for line in lines]


def _written(line: _Line, colours: Mapping[str, str]) -> str:
    keys = (f"{name}#{colours.get(_called(made), '')}" for name, made in line.made)
    return "|".join((line.where, *line.plain, *keys))


def _called(made: Made) -> str:
    """A random key is the same wherever it stands; the number of a sequence only among those of its column."""
    return made[1] if _UUID.fullmatch(made[1]) else f"{made[0]}\0{made[1]}"


def _root(place: Place, references: Mapping[Place, Place]) -> Place:
    seen = {place}
    while place in references and references[place] not in seen:
        place = references[place]
        seen.add(place)
    return place


def _json(text: str) -> object | None:
    try:
        return json.loads(text)  # type: ignore[no-any-return]
    except ValueError:
        return None


def _short(*parts: str) -> str:
    return hashlib.sha256("\1".join(parts).encode()).hexdigest()[:16]
