"""Words missing from product texts."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from engine.data import Dataset
from engine.data.perturbations.texts.words import WordShareConfig
from engine.data.perturbations.units import Risk


class WordDropConfig(WordShareConfig):
    """A share of each chosen text's words is left out."""

    title: ClassVar[str] = "Words dropped from texts"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["word_drop"] = "word_drop"

    def edit(
        self, dataset: Dataset, words: list[str], item: int, strength: float,
        draws: np.random.Generator,
    ) -> list[str]:  # fmt: skip
        """Words go in a random order, so that those left at a share are left at any smaller one."""
        del dataset, item
        gone = set(draws.permutation(len(words))[: round(strength * len(words))].tolist())
        return [word for place, word in enumerate(words) if place not in gone]
