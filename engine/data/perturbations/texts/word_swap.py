"""Words of product texts in the wrong place."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from engine.data import Dataset
from engine.data.perturbations.texts.words import WordShareConfig
from engine.data.perturbations.units import Risk


class WordSwapConfig(WordShareConfig):
    """A share of each chosen text's words change places among themselves."""

    title: ClassVar[str] = "Words of texts exchanged"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["word_swap"] = "word_swap"

    def edit(
        self, dataset: Dataset, words: list[str], item: int, strength: float,
        draws: np.random.Generator,
    ) -> list[str]:  # fmt: skip
        """The drawn words move one place along a random cycle, so that each of them moves."""
        del dataset, item
        chosen = draws.permutation(len(words))[: round(strength * len(words))]
        moved = list(words)
        for place, source in zip(chosen, np.roll(chosen, 1), strict=True):
            moved[int(place)] = words[int(source)]
        return moved
