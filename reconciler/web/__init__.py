"""The status page, the metrics and the JSON API. Reads what the loop published and hands on what a POST asks for; never a database."""

from reconciler.web.actions import Actions
from reconciler.web.app import application
from reconciler.web.published import Board, Published
from reconciler.web.serve import Serving, serving

__all__ = ["Actions", "Board", "Published", "Serving", "application", "serving"]
