"""URLs: read as libpq reads them, shown without passwords, refused without quoting them back."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from reconciler.errors import Usage
from reconciler.pg import Secret, Url

PASSWORD = "tr0ub4dor"


@pytest.mark.parametrize(
    ("text", "user", "host", "port", "database", "redacted"),
    [
        ("postgresql://u@h/d", "u", "h", 5432, "d", "postgresql://u@h:5432/d"),
        ("postgres://u:tr0ub4dor@h:6543/d", "u", "h", 6543, "d", "postgresql://u:***@h:6543/d"),
        ("host=h user=u password=tr0ub4dor", "u", "h", 5432, "u", "postgresql://u:***@h:5432/u"),
        (
            "host=h user=u password='tr0ub4dor x' dbname='a b'",
            "u",
            "h",
            5432,
            "a b",
            "postgresql://u:***@h:5432/a%20b",
        ),
        ("postgresql://u:tr0ub4dor@a:1,b:2/d", "u", "a,b", 1, "d", "postgresql://u:***@a:1,b:2/d"),
        ("postgresql://u@[::1]:7/d", "u", "::1", 7, "d", "postgresql://u@[::1]:7/d"),
        (
            "postgresql:///d?host=/run/pg&user=u",
            "u",
            "/run/pg",
            5432,
            "d",
            "postgresql://u@%2Frun%2Fpg:5432/d",
        ),
        ("postgresql://u@h/d?password=tr0ub4dor", "u", "h", 5432, "d", "postgresql://u:***@h:5432/d"),
        ("postgresql://u@h/d?sslpassword=tr0ub4dor", "u", "h", 5432, "d", "postgresql://u@h:5432/d"),
    ],
)
def test_parts_and_display(text: str, user: str, host: str, port: int, database: str, redacted: str) -> None:
    url = Url.parse(text)
    assert (url.user, url.host, url.port, url.database) == (user, host, port, database)
    assert url.redacted == str(url) == redacted
    assert repr(url) == f"Url('{redacted}')"
    assert PASSWORD not in repr(url) + str(url) + repr(url.options) + repr(url.secrets)


@settings(deadline=None)
@given(
    password=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=6, max_size=30
    )
)
def test_any_password_survives_and_is_never_shown(password: str) -> None:
    url = Url.parse(f"postgresql://u:{quote(password, safe='')}@h/d")
    assert url.password == Secret(password)
    assert conninfo_to_dict(url.reveal())["password"] == password
    assert password not in repr(url) + str(url) or password in "postgresql://u:***@h:5432/d"
    assert url.environment()["PGPASSWORD"] == password


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:tr0ub@4dor@h/d",
        "postgresql://u:tr0ub/4dor@h/d",
        "postgresql://u:12/tr0ub4dor@h/d",
        "postgresql://u:tr0ub?4d@or@h/d",
        "postgresql://u:tr0ub%4dor@h/d%zz",
        "postgresql://u@h:tr0ub4dor/d",
        "postgresql://u@h:99999/d?password=tr0ub4dor",
        "postgresql://u@h/d?pasword=tr0ub4dor",
        "host=h password=x tr0ub4dor",
        "host=h pasword=tr0ub4dor",
        "dbname=postgresql://u:tr0ub4dor@h/d",
        "mysql://u:tr0ub4dor@h/d",
        "tr0ub4dor",
        "",
        "  ",
    ],
)
def test_what_cannot_be_read_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(Usage) as refused:
        Url.parse(text)
    assert refused.value.hint
    assert "tr0ub" not in str(refused.value)
    assert "4dor" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_another_database_on_the_same_server() -> None:
    url = Url.parse("postgresql://u:tr0ub4dor@h/d?sslmode=require").with_database("it's")
    assert url.database == "it's"
    assert conninfo_to_dict(url.reveal()) == {
        "user": "u",
        "password": "tr0ub4dor",
        "host": "h",
        "dbname": "it's",
        "sslmode": "require",
    }


def test_what_is_not_written_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGHOST": "eh", "PGPORT": "6000", "PGUSER": "eu", "PGPASSWORD": "tr0ub4dor"}.items():
        monkeypatch.setenv(name, value)
    url = Url.parse("postgresql://")
    assert (url.host, url.port, url.user, url.database) == ("eh", 6000, "eu", "eu")
    assert url.password is None
    assert url.get("password") == ""
    assert "tr0ub4dor" not in repr(url)


def test_a_child_program_gets_everything_through_its_environment() -> None:
    url = Url.parse("postgresql://u:tr0ub4dor@h:7/d?sslmode=require&application_name=x")
    assert url.environment() == {
        "PGHOST": "h",
        "PGPORT": "7",
        "PGUSER": "u",
        "PGPASSWORD": "tr0ub4dor",
        "PGDATABASE": "d",
        "PGSSLMODE": "require",
        "PGAPPNAME": "x",
    }


def test_equal_urls_are_equal_and_hashable() -> None:
    one, two = Url.parse("postgresql://u:p@h/d"), Url.parse("host=h dbname=d user=u password=p")
    assert one == two
    assert len({one, two}) == 1
    assert one != Url.parse("postgresql://u:q@h/d")
