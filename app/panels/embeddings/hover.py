"""Pictures on hover: a card that follows the pointer over a Plotly chart.

Plotly's own hover text cannot hold pictures. This small script of ours listens to the chart's hover
events and shows the item's part of one sheet of pictures beside the pointer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import streamlit as st

from app.widgets.items.thumbnails import Sheet

SCRIPT = """
export default function ({ data, parentElement }) {
  const state = parentElement.__basin || (parentElement.__basin = {});
  state.data = data;
  if (state.timer) return state.cleanup;
  const card = document.createElement("div");
  card.className = "basin-hover";
  document.body.appendChild(card);
  const hide = () => { card.style.display = "none"; };
  const show = (event) => {
    const point = event.points && event.points[0];
    const about = point && point.customdata;
    if (!about || !event.event) return hide();
    const { sheet, lines } = state.data;
    card.replaceChildren();
    const item = Number(about[0]);
    if (sheet && item >= 0) {
      const picture = document.createElement("div");
      const shown = 120, scale = shown / sheet.side;
      const column = item % sheet.columns, row = Math.floor(item / sheet.columns);
      picture.className = "picture";
      picture.style.backgroundImage = `url(${sheet.uri})`;
      picture.style.backgroundSize = `${sheet.columns * shown}px auto`;
      picture.style.backgroundPosition = `${-column * shown}px ${-row * shown}px`;
      card.appendChild(picture);
    }
    const text = document.createElement("div");
    text.className = "text";
    lines.forEach((name, index) => {
      const value = about[index + 1];
      if (value === "" || value === null || value === undefined) return;
      const line = document.createElement(name ? "span" : "strong");
      line.textContent = name ? `${name}: ${value}` : value;
      text.appendChild(line);
    });
    card.appendChild(text);
    const theme = getComputedStyle(parentElement);
    card.style.background = theme.getPropertyValue("--st-background-color") || "#fff";
    card.style.color = theme.getPropertyValue("--st-text-color") || "#111";
    card.style.fontFamily = theme.getPropertyValue("--st-font") || "sans-serif";
    card.style.display = "block";
    const box = card.getBoundingClientRect();
    const { clientX: x, clientY: y } = event.event;
    const left = x + 18 + box.width > window.innerWidth ? x - 18 - box.width : x + 18;
    const top = Math.min(Math.max(8, y - box.height / 2), window.innerHeight - box.height - 8);
    card.style.left = `${Math.max(8, left)}px`;
    card.style.top = `${top}px`;
  };
  let chart = null, emitter = null;
  const attach = () => {
    const plot = document.querySelector(`.st-key-${state.data.chart} .js-plotly-plot`);
    if (!plot || !plot.on || (plot === chart && plot._ev === emitter)) return;
    chart = plot;
    emitter = plot._ev;
    chart.on("plotly_hover", show);
    chart.on("plotly_unhover", hide);
  };
  state.timer = setInterval(attach, 300);
  attach();
  state.cleanup = () => {
    clearInterval(state.timer);
    state.timer = null;
    if (chart && chart.removeListener) {
      chart.removeListener("plotly_hover", show);
      chart.removeListener("plotly_unhover", hide);
    }
    card.remove();
  };
  return state.cleanup;
}
"""

STYLE = """
.basin-hover {display:none; position:fixed; z-index:1000; pointer-events:none; max-width:220px;
  padding:8px; border-radius:8px; font-size:.82rem; line-height:1.3;
  border:1px solid rgba(124,138,145,.5); box-shadow:0 4px 18px rgba(0,0,0,.25);}
.basin-hover .picture {width:120px; height:120px; border-radius:6px; background-color:#fff;
  background-repeat:no-repeat; margin:0 auto 6px;}
.basin-hover .text span, .basin-hover .text strong {display:block;}
.basin-hover .text span {opacity:.8;}
"""


@cache
def _component() -> Any:
    return st.components.v2.component(
        "basin_hover", html="<span></span>", css=STYLE, js=SCRIPT, isolate_styles=False
    )


def hover_pictures(chart: str, sheet: Sheet | None, lines: Sequence[str]) -> None:
    """Show a card over the chart drawn with ``key=chart``.

    Each point's customdata is its item's row (or -1 for no picture) and then one value for each of
    ``lines``; a line without a name is the title, an empty value is left out.
    """
    pictures = None
    if sheet is not None:
        pictures = {"uri": sheet.uri, "columns": sheet.columns, "side": sheet.side}
    data = {"chart": chart, "sheet": pictures, "lines": list(lines)}
    _component()(key=f"{chart}_hover", data=data)
