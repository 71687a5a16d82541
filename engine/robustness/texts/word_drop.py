"""Words missing from product texts."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from engine.data import Dataset
from engine.robustness.perturbation import SHARES, Risk
from engine.robustness.texts.text import TextConfig


class WordDropConfig(TextConfig):
    """A share of each chosen text's words is left out."""

    title: ClassVar[str] = "Words dropped from texts"
    risk: ClassVar[Risk] = "inherent noise"
    strengths: ClassVar[tuple[float, ...]] = SHARES

    name: Literal["word_drop"] = "word_drop"

    @property
    def strength_unit(self) -> str:
        return "share of each text's words"

    @property
    def strength_limit(self) -> float:
        return 1.0

    def edited(
        self, dataset: Dataset, words: list[str], item: int, strength: float,
        draws: np.random.Generator,
    ) -> list[str]:  # fmt: skip
        """Words go in a random order, so that those left at a share are left at any smaller one."""
        del dataset, item
        gone = set(draws.permutation(len(words))[: round(strength * len(words))].tolist())
        return [word for place, word in enumerate(words) if place not in gone]
