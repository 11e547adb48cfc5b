"""The status page, the metrics and the JSON API. Reads what the loop published; never a database."""

from reconciler.web.app import application
from reconciler.web.published import Board, Published
from reconciler.web.serve import Serving, serving

__all__ = ["Board", "Published", "Serving", "application", "serving"]
