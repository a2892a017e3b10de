"""Verdicts and measured numbers as a page, a notebook and a terminal show them."""

from ibcore.report.shown import show_summary, show_verdicts, tell
from ibcore.report.text import verdict_table

__all__ = ["show_summary", "show_verdicts", "tell", "verdict_table"]
