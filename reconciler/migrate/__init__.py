"""Migrations as files, in the history and on their way into a database."""

from reconciler.migrate.applier import applier, at_work, require_own
from reconciler.migrate.apply import Progress, Terms, apply, rollback
from reconciler.migrate.approvals import Approval, approvals, approve
from reconciler.migrate.compose import compose, in_form
from reconciler.migrate.directory import load_directory, write
from reconciler.migrate.file import parse, render, render_section
from reconciler.migrate.history import edited, ensure, latest, pending, read, record, restored, state_of
from reconciler.migrate.inventory import adopt, owned, release
from reconciler.migrate.leadership import begin_term, lead, leader, still_leads
from reconciler.migrate.naming import next_version, slug_of, version_and_slug
from reconciler.migrate.suspension import Suspension, resume, suspend, suspension

__all__ = [
    "Approval",
    "Progress",
    "Suspension",
    "Terms",
    "adopt",
    "applier",
    "apply",
    "approvals",
    "approve",
    "at_work",
    "begin_term",
    "compose",
    "edited",
    "ensure",
    "in_form",
    "latest",
    "lead",
    "leader",
    "load_directory",
    "next_version",
    "owned",
    "parse",
    "pending",
    "read",
    "record",
    "release",
    "render",
    "render_section",
    "require_own",
    "restored",
    "resume",
    "rollback",
    "slug_of",
    "state_of",
    "still_leads",
    "suspend",
    "suspension",
    "version_and_slug",
    "write",
]
