"""Items as cards with pictures: grids and ranked lists, as HTML that fits any width and theme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts.text import escape
from app.widgets.items.thumbnails import THUMBNAIL_SIDE, picture_uri, thumbnail

if TYPE_CHECKING:
    from engine.robustness import PictureChange

PER_PAGE = 24
"""Cards shown at a time."""

STYLE = """<style>
.basin-grid {display:grid; gap:.75rem; grid-template-columns:repeat(auto-fill,minmax(132px,1fr));}
.basin-card {border:1px solid rgba(124,138,145,.35); border-radius:.5rem; overflow:hidden;
  font-size:.82rem; line-height:1.25; display:flex; flex-direction:column;}
.basin-card img, .basin-card .none {width:100%; aspect-ratio:1; object-fit:contain;
  background:#fff; display:block;}
.basin-card .none, .basin-row .none {background:rgba(124,138,145,.25);}
.basin-card div.text {padding:.45rem .55rem .55rem;}
.basin-small {opacity:.72; font-size:.76rem;}
.basin-flag {display:inline-block; margin-top:.25rem; padding:.05rem .4rem; border-radius:1rem;
  font-size:.7rem; background:#D08310; color:#12171D;}
.basin-row {display:flex; align-items:center; gap:.6rem; padding:.25rem 0; font-size:.86rem;
  border-bottom:1px solid rgba(124,138,145,.25); min-height:52px;}
.basin-row img, .basin-row .none {width:44px; height:44px; object-fit:contain; background:#fff;
  border-radius:.3rem; flex:none;}
.basin-row .rank {width:1.6rem; text-align:right; opacity:.72; flex:none;}
.basin-row .name {flex:1; min-width:0; overflow:hidden; text-overflow:ellipsis;
  display:-webkit-box; -webkit-line-clamp:2; -webkit-box-orient:vertical;}
.basin-row .shift {flex:none; font-variant-numeric:tabular-nums; white-space:nowrap;}
.basin-up {color:#00AB50;} .basin-down {color:#C84729;} .basin-same {opacity:.6;}
</style>"""


def item_grid(items: pd.DataFrame) -> None:
    """A card for each row of an item table: picture, title, category, and what misleads."""
    cards = []
    for _, item in items.iterrows():
        flag = f"<br><span class='basin-flag'>misleading {escape(item['noise'])}</span>"
        cards.append(
            f"<div class='basin-card' title=\"{escape(item['description'][:300])}\">"
            f"{_picture(item['image_path'], 160)}<div class='text'>{escape(item['title'])}"
            f"<div class='basin-small'>{escape(item['category'].replace('|', ' · '))}</div>"
            f"{flag if item['noise'] else ''}</div></div>"
        )
    st.html(f"{STYLE}<div class='basin-grid'>{''.join(cards)}</div>")


def ranked_list(
    items: pd.DataFrame, ids: Sequence[int], notes: Sequence[str], marks: Sequence[str] = ()
) -> None:
    """Ranked items, best first: place, picture, title, and a note such as a shift in rank.

    ``notes`` are HTML made by ``shift_note``; ``marks`` are short texts after the titles.
    """
    rows = []
    for place, item_id in enumerate(ids):
        item = items.iloc[item_id]
        mark = f" <span class='basin-small'>{escape(marks[place])}</span>" if marks else ""
        rows.append(
            f"<div class='basin-row'><span class='rank'>{place + 1}</span>"
            f"{_picture(item['image_path'], 96)}<span class='name'>{escape(item['title'])}{mark}"
            f"</span><span class='shift'>{notes[place]}</span></div>"
        )
    st.html(STYLE + "".join(rows))


def three_pictures(change: PictureChange) -> None:
    """A picture before and after a change, and the difference, side by side."""
    names = {
        "before": change.before,
        "after": change.after,
        f"difference, {change.amplified:.0f} times": change.difference,
    }
    for column, (name, picture) in zip(st.columns(3), names.items(), strict=True):
        column.image(picture, caption=name, width="stretch")


def shift_note(before: int, after: int) -> str:
    """How far an item moved, from rank ``before`` to ``after`` (from 1), as an arrow and words."""
    if before == after:
        return "<span class='basin-same'>= same</span>"
    if after < before:
        return f"<span class='basin-up'>▲ {before - after}</span> from {before}"
    return f"<span class='basin-down'>▼ {after - before}</span> from {before}"


def _picture(path: str, side: int) -> str:
    uri = picture_uri(path, side)
    if uri:
        return f"<img src='{uri}' alt='' loading='lazy'>"
    problem = escape(thumbnail(path).problem)
    words = "picture not readable" if problem and side >= THUMBNAIL_SIDE else ""
    return f"<div class='none basin-small' title=\"{problem}\">{words}</div>"
