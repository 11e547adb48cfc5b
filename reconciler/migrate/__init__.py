"""Migrations as files, in the history and on their way into a database."""

from reconciler.migrate.compose import compose, in_form
from reconciler.migrate.directory import load_directory, write
from reconciler.migrate.file import parse, render, render_section
from reconciler.migrate.naming import next_version, slug_of, version_and_slug

__all__ = [
    "compose",
    "in_form",
    "load_directory",
    "next_version",
    "parse",
    "render",
    "render_section",
    "slug_of",
    "version_and_slug",
    "write",
]
