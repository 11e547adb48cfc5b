"""What the user configured: `reconciler.yaml`, the environment and the command line, as one frozen value."""

from reconciler.settings.audit import Audit, AuditIdentity, Exemption
from reconciler.settings.duration import Duration
from reconciler.settings.fields import Listen
from reconciler.settings.load import FILE_NAME, Overrides, find_file, load
from reconciler.settings.model import (
    Config,
    Database,
    GitSource,
    Http,
    Log,
    Mode,
    Platform,
    Removal,
    Trust,
    json_schema,
)
from reconciler.settings.repository import Repository

__all__ = [
    "FILE_NAME",
    "Audit",
    "AuditIdentity",
    "Config",
    "Database",
    "Duration",
    "Exemption",
    "GitSource",
    "Http",
    "Listen",
    "Log",
    "Mode",
    "Overrides",
    "Platform",
    "Removal",
    "Repository",
    "Trust",
    "find_file",
    "json_schema",
    "load",
]
