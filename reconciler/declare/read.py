"""A directory of YAML and SQL as one value. Reads files, and nothing but files.

Promises every fault of every file in one error. The order of files has no meaning; hidden files and folders, the
migrations and whatever is neither YAML nor SQL are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from reconciler.declare.gathered import Gathered, declared_twice
from reconciler.declare.node import together
from reconciler.declare.sql_file import read_statements
from reconciler.declare.values import Declarations, DeclaredFile
from reconciler.errors import Source, Usage


def read(directory: Path, *, exclude: Path | None = None) -> Declarations:
    """Everything declared under `directory`, without the folder `exclude`. Raises `Usage` naming every fault."""
    if not directory.is_dir():
        raise Usage(
            f"there is no schema directory {directory}",
            hint="reconciler init makes one; --schema-dir or schema_dir in reconciler.yaml names another",
        )
    faults: list[Usage] = []
    total = Gathered()
    files: list[DeclaredFile] = []
    for path in _files(directory, exclude):
        try:
            one = _read_file(path)
        except Usage as fault:
            faults.append(fault)
            continue
        faults += declared_twice(total, one)
        total.add(one)
        files.append(one.file)
    if faults:
        raise together(faults)
    return Declarations(
        tuple(files),
        tuple(total.renames),
        total.fills,
        total.downs,
        tuple(total.designs),
        _digest(files, total),
        total.owned | total.places,
        tuple(sorted(total.scenarios, key=lambda one: (one.name, str(one.source)))),
    )


def read_file(path: Path) -> Declarations:
    """An SQL file that is not part of a declaration directory: rows are welcome. Raises `Usage` naming every fault."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Usage(f"this file is not UTF-8: {error.reason}", sources=(Source(str(path), 1),)) from None
    one = read_statements(text.replace("\r\n", "\n"), str(path), rows=True)
    return Declarations(
        (one.file,),
        designs=tuple(one.designs),
        digest=_digest([one.file], one),
        places=one.owned | one.places,
    )


def content(directory: Path, *, exclude: Path | None = None) -> str:
    """A digest of the very bytes under `directory`, for who wants to know whether anything moved; reads no declaration."""
    total = hashlib.sha256()
    if directory.is_dir():
        for path in _files(directory, exclude):
            try:
                found = path.read_bytes()
            except OSError:
                found = b""
            total.update(
                f"{path.relative_to(directory)}\0{len(found)}\0".encode("utf-8", "surrogateescape") + found
            )
    return total.hexdigest()


def _files(directory: Path, exclude: Path | None) -> Iterator[Path]:
    left_out = exclude.resolve() if exclude is not None else None
    for path in sorted(directory.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if path.resolve() != left_out:
                yield from _files(path, exclude)
        elif path.suffix.lower() in (".sql", ".yaml", ".yml"):
            yield path


def _read_file(path: Path) -> Gathered:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Usage(f"this file is not UTF-8: {error.reason}", sources=(Source(str(path), 1),)) from None
    except OSError as error:
        raise Usage(f"this file cannot be read: {error.strerror}", sources=(Source(str(path), 1),)) from None
    return _parsed(text.replace("\r\n", "\n"), str(path), path.suffix.lower() == ".sql")


@lru_cache(maxsize=20_000)
def _parsed(text: str, file: str, is_sql: bool) -> Gathered:
    """A daemon reads the same files again and again; only what changed is parsed again. Nobody changes the result."""
    if is_sql:
        return read_statements(text, file)
    from reconciler.declare.yaml_file import (
        read_yaml,
    )  # its models take longer to build than SQL files to read

    return read_yaml(text, file)


def _digest(files: list[DeclaredFile], total: Gathered) -> str:
    """One value for the content: the same for the same files under other names, in another order, at another time."""
    contents = sorted(
        hashlib.sha256("\1".join(_contents(file)).encode()).hexdigest() for file in files if file.statements
    )
    said = sorted(
        [f"{r.kind} {r.old} {r.new}" for r in total.renames]
        + [f"fill {id} {sql}" for id, sql in total.fills.items()]
        + [f"down {id} {sql}" for id, sql in total.downs.items()]
        + [f"{d.trigger} {d.invariants} {d.on_error} {d.concurrency} {d.tenancy}" for d in total.designs]
    )
    return hashlib.sha256("\0".join([*contents, *said]).encode()).hexdigest()


def _contents(file: DeclaredFile) -> list[str]:
    return [f"{statement.sql}\0{statement.data or ''}" for statement in file.statements]
