"""Keeps a PostgreSQL database equal to what its team declared, safely, with evidence."""

__version__ = "0.1.0"
