"""Every consequence that a kind announces is one whole sentence about one object."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "reconciler"


def consequences() -> list[tuple[str, str]]:
    """(where, text) of each consequence that stands beside its code; what is computed stands as {…}."""
    found = []
    for path in sorted([*(PACKAGE / "catalog").rglob("*.py"), *(PACKAGE / "plan").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or len(node.args) != 2:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name.lower() == "hazard" and isinstance(node.args[1], ast.Constant | ast.JoinedStr):
                parts = node.args[1].values if isinstance(node.args[1], ast.JoinedStr) else [node.args[1]]
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{…}" for part in parts)
                found.append((f"{path.relative_to(PACKAGE)}:{node.lineno}", text))
    return found


def test_there_are_some() -> None:
    assert len(consequences()) > 30


@pytest.mark.parametrize(
    ("where", "text"), consequences(), ids=lambda value: value if ":" in value[-6:] else ""
)
def test_a_consequence_is_one_sentence(where: str, text: str) -> None:
    assert text[0].isupper() or text.startswith("{…}"), text
    assert text.endswith("."), text
    assert ". " not in text, text
    assert "  " not in text, text
