"""The folder of migration files: everything in it is read, or named as unreadable; nothing in it is
overwritten.

Promises the migrations in the order of their versions, one per version. Never looks into sub-folders.
"""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.errors import Source, Stalled, Usage, writing
from reconciler.migrate.file import parse, render
from reconciler.migrate.naming import version_and_slug
from reconciler.model import Migration


def load_directory(path: Path) -> tuple[Migration, ...]:
    """All migrations of a folder; none when there is no such folder.

    Raises `Usage` for two files with one version, for a file with `.sql` in its name that is no migration (an
    editor's or a merge's left-over may be the only copy of somebody's work), and for what `parse` refuses.
    Hidden files and files of other kinds (README.md) are not looked at.
    """
    if not path.is_dir():
        return ()
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        if file.name.startswith(".") or ".sql" not in file.name or file.is_dir():
            continue
        version, _ = version_and_slug(str(file))
        if version in found:
            raise Usage(
                f"two migrations have the version {version}",
                hint="give the later one a new version: rename it to the time of now in UTC",
                sources=(Source(str(file), 1), Source(str(found[version]), 1)),
            )
        found[version] = file
    return tuple(_read(found[version]) for version in sorted(found))


def write(migration: Migration, directory: Path) -> Path:
    """Writes a new file, whole or not at all, and returns its path. `Stalled` when the version is taken."""
    text = render(migration)
    target = directory / migration.filename
    unfinished = directory / f".{migration.filename}.{os.getpid()}"
    with writing(target):
        directory.mkdir(parents=True, exist_ok=True)
        taken = sorted(directory.glob(f"{migration.version}_*"))
        if taken:
            raise Stalled(
                f"version {migration.version} exists already: {taken[0]}", hint="plan again for a new version"
            )
        try:
            unfinished.write_text(text, encoding="utf-8", newline="")
            os.link(
                unfinished, target
            )  # unlike a rename, this refuses to replace what somebody else just wrote
        except FileExistsError:
            raise Stalled(f"{target} was written just now by somebody else", hint="plan again") from None
        finally:
            unfinished.unlink(missing_ok=True)
    return target


def _read(file: Path) -> Migration:
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            return parse(opened.read(), str(file))
    except UnicodeDecodeError as error:
        raise Usage(
            f"this file is not UTF-8 (byte {error.start + 1})",
            hint="save it as UTF-8",
            sources=(Source(str(file), 1),),
        ) from None
