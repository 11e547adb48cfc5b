"""SQL pushed to the right inside a block, without a change to what it says.

Knows what may hold a line break that is somebody's: constants, quoted names, dollar quotes, block comments. Promises that nothing
between quotes is touched, nor broken where only Python sees the end of a line. Never looks at grammar.
"""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*'?
      | '[^']*'?                           # a doubled quote begins the next piece
      | "[^"]*"?
      | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
      | --[^\n]*
      | (?P<comment>/\*)
      | [\w$]+                             # a word as a whole: a dollar inside it opens nothing
      | (?P<line>\n)(?=[^\n]*\S)
      | .""",
    re.VERBOSE | re.DOTALL,
)
_EDGE = re.compile(r"/\*|\*/")


def indented(sql: str, by: str) -> str:
    """`sql` with `by` before each line that begins outside quotes and has something in it."""
    found, at = [by] if sql.partition("\n")[0].strip() else [], 0
    while at < len(sql):
        match = _PIECE.match(sql, at)
        if match is None:  # cannot happen: the last alternative takes any character
            raise AssertionError(at)
        end = _end_of_comment(sql, at) if match["comment"] else match.end()
        found.append(sql[at:end] + (by if match["line"] else ""))
        at = end
    return "".join(found)


def _end_of_comment(sql: str, start: int) -> int:
    depth = 0
    for edge in _EDGE.finditer(sql, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)
