"""What an audit found, for people, programs and code hosts: values in, text out. Writes only the folder it is given."""

from reconciler.audit.report.document import document, summary
from reconciler.audit.report.folder import write
from reconciler.audit.report.pages import html, markdown
from reconciler.audit.report.remedy import remedy
from reconciler.audit.report.sarif import sarif
from reconciler.audit.report.values import SEVERITIES, VERDICTS, Audit, Exempted

__all__ = [
    "SEVERITIES",
    "VERDICTS",
    "Audit",
    "Exempted",
    "document",
    "html",
    "markdown",
    "remedy",
    "sarif",
    "summary",
    "write",
]
