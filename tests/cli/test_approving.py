"""`approve` as a person and a pipeline use it, and what `history`, `show` and `explain` say about consent."""

from __future__ import annotations

from commands import Place, run

TABLE = "create table notes (id int primary key, line text);"
DROPS = "-- UP\nbegin;\nalter table notes drop column if exists line;\ncommit;\n\\quit\n-- DOWN\nbegin;\nalter table notes add column if not exists line text;\ncommit;\n"
VERSION = "20260101000000"


def test_approve_then_apply_then_history(place: Place) -> None:
    place.declare("create table notes (id int primary key);")
    place.sql(TABLE)
    folder = place.schema / "migrations"
    folder.mkdir()
    file = folder / f"{VERSION}_by_hand.sql"
    file.write_text(DROPS)

    refused = place.run("apply --yes")
    assert refused.code == 3 and f"--allow DELETES_DATA, or reconciler approve {VERSION}" in refused.err

    nobody = place.run(f"approve {VERSION}")
    assert nobody.code == 2 and "--yes" in nobody.err
    given = place.run(f"approve {VERSION[:8]} --yes --format json")
    assert (
        given.code == 0
        and given.json["approval"]["codes"] == ["DELETES_DATA"]
        and given.json["approval"]["holds"]
    )

    shown = place.run(f"show {VERSION}")
    assert "DELETES_DATA approved by" in shown.err and "void" not in shown.err
    file.write_text(DROPS.replace("if exists line", "if exists line /* edited */"))
    assert "void, the file was edited since" in place.run(f"show {VERSION}").err
    file.write_text(DROPS)

    done = place.run("apply --yes")
    assert done.code == 0, done.err
    text = place.run("history").out
    assert "DELETES_DATA allowed by approve (" in text
    (row,) = place.run("history --format json").json["history"]
    (consent,) = row["consents"]
    assert (
        (consent["code"], consent["how"]) == ("DELETES_DATA", "approve")
        and consent["at"]
        and "@" in consent["who"]
    )

    gone = place.run(f"approve {VERSION} --yes")
    assert gone.code == 2 and "is pending" in gone.err


def test_what_needs_no_consent_is_said(place: Place) -> None:
    place.declare(TABLE + "create index i on notes (line);")
    place.sql(TABLE)
    assert place.run("plan").code == 0
    (file,) = place.migrations
    said = place.run(f"approve {file.name[:14]} --yes")
    assert said.code == 0 and "needs consent" in said.out


def test_rows_in_the_way_are_shown_by_plan_and_refused_by_apply(place: Place) -> None:
    place.declare(TABLE.replace("line text", "line text unique"))
    place.sql(TABLE + "insert into notes values (1, 'a'), (2, 'a'), (3, 'b')")
    planned = place.run("plan")
    assert planned.code == 0
    assert "Rows in the way" in planned.out and "2 rows of public.notes share the key (line)" in planned.out
    found = place.run("plan --check --format json").json["rows"]["found"]
    assert [(one["object"], one["rows"], one["certain"]) for one in found] == [
        ("public.notes.notes_line_key", 2, True)
    ]
    refused = place.run("apply --yes")
    assert refused.code == 3
    assert "all.sql:1" in refused.err and "(id = 1, 2)" in refused.err
    assert place.sql("select to_regclass('reconciler.migrations')") == [(None,)]


def test_explain_says_the_rule() -> None:
    assert "--allow DELETES_DATA" in run("explain", "DELETES_DATA").out
    assert (
        run("explain", "BLOCKS_WRITES", "--format", "json").json["consent"]
        == "It is told, and needs no consent."
    )
