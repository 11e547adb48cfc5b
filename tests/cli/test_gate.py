"""The plan gate: a change that adds a finding of the audit fails the plan, and is applied only when somebody allows it."""

from __future__ import annotations

import pytest
from commands import Place

SHUT = """\
create table notes (id uuid primary key, org_id uuid not null, line text not null);
alter table notes enable row level security;
alter table notes force row level security;
create policy own_rows on notes using (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
grant select on notes to public;
"""
OPEN = (
    SHUT
    + "create table exports (id uuid primary key, org_id uuid not null); grant select on exports to public;\n"
)


@pytest.fixture
def shut(place: Place) -> Place:
    place.declare(SHUT)
    assert place.run("apply", "--yes").code == 0
    return place


def test_what_adds_a_finding_fails_the_plan_until_it_is_allowed(shut: Place) -> None:
    shut.declare(OPEN)
    said = shut.run("plan", "--format", "json")
    assert said.code == 3
    assert said.json["migration"]["files"] == []
    assert [(one["rule"], one["id"]) for one in said.json["findings"]] == [("RLS001", "public.exports")]
    assert "ADDS_FINDING" in {hazard["code"] for hazard in said.json["hazards"]}
    told = shut.run("plan", "--check")
    assert told.code == 3 and "RLS001" in told.out + told.err
    refused = shut.run("apply", "--yes")
    assert refused.code == 3 and "ADDS_FINDING" in refused.err
    assert shut.run("plan", "--allow", "ADDS_FINDING").code == 0
    (file,) = [
        path for path in shut.migrations if "ADDS_FINDING" in path.read_text().splitlines()[0:20].__str__()
    ]
    assert "RLS001" in file.read_text()
    # The file says it of itself, and is asked again.
    assert shut.run("apply", "--yes").code == 3
    assert shut.run("apply", "--yes", "--allow", "ADDS_FINDING").code == 0


def test_what_was_there_before_is_not_held_against_a_change(place: Place) -> None:
    place.declare(OPEN)
    first = place.run("plan", "--format", "json")
    assert first.code == 0, "a first plan has nothing before it"
    assert any("reconciler audit" in note for note in first.json["notes"])
    assert place.run("apply", "--yes").code == 0
    place.declare(OPEN.replace("line text not null", "line text not null, more text"))
    assert place.run("plan").code == 0


def test_an_exempted_finding_is_let_through(shut: Place) -> None:
    config = shut.folder / "reconciler.yaml"
    config.write_text(
        f"databases:\n  - name: shop\n    url: {shut.url.reveal()}\n    schema_dir: schema\n    shadow: {shut.shadow}\n"
        "    audit:\n      exemptions:\n        - {key: 'RLS001 table public.exports', reason: public on purpose, expires: 2999-01-01}\n"
    )
    from commands import run

    shut.declare(OPEN)
    said = run("plan", "--config", str(config), "--format", "json")
    assert said.code == 0, said.err
    assert said.json["findings"] == []
