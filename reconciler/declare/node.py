"""The common ground of the YAML models: strict, closed, aware of their lines, with short forms.

Knows how a pydantic error becomes `file:line: sentence`, with "did you mean". Never knows a kind of object.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PrivateAttr,
    ValidationError,
)
from pydantic import model_validator as _model_validator
from pydantic_core import CoreSchema, ErrorDetails

from reconciler.declare.tree import Items, Map, Path, Real, Text, Tree
from reconciler.errors import Source, Usage


def _as_sql(value: Any) -> Any:
    """`default: 0` and `default: true` are what they look like; everything else must be text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Real):
        return value.text
    return str(value) if isinstance(value, int | float) else value


Sql = Annotated[str, BeforeValidator(_as_sql, json_schema_input_type=str | int | float | bool)]
"""A piece of SQL, passed on as it is written. Numbers and booleans need no quotes."""


class Node(BaseModel):
    """A part of a declaration.

    `short` names the field that a plain string stands for, `short_items` the one for a list; with `one_item` a string
    is a list of one. `may_be_empty` nodes need nothing after their name.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=False)
    short: ClassVar[str | None] = None
    short_items: ClassVar[str | None] = None
    one_item: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = False

    _tree: Tree | None = PrivateAttr(default=None)
    _path: Path = PrivateAttr(default=())

    @_model_validator(mode="wrap")
    @classmethod
    def _remember(cls, value: Any, handler: Callable[[Any], Any]) -> Any:
        raw = value
        if isinstance(value, Map | Items | Text):
            value.tree.models[value.path] = cls
        if cls.short and isinstance(value, str | int | float):
            value = {cls.short: value}
        elif cls.short_items and isinstance(value, list):
            value = {cls.short_items: value}
        elif cls.short_items and isinstance(value, str):
            if not cls.one_item:
                raise ValueError(f"this must be a list: [{value}]")
            value = {cls.short_items: [value]}
        elif cls.may_be_empty and value is None:
            value = {}
        node = handler(value)
        if isinstance(raw, Map | Items | Text):
            node._tree, node._path = raw.tree, raw.path
        return node

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        whole = handler(core)
        forms = []
        if cls.short:
            forms.append(_schema_of_short(handler.resolve_ref_schema(whole), cls.short))
        if cls.short_items:
            forms.append(_schema_of_short(handler.resolve_ref_schema(whole), cls.short_items))
        if cls.one_item:
            forms.append({"type": "string", "description": "One column."})
        if cls.may_be_empty:
            forms.append({"type": "null"})
        return {"anyOf": [*forms, whole]} if forms else whole

    def line(self, *keys: str | int) -> int:
        """The line of this node's key, or of a key inside it."""
        return self._tree.line((*self._path, *keys)) if self._tree else 1

    def value_line(self, *keys: str | int) -> int:
        """The line where the text of a value inside this node begins."""
        if self._tree is None:
            return 1
        path = (*self._path, *keys)
        return self._tree.value_line(path if path in self._tree.values else self._path)

    def source(self, *keys: str | int) -> Source:
        return Source(self._tree.file if self._tree else "", self.line(*keys))


N = TypeVar("N", bound=Node)


def _schema_of_short(whole: dict[str, Any], name: str) -> dict[str, Any]:
    field = whole.get("properties", {}).get(name, {})
    return {key: value for key, value in field.items() if key not in ("title", "default")}


def suggestion(word: str, known: Iterable[str]) -> str:
    """`, did you mean X?` when something known is near, else nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {near[0]}?" if near else ""


def validated(model: type[N], tree: Tree) -> N:
    """The document as `model`. Raises `Usage` that names every fault with its line."""
    try:
        return model.model_validate(tree.value)
    except ValidationError as error:
        faults = {_fault(e, tree): None for e in error.errors(include_url=False)}
        ordered = sorted(faults, key=lambda fault: fault[1].line)
        raise together([Usage(what, sources=(source,)) for what, source in ordered]) from None


def together(faults: Sequence[Usage]) -> Usage:
    """Several faults as one error, each on a line of its own with its place, so that all are seen at once."""
    if len(faults) == 1:
        return faults[0]
    first, *rest = faults
    hints = [fault.hint for fault in faults if fault.hint]
    lines = "".join(
        f"\n{fault.sources[0]}: {fault.what}" if fault.sources else f"\n{fault.what}" for fault in rest
    )
    return Usage(first.what + lines, hint=hints[0] if hints else "", sources=first.sources)


def _fault(error: ErrorDetails, tree: Tree) -> tuple[str, Source]:
    path = _written(error["loc"], tree)
    where = ".".join(str(step) for step in path)
    return (f"{where}: " if where else "") + _sentence(error, tree), tree.source(path)


def _written(loc: tuple[str | int, ...], tree: Tree) -> Path:
    """pydantic's location as the path in the file: short forms, missing fields and branches of unions are not there."""
    path: Path = ()
    for step in loc:
        model = tree.models.get(path)
        if (*path, step) in tree.values or (*path, step) in tree.keys:
            path = (*path, step)
        elif not (model and issubclass(model, Node) and step in (model.short, model.short_items)):
            break
    return path


def _sentence(error: ErrorDetails, tree: Tree) -> str:
    kind, context = error["type"], error.get("ctx", {})
    loc = tuple(error["loc"])
    if kind == "extra_forbidden":
        model = tree.models.get(loc[:-1])
        return "unknown key" + suggestion(str(loc[-1]), keys(model) if model else ())
    if kind == "missing":
        return f"{loc[-1]} is missing"
    if kind == "literal_error":
        known = str(context["expected"])
        near = suggestion(str(error["input"]), (word.strip("'") for word in re.split(r", | or ", known)))
        return f"{error['input']} is not one of {known}{near}"
    if kind == "value_error":
        return str(context["error"])
    wanted = {
        "string_type": "this must be text; put it in quotes",
        "bool_type": "this must be true or false",
        "int_type": "this must be a whole number",
        "list_type": "this must be a list",
        "too_short": "this must not be empty",
        "dict_type": "this must be a mapping, key: value",
        "model_type": "this must be a mapping, key: value",
        "model_attributes_type": "this must be a mapping, key: value",
    }
    return wanted.get(kind, error["msg"][:1].lower() + error["msg"][1:])


def keys(model: type) -> tuple[str, ...]:
    """The keys that a model knows, as they are written in YAML."""
    fields = model.model_fields if issubclass(model, BaseModel) else {}
    return tuple(field.alias or name for name, field in fields.items())
