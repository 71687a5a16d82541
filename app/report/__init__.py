"""One self-contained HTML report of chosen runs: ``python -m app.report RUN RUN --output FILE``."""

from app.report.html_report import report_of

__all__ = ["report_of"]
