"""The playground on a page: our own HTML, CSS and JavaScript, and the address that holds its state.

``dynamics.js`` has the landscapes and steppers, ``canvas.js`` draws them and listens.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from app.learn.playground.playground_settings import STARTS, PlaygroundSettings
from engine.foundation.errors import ConfigError

FOLDER = Path(__file__).parent
PARAMETER = "play"
"""Of the address: the settings that differ from the defaults, as JSON."""

COLOURS = {
    "plain": "#2B6A87",
    "mirror": "#D08310",
    "sam": "#C84729",
    "gradient-norm": "#598AFF",
    "test": "#00AB50",
}

# Viridis at 24 places, dark at a minimum.
RAMP = (
    (68, 1, 84), (71, 14, 97), (72, 26, 108), (72, 37, 118), (69, 48, 125), (65, 59, 131),
    (61, 69, 135), (56, 79, 138), (51, 89, 140), (46, 98, 141), (42, 107, 142), (38, 117, 142),
    (35, 126, 142), (32, 135, 141), (30, 145, 139), (31, 154, 137), (38, 164, 133),
    (50, 173, 126), (68, 182, 116), (91, 190, 104), (117, 198, 89), (145, 205, 72),
    (175, 211, 53), (206, 217, 32),
)  # fmt: skip


@cache
def _component() -> Any:
    html, css, *scripts = (
        (FOLDER / name).read_text(encoding="utf-8")
        for name in ("playground.html", "playground.css", "dynamics.js", "canvas.js")
    )
    return st.components.v2.component(
        "basin_playground", html=html, css=css, js="\n".join(scripts), isolate_styles=False
    )


def playground(
    settings: PlaygroundSettings, key: str, controls: Sequence[str] | None = None
) -> PlaygroundSettings:
    """Show the playground; returns its settings as the visitor left them.

    ``settings`` are taken once for each ``key``; a new key starts afresh. ``controls`` names the
    settings in sight (None: all).
    """
    data = {
        "controls": None if controls is None else list(controls),
        "state": settings.model_dump(mode="json"),
        "lesson": key,
        "starts": STARTS,
        "colours": COLOURS,
        "ramp": RAMP,
    }
    shown = _component()(key=f"playground.{key}", data=data, on_settings_change=lambda: None)
    values = shown.get("settings") if shown else None
    return PlaygroundSettings.parse(values) if values else settings


def settings_from_address() -> PlaygroundSettings | None:
    """The settings that the address names, or None.

    Raises ConfigError where they are not settings of the playground.
    """
    text = st.query_params.get(PARAMETER)
    if not text:
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ConfigError(
            f"The link's part '{PARAMETER}' is {text[:40]!r}, which is not the playground's JSON; "
            "ask for the link again."
        )
    return PlaygroundSettings.parse(values)


def settings_to_address(settings: PlaygroundSettings) -> None:
    """Write what differs from the defaults to the address."""
    usual = PlaygroundSettings().model_dump(mode="json")
    values = settings.model_dump(mode="json")
    changed = {name: value for name, value in values.items() if value != usual[name]}
    text = json.dumps(changed, separators=(",", ":"))
    if st.query_params.get(PARAMETER) != text:
        st.query_params[PARAMETER] = text
