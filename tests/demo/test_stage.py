"""The demonstration's stage. The whole play is run by `.ci/run`; here is what it rests on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.declare import read
from reconciler.embedded.home import lock
from reconciler.engine import demo
from reconciler.errors import Stalled
from reconciler.pg import connect


def test_the_edits_still_fit_the_bundled_declarations() -> None:
    text = (demo.bundled() / demo.FILE).read_text()
    for _, before, after in demo.EDITS:
        assert text.count(before) == 1
        text = text.replace(before, after)
    assert "website" in text
    assert "current_admin_org_id" in text


def test_the_stage_is_set_edited_and_put_back() -> None:
    with demo.stage(None) as on:
        assert on.database.target().user == demo.NAME
        with connect(on.database.target()) as session:
            assert session.execute("select 1 from pg_catalog.pg_roles where rolname = 'anon'").fetchone()
        schema, file = on.database.schema_dir, on.database.schema_dir / demo.FILE
        original = file.read_text()
        demo.edit(on)
        assert file.read_text() != original
        assert read(schema).files
        demo.take_back(on)
        assert file.read_text() == original
        folder = on.folder
    assert not folder.exists()


def test_what_is_kept_is_kept_where_the_server_can_reach_it(tmp_path: Path) -> None:
    assert demo.kept_folder({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "reconciler" / "demo"
    place = demo.kept_folder({})
    assert place == Path("/var/lib/reconciler/demo") if os.geteuid() == 0 else Path.home() in place.parents


def test_two_demonstrations_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    with (
        lock(tmp_path / "project"),
        pytest.raises(Stalled, match="another demonstration") as refused,
        demo.stage(tmp_path),
    ):
        pass
    assert "--once" in refused.value.hint
