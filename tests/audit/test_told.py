"""What an attack showed, in words: milder only where the platform's API cannot send the statement."""

from __future__ import annotations

import pytest

from reconciler.audit.told import reached
from reconciler.model import Finding, ObjectId

TABLE = ObjectId("table", "public", "t")


@pytest.mark.parametrize(
    ("rule", "role", "platform", "severity"),
    [
        ("ATK005", "anon", "supabase", "warning"),
        ("ATK005", "authenticated", "supabase", "warning"),
        ("ATK005", "clerk", "supabase", "error"),  # a role of one's own may log in
        ("ATK005", "anon", "postgres", "error"),
        ("ATK004", "anon", "supabase", "error"),
    ],
)
def test_only_truncate_by_a_role_of_the_api_is_milder(
    rule: str, role: str, platform: str, severity: str
) -> None:
    (found,) = reached((Finding(rule, "error", TABLE, "it is emptied", detail=role),), platform)  # type: ignore[arg-type]
    assert found.severity == severity
    assert ("no request of the platform's API" in found.says) == (severity == "warning")
