"""Whatever a file holds, reading it ends in declarations or in `Usage` with a place; never in another error."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.declare import json_schema, read_sql
from reconciler.declare.sql_file import read_statements
from reconciler.declare.yaml_file import read_yaml
from reconciler.errors import Usage


def _keys(node: Any) -> set[str]:
    if isinstance(node, dict):
        found = set(node.get("properties", {}))
        return found.union(*(_keys(value) for value in node.values()))
    return set().union(*(_keys(value) for value in node)) if isinstance(node, list) else set()


KEYS = sorted(_keys(json_schema()))
NAMES = ["t", "a", "f(x int)", "f(", "a.b", "a.b.c", '"', '"q"."r"', "", ".", "ü", "1", "public"]
SCALARS: list[Any] = [
    None,
    True,
    0,
    1.5,
    "",
    "int",
    "select 1",
    "a; b",
    "'",
    "$$",
    "(",
    "true",
    "t (a) -- x",
    "raise",
    "before",
]

values = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS + NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)
documents = st.dictionaries(
    st.sampled_from(KEYS), st.dictionaries(st.sampled_from(NAMES), values, max_size=2) | values, max_size=3
)


@given(documents)
def test_any_yaml(document: dict[str, Any]) -> None:
    try:
        read_yaml(json.dumps(document, ensure_ascii=False), "f.yaml")
    except Usage as error:
        assert str(error).startswith("f.yaml:1: ")


@given(st.text(st.sampled_from("abc:-{}[]#&*!|>'\"\n\t %@`,?.\\\0é"), max_size=60))
def test_any_text_as_yaml(text: str) -> None:
    try:
        read_yaml(text, "f.yaml")
    except Usage as error:
        assert str(error).startswith("f.yaml:")


WORDS = re.split(
    r"\|",
    "create|table|t|(|a|int|,|b|)|function|trigger|on|policy|index|as|enum|begin|atomic|case|end|;|:|:x|\\i|'a'|'|\"|\"q\"|$$"
    "|$a$|/*|*/|[|]|.|set|search_path|=|role|reset|copy|from|stdin|\\.|grant|to|select|insert|add|column|alter|if|not|exists"
    "|for|-- reconciler: fill 1\n|-- reconciler: renamed_from x\n|-- reconciler: on_error raise\n|--   more\n|\n",
)


@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_any_sql(text: str) -> None:
    for read in (read_sql, read_statements):
        try:
            read(text, "f.sql")
        except Usage as error:
            assert str(error).startswith("f.sql:")
