"""Blocks of an HTML document: headings, paragraphs, tables and living figures, all escaped."""

from __future__ import annotations

import re
from html import escape

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

STYLE = """
:root {color-scheme: light dark;}
body {font: 16px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem;}
table {border-collapse: collapse; font-size: .86rem; margin: .6rem 0; display: block;
  overflow-x: auto;}
th, td {padding: .25rem .6rem; border-bottom: 1px solid #7c8a9155; text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap;}
th:first-child, td:first-child {text-align: left;}
.warning {border-left: 4px solid #d08310; padding: .3rem .8rem; background: #d0831018;}
.caption {font-size: .88rem; opacity: .85;}
figure {margin: 1rem 0; background: #fff; border-radius: 6px;}
"""


def heading(text: str, level: int = 2) -> str:
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; ``**bold**`` is kept, everything else is text."""
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text))
    return f"<p{f' class={kind!r}' if kind else ''}>{bold}</p>"


def table(frame: pd.DataFrame) -> str:
    """A table with four significant digits; empty cells for missing values."""
    return frame.to_html(
        index=False, border=0, na_rep="", float_format=lambda x: f"{x:.4g}", escape=True
    )


def figure(drawn: go.Figure, title: str) -> str:
    """A living figure; the script that draws it stands once in the document."""
    body = drawn.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False})
    return f'<figure role="group" aria-label="{escape(title, quote=True)}">{body}</figure>'


def details(summary: str, body: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def document(title: str, blocks: list[str]) -> str:
    """A whole page that needs nothing else: no network, no other file."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body>"
        f"{''.join(blocks)}</body></html>\n"
    )
