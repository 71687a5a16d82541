"""The colours of runs can be told apart by everybody, on both backgrounds."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import numpy as np
import pytest

from app.charts.style import CATEGORICAL, look

THEME = tomllib.loads(
    (Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml").read_text()
)["theme"]

SIMULATED = {
    "typical": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""


SRGB_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)


def linear(colour: str) -> np.ndarray:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def lab(rgb: np.ndarray) -> np.ndarray:
    v = SRGB_TO_XYZ @ rgb / [0.9505, 1.0, 1.089]
    x, y, z = np.where(v > 0.008856, np.cbrt(v), 7.787 * v + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("colour", CATEGORICAL)
def test_contrast_is_at_least_3_on_both_backgrounds(theme: str, colour: str) -> None:
    high, low = sorted((luminance(colour), luminance(THEME[theme]["backgroundColor"])))[::-1]
    assert (high + 0.05) / (low + 0.05) >= 2.95


@pytest.mark.parametrize("sight", SIMULATED)
def test_runs_are_told_apart_by_every_sight(sight: str) -> None:
    seen = [lab(np.clip(SIMULATED[sight] @ linear(c), 0, 1)) for c in CATEGORICAL]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


def test_the_theme_uses_the_same_colours() -> None:
    assert tuple(THEME["light"]["chartCategoricalColors"]) == CATEGORICAL
    assert tuple(THEME["dark"]["chartCategoricalColors"]) == CATEGORICAL


def test_looks_of_36_runs_are_all_different() -> None:
    assert len({look(i) for i in range(36)}) == 36
